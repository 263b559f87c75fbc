"""Messages arrive: at least once each, under one id, and nobody waits for a slow target."""

import asyncio
import datetime as dt
import json
from dataclasses import replace

import pytest
from standardwebhooks.webhooks import Webhook

from omium.errors import SealBroken, StorageBusy
from omium.server.alerts.deliver import ATTEMPTS_MAX, CLAIM_S, LONGEST_PAUSE_S, Deliverer
from omium.server.alerts.message import subject_of, text_of
from omium.server.outbound.signing import FORMER_SECRET_S
from omium.server.store import alerts as store
from omium.states import AlertKind
from tests.alerts.targets import open_target


async def test_a_webhook_gets_a_message_that_the_standards_library_would_sign_alike(alerting):
    rule = await alerting.add()
    await alerting.note()
    await alerting.pass_on()

    [received] = alerting.target.received
    assert received.head == "POST /hooks/private-path HTTP/1.1"
    at_s = int(received.headers["webhook-timestamp"])
    expected = Webhook(rule["signing_secret"]).sign(
        received.headers["webhook-id"], dt.datetime.fromtimestamp(at_s, tz=dt.UTC), received.body.decode()
    )
    assert received.headers["webhook-signature"] == expected
    told = json.loads(received.body)
    assert told["type"] == "failure.opened"
    assert told["data"]["count"] == 1
    assert told["data"]["items"][0]["subject"] == "fl_1"
    assert told["data"]["delivery_id"] == received.headers["webhook-id"]


async def test_a_new_secret_and_the_former_one_sign_for_a_day(alerting):
    first = await alerting.add(quiet_s=0)
    second = (await alerting.client.post_keyed(f"/v1/alerts/rules/{first['id']}/rotate")).json()
    assert second["signing_secret"] != first["signing_secret"]

    await alerting.note()
    await alerting.pass_on()
    alerting.client.clock.advance(seconds=FORMER_SECRET_S)
    await alerting.note()
    await alerting.pass_on()

    counts = [received.headers["webhook-signature"].count("v1,") for received in alerting.target.received]
    assert counts == [2, 1]


async def test_a_secret_is_shown_once(alerting):
    rule = {"name": "r", "channel": "webhook", "destination": alerting.target.url}
    first = await alerting.client.post_keyed("/v1/alerts/rules", rule, key="same")
    again = await alerting.client.post_keyed("/v1/alerts/rules", rule, key="same")
    listed = await alerting.client.get("/v1/alerts/rules")

    assert again.status_code == 409
    assert first.json()["signing_secret"] not in again.text + listed.text
    assert "private-path" not in listed.text  # part of an address may be a secret


@pytest.mark.parametrize("status", ["500 Oops", "301 Moved", "404 Gone Fishing"])
async def test_what_is_not_taken_is_sent_again_later(each_alerting, status):
    await each_alerting.add()
    await each_alerting.note()
    each_alerting.target.status = status
    each_alerting.target.extra = "location: http://127.0.0.1:1/elsewhere\r\n"
    await each_alerting.pass_on()
    [message] = await each_alerting.deliveries()
    assert (message["status"], message["attempts"]) == ("retrying", 1)
    assert status.split()[0] in message["error"]

    each_alerting.target.status = "204 Done"
    each_alerting.client.clock.advance(seconds=10)
    await each_alerting.deliver()

    [message] = await each_alerting.deliveries()
    assert (message["status"], message["attempts"]) == ("sent", 2)
    first, second = each_alerting.target.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body


async def test_a_message_is_given_up_after_many_attempts_and_can_be_sent_again(alerting):
    await alerting.add()
    await alerting.note()
    alerting.target.status = "503 No"
    await alerting.pass_on()
    for _ in range(ATTEMPTS_MAX):
        alerting.client.clock.advance(seconds=LONGEST_PAUSE_S)
        await alerting.deliver()
    [message] = await alerting.deliveries(status="dead")
    assert message["attempts"] == ATTEMPTS_MAX == len(alerting.target.received)

    alerting.target.status = "200 OK"
    reply = await alerting.client.post(f"/v1/alerts/deliveries/{message['id']}/retry")
    await alerting.deliver()

    assert reply.json()["status"] == "retrying"
    assert [each["status"] for each in await alerting.deliveries()] == ["sent"]


async def test_410_disables_the_rule(each_alerting):
    await each_alerting.add(quiet_s=0)
    await each_alerting.note()
    each_alerting.target.status = "410 Gone"
    await each_alerting.pass_on()

    [rule] = (await each_alerting.client.get("/v1/alerts/rules")).json()["items"]
    assert rule["status"] == "disabled"
    await each_alerting.note()
    assert await each_alerting.pass_on() == 0
    assert [each["status"] for each in await each_alerting.deliveries()] == ["dead"]


async def test_what_gathered_before_a_410_is_not_sent_any_more(each_alerting):
    await each_alerting.add()
    for kind in (AlertKind.FAILURE_OPENED, AlertKind.BREAKER_OPENED):
        await each_alerting.note(kind)
        await each_alerting.gather()
        each_alerting.client.clock.advance(seconds=1)
    each_alerting.target.status = "410 Gone"
    each_alerting.client.clock.advance(seconds=3.5)
    assert await each_alerting.deliver() == 1
    each_alerting.client.clock.advance(seconds=1)
    assert await each_alerting.deliver() == 1

    assert len(each_alerting.target.received) == 1
    messages = await each_alerting.deliveries()
    assert [each["status"] for each in messages] == ["dead", "dead"]
    assert messages[0]["error"] == messages[1]["error"]


