"""Facts become messages: once, and few of them."""

import pytest

from omium.server.alerts.facts import note_fact
from omium.server.alerts.gather import GATHER_S, ITEMS_MAX, gather_facts
from omium.server.db.tx import Sql
from omium.states import AlertKind

FACTS = Sql("SELECT COUNT(*) FROM alert_facts")


async def test_a_thousand_failures_make_one_message(each_alerting):
    await each_alerting.add()
    tenant_id = each_alerting.client.key.tenant_id

    def fail_often(tx):
        for number in range(1_000):
            note_fact(tx, AlertKind.FAILURE_OPENED, tenant_id, subject=f"fl_{number}", text="It fails.")

    await each_alerting.client.server.db.write(fail_often)
    while await each_alerting.gather():
        pass
    each_alerting.client.clock.advance(seconds=GATHER_S)
    await each_alerting.deliver()

    [message] = await each_alerting.deliveries()
    assert (message["facts"], message["status"], len(message["items"])) == (1_000, "sent", ITEMS_MAX)
    assert len(each_alerting.target.received) == 1


async def test_what_comes_in_the_quiet_time_is_told_at_its_end(each_alerting):
    await each_alerting.add(quiet_s=600)
    await each_alerting.note()
    assert await each_alerting.pass_on() == 1
    for _ in range(3):
        await each_alerting.note()
        assert await each_alerting.pass_on() == 0

    each_alerting.client.clock.advance(seconds=600)
    await each_alerting.deliver()

    assert [message["facts"] for message in await each_alerting.deliveries()] == [3, 1]


async def test_other_kinds_have_quiet_times_of_their_own(alerting):
    await alerting.add()
    await alerting.note()
    await alerting.note(AlertKind.BREAKER_OPENED)

    assert await alerting.pass_on() == 2


@pytest.mark.parametrize(
    ("rule", "fact", "told"),
    [
        ({"kinds": ["failure.opened"]}, {}, True),
        ({"kinds": ["credits.low"]}, {}, False),
        ({"workflow": "report"}, {"workflow": "report"}, True),
        ({"workflow": "report"}, {"workflow": "other"}, False),
        ({"workflow": "report"}, {}, False),
        ({"environment": "prod"}, {"environment": "prod"}, True),
        ({"environment": "prod"}, {"environment": "dev"}, False),
        ({"environment": "prod"}, {}, True),
    ],
)
async def test_a_rule_is_told_what_it_asks_for(alerting, rule, fact, told):
    await alerting.add(**rule)
    await alerting.note(**fact)

    assert await alerting.pass_on() == int(told)


async def test_without_a_rule_no_fact_is_kept(each_alerting):
    await each_alerting.note()

    assert await each_alerting.client.server.db.read(lambda tx: tx.value(FACTS)) == 0


async def test_another_tenants_facts_are_not_told(each_alerting):
    await each_alerting.add()
    stranger = await each_alerting.client.new_tenant("stranger")
    rule = {"name": "theirs", "channel": "webhook", "destination": each_alerting.target.url}
    await stranger.post_keyed("/v1/alerts/rules", rule | {"kinds": ["credits.low"]})
    await each_alerting.note(tenant_id=stranger.key.tenant_id)

    assert await each_alerting.pass_on() == 0


async def test_a_fact_that_is_told_once_is_not_told_again(each_alerting):
    await each_alerting.add(quiet_s=0)
    for _ in range(2):
        await each_alerting.note(once="soft cap of ak_1 in November")
        await each_alerting.pass_on()

    assert [message["facts"] for message in await each_alerting.deliveries()] == [1]


async def test_a_gathering_that_dies_is_done_again_and_counts_once(each_alerting):
    await each_alerting.add()
    await each_alerting.note()

    def dies(tx):
        gather_facts(tx)
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        await each_alerting.client.server.db.write(dies)
    await each_alerting.pass_on()

    assert [message["facts"] for message in await each_alerting.deliveries()] == [1]
