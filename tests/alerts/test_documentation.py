"""What docs/alerts.md tells receivers to do accepts what we send, and nothing else."""

import re
from pathlib import Path

import pytest

from omium.states import AlertKind

PAGE = (Path(__file__).resolve().parents[2] / "docs/alerts.md").read_text()


@pytest.fixture
def verify():
    snippet = re.search(r"<!-- file: receiver.py -->\n```python\n(.*?)```", PAGE, re.DOTALL)[1]
    names = {}
    exec(compile(snippet, "receiver.py", "exec"), names)
    return names["verify"]


async def test_the_documented_receiver_takes_our_messages_and_no_others(alerting, verify):
    rule = await alerting.add()
    await alerting.note()
    await alerting.pass_on()
    [received] = alerting.target.received
    secret, now_s = rule["signing_secret"], int(received.headers["webhook-timestamp"])

    verify(secret, received.headers, received.body, now_s)

    for headers, body, at_s, key in (
        (received.headers, received.body + b" ", now_s, secret),
        (received.headers | {"webhook-id": "dl_other"}, received.body, now_s, secret),
        (received.headers, received.body, now_s + 301, secret),
        (received.headers, received.body, now_s, "whsec_" + "A" * 43 + "="),
    ):
        with pytest.raises(ValueError, match=r"old|fit"):
            verify(key, headers, body, at_s)


def test_every_kind_of_alert_is_told_of():
    named = set(re.findall(r"^\| `([a-z.-]+)` \|", PAGE, re.MULTILINE))

    assert named == {kind.value for kind in AlertKind} - {AlertKind.ALERT_TESTED.value}
