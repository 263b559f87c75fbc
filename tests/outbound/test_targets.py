"""However an address inside is spelled, and wherever a name or a redirect leads: no request goes there."""

import pytest

from omium.server.outbound import http
from omium.server.outbound.addresses import TargetRefused
from omium.server.outbound.http import GuardedClient, SendFailed
from tests.alerts.targets import open_target

LOOPBACK = "127.0.0.1"

SPELLINGS = [
    "https://127.0.0.1/",
    "https://127.0.0.1:8443/",
    "https://127.1/",
    "https://127.0.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0X7F.1/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://00000177.0.0.1/",
    "https://127.0.0.01/",
    "https://localhost/",
    "https://LOCALHOST/",
    "https://localhost./",
    "https://0/",
    "https://0.0.0.0/",
    "https://0x0/",
    "https://10.0.0.1/",
    "https://167772161/",
    "https://012.0.0.1/",
    "https://172.31.255.254/",
    "https://192.168.0.1/",
    "https://0xc0a80001/",
    "https://100.64.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://2852039166/",
    "https://0xa9fea9fe/",
    "https://0251.0376.0251.0376/",
    "https://169.254.43518/",
    "https://198.18.0.1/",
    "https://255.255.255.255/",
    "https://224.0.0.1/",
    "https://[::1]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[::]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::ffff:a9fe:a9fe]/",
    "https://[::127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b::a9fe:a9fe]/",
    "https://[64:ff9b:1::a00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[2002:a9fe:a9fe::1]/",
    "https://[2001:0:7f00:1::80ff:fffe]/",
    "https://[fe80::1]/",
    "https://[fe80::1%25lo]/",
    "https://[fc00::1]/",
    "https://[fec0::1]/",
    "https://[fd00:ec2::254]/",
    "https://user@127.0.0.1/",
    "https://example.com@127.0.0.1/",
    "https://example.com:443@127.0.0.1/",
    "https://127.0.0.1#@example.com/",
    "https://127.0.0.1?@example.com/",
    "https://127.0.0.1\\@example.com/",
    "https://example.com\\@127.0.0.1/",
    "https://127。0。0。1/",
    "https://①②⑦.0.0.1/",
    "https://127.0.0.1%00.example.com/",
    "https://127.0.0.1 .example.com/",
    "https://\t127.0.0.1/",
    "http://example.com/",
    "http://127.0.0.1/",
    "gopher://127.0.0.1/",
    "file:///etc/passwd",
    "unix:///var/run/docker.sock",
    "//127.0.0.1/",
    "https:127.0.0.1/",
    "https:///127.0.0.1/",
]


@pytest.fixture
def sent(monkeypatch):
    """Everything that would have been sent; nothing is."""
    found = []

    async def send(self, method, parts, addresses, body, headers, bytes_max):
        found.append((parts.geturl(), addresses))
        raise AssertionError(f"{parts.geturl()} was to be sent to {addresses}")

    monkeypatch.setattr(GuardedClient, "_send", send)
    return found


@pytest.mark.parametrize("url", SPELLINGS)
async def test_an_address_inside_is_refused_in_every_spelling(sent, url):
    with pytest.raises((TargetRefused, SendFailed)) as refused:
        await GuardedClient().request("GET", url, {})

    assert sent == []
    if isinstance(refused.value, SendFailed):  # a spelling that this machine's resolver takes for no name
        assert "cannot be resolved" in str(refused.value)


def test_there_are_more_than_forty_spellings():
    assert len(set(SPELLINGS)) >= 40


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.7", "169.254.169.254", "::1", "::ffff:10.0.0.1", "fd00::1"]
)
async def test_a_harmless_name_that_leads_inside_is_refused(sent, monkeypatch, address):
    async def resolve(host, port):
        return ["93.184.216.34", address]

    monkeypatch.setattr(http, "_resolve", resolve)
    with pytest.raises(TargetRefused):
        await GuardedClient().request("GET", "https://harmless.example.com/", {})


async def test_a_name_that_leads_elsewhere_at_the_second_look_is_judged_again_on_a_redirect(monkeypatch):
    """DNS rebinding through a redirect: each hop is resolved once, judged, and pinned."""
    async with open_target() as target:
        target.status, target.extra = "302 Found", f"location: http://swings.internal:{target.port}/2\r\n"
        answers = iter([["127.0.0.1"], ["169.254.169.254"]])

        async def resolve(host, port):
            return next(answers)

        monkeypatch.setattr(http, "_resolve", resolve)
        client = GuardedClient([f"swings.internal:{target.port}"])
        with pytest.raises(TargetRefused, match="never connects"):
            await client.request("GET", f"http://swings.internal:{target.port}/1", {}, redirects_max=3)

        assert len(target.received) == 1


@pytest.mark.parametrize(
    "location", ["http://169.254.169.254/", "https://127.0.0.1/", "file:///etc/passwd", "http://["]
)
async def test_a_redirect_inside_is_refused(location):
    async with open_target() as target:
        target.status, target.extra = "307 Temporary Redirect", f"location: {location}\r\n"
        with pytest.raises(TargetRefused):
            await GuardedClient([target.allowed]).request("GET", target.url, {}, redirects_max=3)


async def test_headers_do_not_follow_a_redirect_to_another_origin():
    async with open_target() as first, open_target() as other:
        first.status, first.extra = "302 Found", f"location: {other.url}\r\n"
        client = GuardedClient([first.allowed, other.allowed])
        answer = await client.request("GET", first.url, {"authorization": "Bearer secret"}, redirects_max=1)

        assert answer.status == 200
        assert first.received[0].headers["authorization"] == "Bearer secret"
        assert "authorization" not in other.received[0].headers


async def test_redirects_end(monkeypatch):
    async with open_target() as target:
        target.status, target.extra = "302 Found", f"location: {target.url}\r\n"
        with pytest.raises(TargetRefused, match="more than 3 times"):
            await GuardedClient([target.allowed]).request("GET", target.url, {}, redirects_max=3)

        assert len(target.received) == 4


async def test_what_changes_something_follows_no_redirect():
    async with open_target() as target:
        target.status, target.extra = "307 Temporary Redirect", f"location: {target.url}\r\n"
        answer = await GuardedClient([target.allowed]).request("POST", target.url, {}, b"{}", redirects_max=3)

        assert answer.status == 307
        assert len(target.received) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Host", "inside"),
        ("content-length", "0"),
        ("Transfer-Encoding", "chunked"),
        ("x-a", "b\r\nhost: inside"),
        ("x-a\r\nhost", "inside"),
        ("x-a", "b\x00"),
        ("x-a", "bä"),
        ("", "b"),
    ],
)
async def test_headers_that_would_change_the_request_itself_are_refused(sent, name, value):
    with pytest.raises(TargetRefused):
        await GuardedClient().request("GET", "https://example.com/", {name: value})


async def test_an_answer_is_read_up_to_its_limit_and_says_so():
    async with open_target() as target:
        target.body = b"x" * 5_000
        answer = await GuardedClient([target.allowed]).request("GET", target.url, {}, answer_bytes_max=1_000)

        assert (answer.body, answer.complete) == (b"x" * 1_000, False)
