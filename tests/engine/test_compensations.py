"""Compensations: in order, once, stopped by a failure, skipped only by a person."""

import pytest

from omium.clock import ManualClock
from omium.errors import IllegalTransition, StepConflict
from omium.models.driver import CompensationEnded
from omium.server.db.open import open_database
from omium.server.db.tx import Sql
from omium.server.engine.compensations import (
    end_compensation,
    has_pending,
    list_compensations,
    list_pending,
    skip_compensations,
)
from omium.server.store import failures
from omium.server.store.compensations import CompensationRow, insert_compensations
from omium.server.store.executions import lock_execution
from omium.states import EventType, ExecutionStatus
from tests.engine.rows import RUNNING, make_rows

EFFECT = Sql("""
    INSERT INTO effects (tenant_id, effect_key, lineage_root, execution_id, path, redo, mode, state,
    generation,
                         epoch, attempt, name, compensate, input, input_digest, output, intended_seq,
                         done_seq, intended_us, compensated)
    VALUES (:tenant_id, :key, :id, :id, :path, 0, 'once', 'done', 1, 1, 1, :path, 'undo', :input, '', :output,
    1,
            2, 0, 0)
""")
COMPENSATED = Sql("SELECT COUNT(*) FROM effects WHERE compensated = 1")
ERROR = {"type": "TimeoutError", "message": "no answer"}


@pytest.fixture
async def rows(database_url):
    clock = ManualClock()
    db = await open_database(database_url, clock=clock)
    yield await make_rows(db, clock)
    await db.close()


@pytest.fixture
async def execution(rows):
    """An execution that runs to undo two effects, the booking first."""
    row = await rows.start()

    def plan(tx):
        for path in ("book", "pay"):
            tx.execute(
                EFFECT,
                tenant_id=rows.tenant_id,
                key=f"key-{path}",
                id=row.id,
                path=path,
                input=b"1",
                output=b"2",
            )
        insert_compensations(
            tx,
            [
                CompensationRow(
                    row.id, 1, position, f"key-{path}", f"~{path}", "undo", "pending", 0, *[None] * 3
                )
                for position, path in enumerate(("book", "pay"))
            ],
        )

    await rows.write(plan)
    return row


async def end(rows, execution, position, *, attempt=1, error=None):
    write = CompensationEnded(position=position, attempt=attempt, error=error)
    return await rows.write(
        lambda tx: end_compensation(tx, lock_execution(tx, rows.tenant_id, execution.id), write)
    )


async def pending(rows, execution):
    row = await rows.get(execution.id)
    return [each.effect_path for each in await rows.db.read(lambda tx: list_pending(tx, row))]


async def test_the_list_ends_with_the_last_one_and_the_execution_is_paused(rows, execution):
    assert (await end(rows, execution, 0)).status == "running"
    assert await pending(rows, execution) == ["pay"]

    row = await end(rows, execution, 1)
    assert (row.status, row.reason, row.worker_id) == ("paused", "rollback", None)
    assert not await rows.db.read(lambda tx: has_pending(tx, row))
    assert await rows.db.read(lambda tx: tx.value(COMPENSATED)) == 2


async def test_the_same_end_again_changes_nothing(rows, execution):
    first = await end(rows, execution, 0)
    assert await end(rows, execution, 0) == first


async def test_an_older_effect_is_not_undone_before_a_newer_one(rows, execution):
    with pytest.raises(StepConflict):
        await end(rows, execution, 1)
    assert await pending(rows, execution) == ["book", "pay"]


async def test_a_failed_compensation_stops_the_list_and_shows_in_the_inbox(rows, execution):
    row = await end(rows, execution, 0, error=ERROR)

    assert (row.status, row.reason) == ("paused", "rollback-failed")
    assert await pending(rows, execution) == ["book", "pay"]
    (occurrence,) = await rows.db.read(lambda tx: failures.list_of_execution(tx, execution.id))
    group = await rows.db.read(lambda tx: failures.find_failure(tx, rows.tenant_id, occurrence.failure_id))
    assert (group.kind, group.step, group.error_type) == ("compensation-failed", "~book", "TimeoutError")


async def test_a_failed_compensation_may_be_tried_again(rows, execution):
    await end(rows, execution, 0, error=ERROR)
    await rows.move(execution, ExecutionStatus.RUNNING, EventType.EXECUTION_RESUMED, **RUNNING)

    assert (await end(rows, execution, 0, attempt=2)).status == "running"
    with pytest.raises(StepConflict):
        await end(rows, execution, 0, attempt=3, error=ERROR)


async def test_skipping_lets_the_execution_go_on_and_leaves_the_effects_done(rows, execution):
    await end(rows, execution, 0, error=ERROR)
    for _ in range(2):
        views = await rows.write(
            lambda tx: skip_compensations(tx, rows.principal, execution.id, "refunded by hand")
        )
        assert [view.status for view in views] == ["skipped", "skipped"]

    row = await rows.get(execution.id)
    assert (row.status, row.reason) == ("paused", "rollback")
    assert await rows.db.read(lambda tx: tx.value(COMPENSATED)) == 0
    (occurrence,) = await rows.db.read(lambda tx: failures.list_of_execution(tx, execution.id))
    assert occurrence.status == "resolved"


async def test_compensations_that_run_are_not_skipped_under_the_drivers_hands(rows, execution):
    with pytest.raises(IllegalTransition):
        await rows.write(lambda tx: skip_compensations(tx, rows.principal, execution.id, "no"))


async def test_they_are_listed_in_the_order_in_which_they_run(rows, execution):
    views = await rows.db.read(lambda tx: list_compensations(tx, rows.tenant_id, execution.id))
    assert [(view.position, view.key, view.status) for view in views] == [
        (0, "~book", "pending"),
        (1, "~pay", "pending"),
    ]
