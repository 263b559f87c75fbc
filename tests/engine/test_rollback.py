"""Going back: what is superseded, what is compensated in which order, what refuses."""

import pytest

from omium.clock import ManualClock
from omium.errors import (
    CompensationPending,
    EffectUnresolved,
    IllegalTransition,
    InvalidRequest,
    LeaseLostProblem,
    NotFound,
)
from omium.models.driver import CompensationEnded
from omium.models.replay import DecideEffect, PlanRollback, RollbackExecution
from omium.server.db.open import open_database
from omium.server.db.tx import Sql
from omium.server.engine.compensations import end_compensation, list_pending
from omium.server.engine.decisions import decide_effect
from omium.server.engine.failures import record_occurrence
from omium.server.engine.rollback import plan_rollback, roll_back
from omium.server.engine.verify import list_problems
from omium.server.store import checkpoints, failures
from omium.server.store.events import list_events
from omium.server.store.executions import lock_execution
from omium.states import EffectDecision, EventType, ExecutionStatus
from tests.engine.rows import RUNNING, make_rows


@pytest.fixture
async def rows(database_url):
    clock = ManualClock()
    db = await open_database(database_url, clock=clock)
    yield await make_rows(db, clock)
    await db.close()


async def failed(rows, row):
    return await rows.move(row, ExecutionStatus.FAILED, EventType.EXECUTION_FAILED)


async def plan(rows, row, **target):
    return await rows.db.read(lambda tx: plan_rollback(tx, rows.tenant_id, row.id, PlanRollback(**target)))


async def back(rows, row, **target):
    command = RollbackExecution(**{"reason": "wrong customer", **target})
    return await rows.write(lambda tx: roll_back(tx, rows.principal, row.id, command))


async def test_records_after_the_event_are_superseded_and_a_generation_begins(rows):
    row = await rows.start()
    seq = await rows.step(row, "read")
    await rows.step(row, "think")
    await rows.step(row, "write", status="failed")
    await failed(rows, row)

    now, done = await back(rows, row, to_seq=seq)

    assert (now.status, now.reason, now.generation) == ("paused", "rollback", 2)
    assert done.superseded_steps == ["think", "write"]
    assert await rows.live_paths(row) == ["read"]


async def test_the_plan_says_what_the_rollback_then_does_and_changes_nothing(rows):
    row = await rows.start()
    await rows.step(row, "read")
    await rows.effect(row, "pay", compensate="refund")
    await rows.effect(row, "mail")
    await failed(rows, row)
    before = await rows.get(row.id)

    planned = await plan(rows, row, to_step="pay")

    assert planned.superseded_steps == ["pay", "mail"]
    assert (planned.compensations, planned.uncompensated) == (["pay"], ["mail"])
    assert await rows.get(row.id) == before
    _, done = await back(rows, row, to_step="pay")
    assert done == planned


async def test_going_back_before_a_step_takes_what_is_inside_it_along(rows):
    row = await rows.start()
    await rows.step(row, "read")
    await rows.step(row, "write/draft")
    await rows.step(row, "write/check")
    await rows.step(row, "write")
    await rows.step(row, "writer")
    await failed(rows, row)

    _, done = await back(rows, row, to_step="write")

    assert done.superseded_steps == ["write/draft", "write/check", "write", "writer"]


async def test_going_back_before_a_failed_step_keeps_everything_else(rows):
    row = await rows.start()
    await rows.step(row, "read")
    await rows.step(row, "write", status="failed")
    await failed(rows, row)

    _, done = await back(rows, row, to_step="write")

    assert done.superseded_steps == ["write"]
    assert await rows.live_paths(row) == ["read"]


@pytest.mark.parametrize("by", ["id", "name"])
async def test_going_back_to_a_checkpoint_keeps_the_newest_before_it(rows, by):
    row = await rows.start()
    await rows.checkpoint(row, "draft")
    wanted = await rows.checkpoint(row, "review")
    await rows.step(row, "write")
    await rows.checkpoint(row, "draft")
    await failed(rows, row)

    await back(rows, row, to_checkpoint=wanted if by == "id" else "review")

    saved = await rows.db.read(lambda tx: checkpoints.list_newest(tx, row.id))
    assert [each.name for each in saved] == ["draft", "review"]
    assert await rows.live_paths(row) == []


