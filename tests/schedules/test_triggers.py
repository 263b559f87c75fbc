"""Triggers: only whoever knows the secret starts something, each message and each end once, and no loop."""

import base64
import datetime as dt
import json
from dataclasses import replace

import pytest

from omium.errors import (
    InvalidRequest,
    NotFound,
    ScopeMissing,
    SignatureRefused,
    StorageError,
    WorkflowNotAllowed,
)
from omium.models.schedules import CreateTrigger
from omium.server.db.tx import Sql
from omium.server.outbound.signing import PREFIX, make_secret, sign
from omium.server.schedules import incoming, triggers
from omium.server.schedules.following import Following
from omium.server.store import fires
from omium.server.store import triggers as store
from omium.states import Environment

BODY = json.dumps({"order": {"id": 7, "lines": [{"sku": "a"}]}}).encode()


async def make(engine, key_file, name="t", workflow="order", kind="webhook", **fields):
    command = CreateTrigger(name=name, workflow=workflow, kind=kind, **fields)
    return await engine.write(
        lambda tx: triggers.create_trigger(tx, engine.parts, key_file, engine.who, command)
    )


async def send(engine, key_file, trigger, headers, body=BODY):
    return await engine.write(
        lambda tx: incoming.receive(tx, engine.parts, key_file, trigger.id, headers, body)
    )


