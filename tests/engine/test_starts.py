"""Starts: the same start twice is one; children are found again; foreign ids show nothing."""

import pytest

from omium.errors import (
    ExecutionExists,
    IdempotencyMismatch,
    IllegalTransition,
    InvalidRequest,
    NotFound,
    ParentFinal,
    SecretNotRepeatable,
)
from omium.ids import child_execution_id, derived_id, new_id
from omium.server.engine.start import start
from tests.engine.harness import Run, digest_of


async def test_the_same_start_again_is_the_same_grant(engine):
    id_ = new_id("ex", engine.clock.now_us())
    first = await engine.start(id=id_)
    engine.clock.advance(5)
    again = await engine.start(id=id_)
    assert (again.grant.epoch, again.grant.lease_token) == (1, first.grant.lease_token)
    await first.step("search")
    await again.step("write")
    assert await engine.event_types(id_) == ["execution.started", "step.completed", "step.completed"]


async def test_a_start_with_the_same_id_and_other_content_is_refused(engine):
    run = await engine.start()
    with pytest.raises(ExecutionExists):
        await engine.start(id=run.id, input="another")
    with pytest.raises(ExecutionExists):
        await engine.start(id=run.id, lease_token="x" * 32)
    with pytest.raises(ExecutionExists):
        await engine.start(id=run.id, who=engine.stranger)


async def test_a_start_under_an_idempotency_key_is_one_execution(engine):
    command = engine.command("report", "worker", id=None, lease_token=None, process=None)
    first = await start(engine.parts, engine.who, command, "key-1")
    again = await start(engine.parts, engine.who, command, "key-1")
    other = await start(engine.parts, engine.stranger, command, "key-1")
    assert first.id == again.id != other.id
    with pytest.raises(IdempotencyMismatch):
        changed = command.model_copy(update={"input": 1, "input_digest": digest_of(1)})
        await start(engine.parts, engine.who, changed, "key-1")
    with pytest.raises(InvalidRequest):
        await start(engine.parts, engine.who, command)


async def test_a_token_that_the_server_made_is_shown_once(engine):
    command = engine.command("report", "local", lease_token=None)
    await start(engine.parts, engine.who, command)
    with pytest.raises(SecretNotRepeatable):
        await start(engine.parts, engine.who, command)


@pytest.mark.parametrize(
    "wrong",
    [
        {"takeover": "auto", "durability": "relaxed"},
        {"lease_token": "short"},
        {"id": "my-run"},
        {"parent_id": "ex_1"},
        {"driver": "engine"},
        {"driver": "worker", "durability": "relaxed"},
    ],
)
async def test_what_cannot_be_meant_is_refused(engine, wrong):
    command = engine.command("report", **({"driver": "local"} | wrong))
    with pytest.raises(InvalidRequest):
        await start(engine.parts, engine.who, command)


async def test_a_child_has_an_id_that_follows_from_its_parent_and_step(engine):
    parent = await engine.start()
    child = await engine.queue("child", parent_id=parent.id, parent_path="call", id=None)
    again = await engine.queue("child", parent_id=parent.id, parent_path="call", id=None)
    assert child == again == child_execution_id(parent.id, "call") == derived_id("ex", parent.id, "call")
    assert (await engine.event_types(parent.id)) == ["execution.started", "child.started"]
    assert (await engine.row(child)).lineage_root == child


async def test_a_parent_that_has_ended_starts_no_child(engine):
    parent = await engine.start()
    child = await engine.start("child", parent_id=parent.id, parent_path="call", id=None)
    await child.fail()
    await parent.complete()
    with pytest.raises(ParentFinal):
        await engine.queue("child", parent_id=parent.id, parent_path="other", id=None)
    with pytest.raises(ParentFinal):
        await engine.resume(child.id)


async def test_a_parent_that_is_being_cancelled_starts_no_child(engine):
    parent = await engine.start()
    await engine.cancel(parent.id)
    with pytest.raises(IllegalTransition):
        await engine.queue("child", parent_id=parent.id, parent_path="call", id=None)


async def test_a_foreign_parent_is_not_found(engine):
    parent = await engine.start(who=engine.stranger)
    with pytest.raises(NotFound):
        await engine.queue("child", parent_id=parent.id, parent_path="call", id=None)
    with pytest.raises(NotFound):
        await engine.resume(parent.id)
    with pytest.raises(NotFound):
        await engine.cancel(parent.id)


async def test_a_start_that_was_made_offline_carries_its_own_lease(engine):
    started_us = engine.clock.now_us() - 5_000_000
    run = await engine.start(durability="relaxed", started_at_us=started_us)
    assert (await engine.row(run.id)).started_us == started_us
    assert isinstance(run, Run)