@pytest.mark.parametrize(
    "target",
    [
        {},
        {"to_seq": 1, "to_step": "read"},
        {"to_seq": 99},
        {"to_step": "nothing"},
        {"to_checkpoint": "nothing"},
    ],
)
async def test_a_target_that_is_not_there_is_refused(rows, target):
    row = await rows.start()
    await rows.step(row, "read")
    await failed(rows, row)
    with pytest.raises(InvalidRequest):
        await back(rows, row, **target)


@pytest.mark.parametrize("status", ["running", "completed", "cancelled"])
async def test_only_what_is_failed_paused_or_waiting_goes_back(rows, status):
    row = await rows.start()
    if status != "running":
        await rows.move(row, ExecutionStatus(status), EventType("execution." + status))
    with pytest.raises(IllegalTransition):
        await back(rows, row, to_seq=1)


@pytest.mark.parametrize("status", ["paused", "waiting"])
async def test_paused_and_waiting_executions_go_back_too(rows, status):
    row = await rows.start()
    seq = await rows.step(row, "read")
    event = {"paused": EventType.EXECUTION_PAUSED, "waiting": EventType.EXECUTION_WAITED}[status]
    await rows.move(row, ExecutionStatus(status), event, reason="operator", wake_us=5)

    now, _ = await back(rows, row, to_seq=seq)
    assert (now.status, now.reason, now.generation) == ("paused", "rollback", 2)


async def test_a_strangers_execution_is_not_found(rows):
    row = await rows.start()
    with pytest.raises(NotFound):
        await rows.db.read(lambda tx: plan_rollback(tx, "tn_other", row.id, PlanRollback(to_seq=1)))


@pytest.mark.parametrize("state", ["unknown", "intended"])
async def test_an_undecided_effect_after_the_event_refuses_but_not_before_it(rows, state):
    row = await rows.start()
    await rows.effect(row, "early", state=state)
    seq = await rows.step(row, "read")
    await failed(rows, row)
    await back(rows, row, to_seq=seq)

    await rows.effect(row, "late", state=state)
    with pytest.raises(EffectUnresolved) as refused:
        await back(rows, row, to_seq=seq)
    assert [effect["key"] for effect in refused.value.members["effects"]] == ["late"]


async def test_effects_are_compensated_in_strictly_descending_order_with_children_in_place(rows):
    row = await rows.start()
    await rows.effect(row, "book", compensate="unbook")
    child = await rows.child(row, "part")
    await rows.effect(child, "first", compensate="undo")
    await rows.effect(child, "second", compensate="undo")
    await rows.move(child, ExecutionStatus.COMPLETED, EventType.EXECUTION_COMPLETED)
    await rows.step(row, "part", kind="child")
    await rows.effect(row, "pay", compensate="refund")
    await failed(rows, row)

    now, done = await back(rows, row, to_seq=1)

    assert done.compensations == ["pay", "part/second", "part/first", "book"]
    pending = await rows.db.read(lambda tx: list_pending(tx, now))
    assert [each.path for each in pending] == ["~pay", "~part/second", "~part/first", "~book"]
    assert [each.compensate for each in pending] == ["refund", "undo", "undo", "unbook"]


async def test_children_that_have_not_ended_are_cancelled_and_a_running_one_refuses(rows):
    row = await rows.start()
    child = await rows.child(row, "part")
    grandchild = await rows.child(child, "piece")
    await failed(rows, row)
    with pytest.raises(IllegalTransition):
        await back(rows, row, to_seq=1)

    for each in (child, grandchild):
        await rows.move(each, ExecutionStatus.PAUSED, EventType.EXECUTION_PAUSED, reason="operator")
    _, done = await back(rows, row, to_seq=1)

    assert done.cancelled_children == [child.id]
    assert [(await rows.get(each.id)).status for each in (child, grandchild)] == ["cancelled"] * 2


async def test_a_running_grandchild_refuses_and_nothing_has_happened(rows):
    row = await rows.start()
    child = await rows.child(row, "part")
    await rows.child(child, "piece")
    await rows.move(child, ExecutionStatus.PAUSED, EventType.EXECUTION_PAUSED, reason="operator")
    await failed(rows, row)
    with pytest.raises(IllegalTransition):
        await back(rows, row, to_seq=1)

    assert (await rows.get(row.id)).status == "failed"
    assert (await rows.get(child.id)).status == "paused"