async def test_killed_between_send_and_mark_it_is_sent_again_under_the_same_id(each_alerting):
    await each_alerting.add()
    await each_alerting.note()
    await each_alerting.gather()
    each_alerting.client.clock.advance(seconds=5)
    each_alerting.target.hold.clear()
    await each_alerting.deliverer.run_once()
    async with asyncio.timeout(60):
        await each_alerting.target.arrived.wait()
    await each_alerting.deliverer.stop()  # it has the message; nobody has noted that
    each_alerting.target.hold.set()

    assert await each_alerting.deliver() == 0  # the claim still holds
    each_alerting.client.clock.advance(seconds=CLAIM_S)
    assert await each_alerting.deliver() == 1

    first, second = each_alerting.target.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert [each["status"] for each in await each_alerting.deliveries()] == ["sent"]


async def test_a_late_note_of_a_claim_that_was_lost_changes_nothing(each_alerting):
    await each_alerting.add()
    await each_alerting.note()
    await each_alerting.gather()
    each_alerting.client.clock.advance(seconds=5)
    db = each_alerting.client.server.db
    [first] = await db.write(lambda tx: store.claim_due(tx, tx.now_us + 1, 10))
    each_alerting.client.clock.advance(seconds=1)
    [second] = await db.write(lambda tx: store.claim_due(tx, tx.now_us + 10**9, 10))
    assert await db.write(lambda tx: store.end_attempt(tx, first, "dead", "late", 0)) is False

    assert await db.write(lambda tx: store.end_attempt(tx, second, "sent", "", 0)) is True


@pytest.mark.parametrize("error", [StorageBusy("Busy."), RuntimeError("a mistake")])
async def test_a_round_that_fails_does_not_end_the_deliveries(alerting, error):
    class Failing:
        async def write(self, _work):
            raise error

    rounds, enough = [], asyncio.Event()

    async def sleep(seconds):
        rounds.append(seconds)
        if len(rounds) == 3:
            enough.set()
            await asyncio.Event().wait()

    deliverer = Deliverer(Failing(), alerting.client.server.channels, alerting.client.clock, sleep=sleep)
    deliverer.start()
    async with asyncio.timeout(60):
        await enough.wait()
    await deliverer.stop()
    assert len(rounds) == 3


async def test_two_servers_send_different_messages(each_alerting):
    await each_alerting.add()
    for kind in ("failure.opened", "breaker.opened", "credits.low"):
        await each_alerting.note(AlertKind(kind))
    await each_alerting.gather()
    each_alerting.client.clock.advance(seconds=5)
    db = each_alerting.client.server.db

    found = await asyncio.gather(
        *(db.write(lambda tx: store.claim_due(tx, tx.now_us + 10**8, 2)) for _ in range(2))
    )

    ids = [row.id for rows in found for row in rows]
    assert len(ids) == len(set(ids)) == 3


async def test_a_slow_target_holds_up_nobody_else(alerting):
    async with open_target() as slow:
        await alerting.add()
        alerting.client.server.channels._client._allowed |= {slow.allowed}
        await alerting.add(destination=slow.url)
        slow.hold.clear()
        await alerting.note()
        await alerting.gather()
        alerting.client.clock.advance(seconds=5)
        assert await alerting.deliverer.run_once() == 2
        async with asyncio.timeout(60):
            await alerting.target.arrived.wait()
            while len(alerting.deliverer._running) > 1:  # until only the slow one is left
                await asyncio.wait(alerting.deliverer._running, return_when=asyncio.FIRST_COMPLETED)
        assert [each["status"] for each in await alerting.deliveries(status="sent")] == ["sent"]

        slow.hold.set()
        await alerting.deliverer.settle()
    assert [each["status"] for each in await alerting.deliveries()] == ["sent", "sent"]


async def test_a_rule_that_was_removed_sends_nothing_more(each_alerting):
    rule = await each_alerting.add()
    await each_alerting.note()
    await each_alerting.gather()
    reply = await each_alerting.client.delete(f"/v1/alerts/rules/{rule['id']}")
    each_alerting.client.clock.advance(seconds=5)

    assert reply.status_code == 204
    assert await each_alerting.deliver() == 0


async def test_a_test_message_goes_out_at_once(alerting):
    rule = await alerting.add(kinds=["credits.low"])
    reply = await alerting.client.post_keyed(f"/v1/alerts/rules/{rule['id']}/test")
    await alerting.deliver()

    assert reply.json()["kind"] == "alert.tested"
    assert json.loads(alerting.target.received[0].body)["type"] == "alert.tested"


async def test_a_name_of_a_rule_cannot_break_the_line_that_an_e_mail_begins_with(alerting):
    rule = await alerting.add(name="on\r\nBcc: \x1b[2Jcall")
    await alerting.client.post_keyed(f"/v1/alerts/rules/{rule['id']}/test")
    tenant_id, db = alerting.client.key.tenant_id, alerting.client.server.db
    row = await db.read(lambda tx: store.find_rule(tx, tenant_id, rule["id"]))
    [message] = await db.write(lambda tx: store.claim_due(tx, tx.now_us + 1, 1))

    assert subject_of(row, message) == "[Omium] alert.tested: onBcc: [2Jcall"
    assert "\x1b" not in text_of(row, message)


async def test_a_sealed_address_does_not_open_in_another_tenants_row(alerting):
    rule = await alerting.add()
    row = await alerting.client.server.db.read(
        lambda tx: store.find_rule(tx, alerting.client.key.tenant_id, rule["id"])
    )
    with pytest.raises(SealBroken):
        alerting.client.server.channels.unseal(replace(row, tenant_id="tn_other"))