def signed(engine, secret, message_id="msg_1", body=BODY, late_s=0):
    return sign([secret], message_id, engine.clock.now_us() // 1_000_000 - late_s, body)


async def follow(engine):
    following = Following(engine.parts)
    while await engine.write(following.sweep):
        pass


async def told(engine, trigger):
    rows = await engine.read(lambda tx: fires.list_fires(tx, trigger.id, (2**62, ""), 100))
    return [(row.outcome, row.code) for row in rows]


async def test_a_signed_message_starts_the_workflow_once_with_what_is_mapped(engine, key_file):
    inputs = {"id": {"$from": "body.order.id"}, "sku": {"$from": "body.order.lines.0.sku"}, "fixed": [1]}
    trigger = await make(engine, key_file, inputs=inputs)

    first = await send(engine, key_file, trigger, signed(engine, trigger.signing_secret))
    again = await send(engine, key_file, trigger, signed(engine, trigger.signing_secret, body=b"{}"), b"{}")

    run = await engine.claim("order")
    assert first.execution_id == again.execution_id == run.id
    assert run.grant.input == {"id": 7, "sku": "a", "fixed": [1]}
    assert (await engine.row(run.id)).started_by == "ak_test"
    assert await told(engine, trigger) == [("started", None)]


async def test_the_standards_own_library_signs_what_is_taken(engine, key_file):
    webhooks = pytest.importorskip("standardwebhooks")

    trigger = await make(engine, key_file)
    at = dt.datetime.fromtimestamp(engine.clock.now_us() // 1_000_000, dt.UTC)
    signature = webhooks.Webhook(trigger.signing_secret).sign("msg_9", at, BODY.decode())
    headers = {"webhook-id": "msg_9", "webhook-timestamp": str(int(at.timestamp()))}

    fire = await send(engine, key_file, trigger, headers | {"webhook-signature": signature})

    assert fire.outcome == "started"


async def test_what_is_not_proven_starts_nothing_and_leaves_nothing(engine, key_file):
    trigger = await make(engine, key_file)
    good = signed(engine, trigger.signing_secret)
    wrong = PREFIX + base64.b64encode(b"x" * 32).decode()
    spoiled = [
        {},
        good | {"webhook-id": "msg_2"},
        good | {"webhook-id": ""},
        good | {"webhook-timestamp": "soon"},
        good | {"webhook-timestamp": "9" * 30},
        good | {"webhook-signature": "v1,"},
        good | {"webhook-signature": "v2,ä"},
        signed(engine, wrong),
        signed(engine, make_secret()),
        signed(engine, trigger.signing_secret, late_s=301),
        signed(engine, trigger.signing_secret, late_s=-301),
        signed(engine, trigger.signing_secret, body=b"{}"),
    ]
    for headers in spoiled:
        with pytest.raises(SignatureRefused):
            await send(engine, key_file, trigger, headers)
        with pytest.raises(SignatureRefused):  # before it is a writer's turn
            await engine.read(lambda tx, h=headers: incoming.verify(tx, key_file, trigger.id, h, BODY))
    with pytest.raises(SignatureRefused):
        await engine.write(lambda tx: incoming.receive(tx, engine.parts, key_file, "tr_nobody", good, BODY))
    assert await told(engine, trigger) == []
    assert (await send(engine, key_file, trigger, good)).outcome == "started"


async def test_a_rotated_secret_ends_after_a_day(engine, key_file):
    trigger = await make(engine, key_file)
    rotated = await engine.write(lambda tx: triggers.rotate_trigger(tx, key_file, engine.who, trigger.id))
    for number, secret in enumerate((trigger.signing_secret, rotated.signing_secret)):
        await send(engine, key_file, trigger, signed(engine, secret, f"m{number}"))
    engine.clock.advance(seconds=24 * 3600 + 1)
    with pytest.raises(SignatureRefused):
        await send(engine, key_file, trigger, signed(engine, trigger.signing_secret, "m3"))
    await send(engine, key_file, trigger, signed(engine, rotated.signing_secret, "m3"))
    assert len(await told(engine, trigger)) == 3


async def test_a_message_that_the_mapping_does_not_fit_is_told_and_starts_nothing(engine, key_file):
    trigger = await make(engine, key_file, inputs={"id": {"$from": "body.customer.id"}})
    fire = await send(engine, key_file, trigger, signed(engine, trigger.signing_secret))
    assert (fire.outcome, fire.code, fire.execution_id) == ("refused", "mapping-unfit", None)
    assert "body.customer.id" in fire.detail
    with pytest.raises(InvalidRequest, match="not JSON"):
        bad = signed(engine, trigger.signing_secret, "m2", b"{")
        await send(engine, key_file, trigger, bad, b"{")


async def test_a_workflow_starts_after_another_one_has_ended_once_for_each_end(engine, key_file):
    await engine.start("report")  # runs on
    done = await make(
        engine,
        key_file,
        "done",
        "tell",
        "after",
        after_workflow="report",
        inputs={"text": {"$from": "execution.output"}, "of": {"$from": "execution.id"}},
    )
    failed = await make(
        engine, key_file, "failed", "alarm", "after", after_workflow="report", outcome="failed"
    )
    run = await engine.start("report")
    await run.complete("ready")
    broken = await engine.start("report")
    await broken.fail("write")
    for _ in range(3):
        await follow(engine)
        engine.clock.advance(seconds=20)

    told_of = await engine.claim("tell")
    assert told_of.grant.input == {"text": "ready", "of": run.id}
    alarm = await engine.claim("alarm")
    assert alarm.grant.input["execution"]["id"] == broken.id
    again = await engine.resume(broken.id)
    await again.complete("late")
    await follow(engine)

    assert await told(engine, done) == [("started", None)] * 2
    assert await told(engine, failed) == [("started", None)]


async def end_with_a_payload(engine):
    run = await engine.start("report")
    await run.complete("x" * 100_000)


async def test_an_output_that_retention_has_removed_is_told_and_the_next_end_is_followed(engine, key_file):
    trigger = await make(engine, key_file, "done", "tell", "after", after_workflow="report")
    await end_with_a_payload(engine)
    await engine.write(lambda tx: tx.execute(Sql("DELETE FROM payloads")))
    run = await engine.start("report")
    await run.complete()
    await follow(engine)

    assert sorted(await told(engine, trigger), key=str) == [("refused", "checkpoint-gone"), ("started", None)]


async def test_what_one_trigger_cannot_read_keeps_no_other_waiting(engine, key_file):
    await make(engine, key_file, "broken", "tell", "after", after_workflow="report")
    engine.clock.advance(seconds=1)  # the next one has an id behind this one's
    other = await make(engine, key_file, "other", "tell", "after", after_workflow="sound")
    await end_with_a_payload(engine)
    await engine.write(lambda tx: tx.execute(Sql("UPDATE payloads SET body = :body"), body=b"?"))
    run = await engine.start("sound")
    await run.complete()

    following = Following(engine.parts)
    with pytest.raises(StorageError):
        await engine.write(following.sweep)
    await engine.write(following.sweep)
    assert await told(engine, other) == [("started", None)]


async def test_an_end_that_is_told_late_is_followed_and_a_clock_that_steps_loses_none(engine, key_file):
    trigger = await make(engine, key_file, "done", "tell", "after", after_workflow="report")
    engine.clock.advance(seconds=7200)
    await follow(engine)
    engine.clock.advance(seconds=-3600)
    run = await engine.start("report")
    await run.complete()
    await follow(engine)
    assert await told(engine, trigger) == [("started", None)]


async def test_workflows_that_would_start_each_other_without_end_are_refused(engine, key_file):
    await make(engine, key_file, "ab", "b", "after", after_workflow="a")
    await make(engine, key_file, "bc", "c", "after", after_workflow="b")
    for starts, after in (("a", "a"), ("a", "c"), ("a", "b")):
        with pytest.raises(InvalidRequest, match="itself again"):
            await make(engine, key_file, "loop", starts, "after", after_workflow=after)
    await make(engine, key_file, "cd", "d", "after", after_workflow="c", outcome="any")


async def test_what_a_trigger_lacks_is_told_and_strangers_see_nothing(engine, key_file):
    with pytest.raises(InvalidRequest, match="belongs to the kind after"):
        await make(engine, key_file, kind="after")
    with pytest.raises(InvalidRequest, match="may read"):
        await make(engine, key_file, inputs={"x": {"$from": "headers.cookie"}})
    trigger = await make(engine, key_file)
    row = await engine.read(lambda tx: store.find_trigger(tx, trigger.id))
    assert trigger.signing_secret.encode() not in row.sealed
    with pytest.raises(NotFound):
        await engine.write(lambda tx: triggers.delete_trigger(tx, engine.stranger, trigger.id))
    await engine.write(lambda tx: triggers.delete_trigger(tx, engine.who, trigger.id))
    with pytest.raises(SignatureRefused):
        await send(engine, key_file, trigger, signed(engine, trigger.signing_secret))


async def test_a_mapping_that_names_an_item_by_no_digit_of_ours_does_not_fit(engine, key_file):
    trigger = await make(engine, key_file, inputs={"sku": {"$from": "body.order.lines.²"}})
    fire = await send(engine, key_file, trigger, signed(engine, trigger.signing_secret))
    assert (fire.outcome, fire.code) == ("refused", "mapping-unfit")


async def test_only_who_may_start_the_workflow_there_changes_a_trigger_and_gets_its_secret(engine, key_file):
    trigger = await make(engine, key_file)
    listed = replace(engine.who, workflows=frozenset({"another"}))
    elsewhere = replace(engine.who, environment=Environment.PROD)
    for change in (
        lambda tx: triggers.rotate_trigger(tx, key_file, listed, trigger.id),
        lambda tx: triggers.delete_trigger(tx, listed, trigger.id),
    ):
        with pytest.raises(WorkflowNotAllowed):
            await engine.write(change)
    with pytest.raises(ScopeMissing, match="environment"):
        await engine.write(lambda tx: triggers.rotate_trigger(tx, key_file, elsewhere, trigger.id))
    assert (await send(engine, key_file, trigger, signed(engine, trigger.signing_secret))).execution_id


async def test_a_mapping_that_makes_too_much_of_a_message_is_told_and_starts_nothing(engine, key_file):
    trigger = await make(engine, key_file, inputs=[{"$from": "body"}] * 3_000)
    body = json.dumps("x" * 200_000).encode()  # 600 MB, were they written
    fire = await send(engine, key_file, trigger, signed(engine, trigger.signing_secret, body=body), body)
    assert (fire.outcome, fire.code) == ("refused", "mapping-unfit")