async def test_a_second_rollback_holds_again_what_the_first_had_not_compensated(rows):
    row = await rows.start()
    await rows.effect(row, "book", compensate="unbook")
    seq = await rows.step(row, "read")
    await rows.effect(row, "pay", compensate="refund")
    await failed(rows, row)
    await back(rows, row, to_seq=seq)

    now, done = await back(rows, row, to_seq=1)
    assert done.compensations == ["pay", "book"]

    later = now.last_seq
    now, done = await back(rows, row, to_seq=later)
    assert done.compensations == ["pay", "book"]
    assert [each.path for each in await rows.db.read(lambda tx: list_pending(tx, now))] == ["~pay", "~book"]


COMPENSATED = Sql("SELECT effect_key FROM effects WHERE compensated = 1")


async def test_what_was_compensated_is_not_compensated_again(rows):
    row = await rows.start()
    await rows.effect(row, "pay", compensate="refund")
    await failed(rows, row)
    await back(rows, row, to_seq=1)
    await rows.move(row, ExecutionStatus.RUNNING, EventType.EXECUTION_RESUMED, **RUNNING)

    def end(tx):
        locked = lock_execution(tx, rows.tenant_id, row.id)
        return end_compensation(tx, locked, CompensationEnded(position=0))

    assert (await rows.write(end)).reason == "rollback"
    assert len(await rows.db.read(lambda tx: tx.all(COMPENSATED, str))) == 1
    _, done = await back(rows, row, to_seq=1)
    assert (done.compensations, done.uncompensated) == ([], [])


async def test_the_inbox_says_rolled_back_for_what_came_after(rows):
    row = await rows.start()

    def fail(tx):
        locked = lock_execution(tx, rows.tenant_id, row.id)
        return record_occurrence(
            tx, locked, kind="error", path="write", seq=locked.last_seq, error={"type": "E"}
        )

    await rows.step(row, "read")
    await rows.write(fail)
    await failed(rows, row)
    await back(rows, row, to_seq=1)

    (occurrence,) = await rows.db.read(lambda tx: failures.list_of_execution(tx, row.id))
    assert (occurrence.status, occurrence.disposed_reason) == ("rolled_back", "wrong customer")


async def test_the_log_tells_it(rows):
    row = await rows.start()
    await rows.effect(row, "pay", compensate="refund")
    await failed(rows, row)
    await back(rows, row, to_seq=1)

    events = await rows.db.read(lambda tx: list_events(tx, rows.tenant_id, row.id, 0, 100))
    assert [event.type for event in events[-2:]] == ["execution.rolled_back", "compensation.planned"]
    assert b'"to_seq":1' in events[-2].data
    assert [event.seq for event in events] == list(range(1, len(events) + 1))


async def test_a_worker_that_claims_a_rolled_back_execution_is_given_its_compensations_only(engine):
    run = await engine.worker_run("report")
    await run.step("search")
    await run.effect("book", output="b-1", compensate="unbook")
    await run.effect("pay", output="p-1", compensate="refund")
    await run.fail("write")
    command = RollbackExecution(to_step="book", reason="no")
    await engine.write(lambda tx: roll_back(tx, engine.who, run.id, command))
    with pytest.raises(CompensationPending):
        await engine.requeue(run.id)

    undo = await engine.claim("report")
    assert [(task.path, task.compensate, task.output) for task in undo.grant.compensations] == [
        ("~pay", "refund", "p-1"),
        ("~book", "unbook", "b-1"),
    ]
    await undo.write(type="compensation.ended", position=0)
    for _ in range(2):  # the answer to the first was lost
        await undo.write(type="compensation.ended", position=1)
    assert (await engine.row(run.id)).reason == "rollback"
    with pytest.raises(LeaseLostProblem):
        await undo.step("search")


async def test_a_worker_undoes_what_a_script_has_done_and_each_is_a_step(engine):
    run = await engine.start("report")
    await run.step("search")
    await run.effect("book", output="b-1", compensate="unbook")
    await run.effect("pay", output="p-1", compensate="refund")
    await run.fail("write")
    command = RollbackExecution(to_step="book", reason="no")
    await engine.write(lambda tx: roll_back(tx, engine.who, run.id, command))

    undo = await engine.claim("report", worker="w1")
    error = {"type": "ValueError", "message": "no connection"}
    await undo.write(type="compensation.ended", position=0, error=error)
    assert (await engine.steps(run.id))["~pay"].status == "failed"
    undo = await engine.claim("report", execution_id=run.id)
    await undo.write(type="compensation.ended", position=0, attempt=2, output="x" * 100_000)
    await undo.write(type="compensation.ended", position=1, output=None)

    row = await engine.row(run.id)
    assert (row.status, row.reason, row.driver) == ("paused", "rollback", "local")
    recorded = {
        path: (each.kind, each.status, each.attempt) for path, each in (await engine.steps(run.id)).items()
    }
    assert recorded == {
        "search": ("step", "completed", 1),
        "~book": ("compensation", "completed", 1),
        "~pay": ("compensation", "completed", 2),
    }
    assert await list_problems(engine.db) == []
    again = await engine.resume(run.id)
    assert [record.path for record in again.grant.records] == ["search"]
    await again.effect("pay", compensate="refund", attempt=2)
    await again.fail()
    await engine.write(lambda tx: roll_back(tx, engine.who, run.id, RollbackExecution(to_step="pay")))
    undo = await engine.claim("report")
    await undo.write(type="compensation.ended", position=0, output=None)
    assert (await engine.steps(run.id))["~pay"].generation == 3
    assert await list_problems(engine.db) == []


async def test_after_the_compensations_the_effects_happen_again_under_new_keys(engine):
    run = await engine.worker_run("report")
    key = await run.effect("pay", compensate="refund")
    kept = await run.effect("mail")
    await run.fail("write")
    command = RollbackExecution(to_step="pay", reason="no")
    await engine.write(lambda tx: roll_back(tx, engine.who, run.id, command))
    await (await engine.claim("report")).write(type="compensation.ended", position=0)
    await engine.requeue(run.id)
    again = await engine.claim("report")

    assert again.grant.records == []
    paid = await again.intend("pay")
    assert paid.may_call
    assert paid.effect_key != key
    mailed = await again.intend("mail")
    assert (mailed.may_call, mailed.effect_key, mailed.output) == (False, kept, "sent")


async def test_a_failed_compensation_is_tried_again_by_a_worker_that_asks_for_it(engine):
    run = await engine.worker_run("report")
    await run.effect("pay", compensate="refund")
    await run.fail("write")
    command = RollbackExecution(to_step="pay", reason="no")
    await engine.write(lambda tx: roll_back(tx, engine.who, run.id, command))
    undo = await engine.claim("report")
    await undo.write(type="compensation.ended", position=0, error={"type": "E", "message": "no"})
    assert (await engine.row(run.id)).reason == "rollback-failed"
    assert (await engine.ask("report")).grants == []

    undo = await engine.claim("report", execution_id=run.id)
    await undo.write(type="compensation.ended", position=0, attempt=2)
    assert (await engine.row(run.id)).reason == "rollback"
    assert [kind for kind, _, status in await engine.inbox(run.id) if status == "open"] == []


async def confirm(engine, execution_id, key):
    command = DecideEffect(decision=EffectDecision.CONFIRM)
    packed = engine.parts.vault.pack(engine.who.tenant_id, "by hand")
    await engine.write(lambda tx: decide_effect(tx, engine.who, execution_id, key, command, packed))


@pytest.mark.parametrize("compensate", ["refund", None])
@pytest.mark.parametrize("resumed", [True, False])
async def test_an_effect_that_a_person_confirmed_is_undone_with_its_step(engine, compensate, resumed):
    run = await engine.start()
    await run.step("read")
    key = (await run.intend("pay", compensate=compensate)).effect_key
    await run.end_effect("pay", key, "unknown")
    await run.suspend("effect")
    await confirm(engine, run.id, key)
    if resumed:
        run = await engine.resume(run.id)
        assert not (await run.intend("pay", attempt=2, compensate=compensate)).may_call
        await run.fail()

    command = PlanRollback(to_step="pay")
    planned = await engine.read(lambda tx: plan_rollback(tx, engine.who.tenant_id, run.id, command))

    listed = ["pay"], []
    assert (planned.compensations, planned.uncompensated) == (listed if compensate else listed[::-1])
    assert planned.superseded_steps == (["pay"] if resumed else [])
