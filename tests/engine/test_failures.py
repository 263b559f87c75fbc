"""The inbox: what is grouped, what is open, what an ignore covers."""

import pytest

from omium.clock import ManualClock
from omium.server.db.open import open_database
from omium.server.db.tx import Sql
from omium.server.engine.failure_groups import OPEN_GROUPS_MAX
from omium.server.engine.failures import close_in_group, close_occurrences, record_occurrence
from omium.server.engine.transitions import append_event
from omium.server.store import failures as store
from omium.states import EventType, ExecutionStatus, FailureKind, FailureStatus
from tests.engine.rows import make_rows

ERROR = {"type": "ValueError", "message": "the amount 12 is too large"}


@pytest.fixture
async def rows(database_url):
    clock = ManualClock()
    db = await open_database(database_url, clock=clock)
    yield await make_rows(db, clock)
    await db.close()


async def fail(rows, execution, *, path="write", error=ERROR, kind=FailureKind.ERROR):
    def work(tx):
        row = store_row(tx, rows, execution)
        row = append_event(tx, row, EventType.FAILURE_CAPTURED)
        return record_occurrence(tx, row, kind=kind, path=path, seq=row.last_seq, error=error)

    return await rows.write(work)


def store_row(tx, rows, execution):
    from omium.server.store.executions import lock_execution

    return lock_execution(tx, rows.tenant_id, execution.id)


async def groups(rows, **filters):
    chosen = {"status": "", "workflow": "", "environment": "", "kind": ""} | filters
    return await rows.db.read(
        lambda tx: store.list_failures(
            tx, rows.tenant_id, **chosen, before_us=2**62, before_id="~", limit=1000
        )
    )


async def close(rows, execution, status=FailureStatus.RESOLVED, **more):
    return await rows.write(
        lambda tx: close_occurrences(
            tx, store_row(tx, rows, execution), status=status, by="key_test", reason="went on", **more
        )
    )


async def test_the_same_failure_in_two_executions_is_one_group(rows):
    for _ in range(2):
        await fail(rows, await rows.start())

    (group,) = await groups(rows)
    assert (group.count, group.open_count, group.status) == (2, 2, "open")
    assert (group.error_type, group.step, group.workflow) == ("ValueError", "write", "report")


async def test_an_executions_groups_are_those_that_it_is_an_occurrence_of(rows):
    first, second, third = await rows.start(), await rows.start(), await rows.start()
    for execution in (first, second):
        await fail(rows, execution)
    await fail(rows, second, path="plan")

    assert [group.step for group in await groups(rows, execution_id=first.id)] == ["write"]
    assert {group.step for group in await groups(rows, execution_id=second.id)} == {"write", "plan"}
    assert await groups(rows, execution_id=third.id) == []
    assert await groups(rows, execution_id=first.id, status="resolved") == []


async def test_an_occurrence_number_of_a_step_does_not_make_another_group(rows):
    execution = await rows.start()
    await fail(rows, execution, path="outer#2/write#3")
    await fail(rows, execution, path="outer/write")

    (group,) = await groups(rows)
    assert (group.step, group.count) == ("outer/write", 2)


@pytest.mark.parametrize(
    "other",
    [{"path": "read"}, {"error": {**ERROR, "type": "KeyError"}}, {"kind": FailureKind.TIMEOUT}],
)
async def test_another_step_type_or_kind_is_another_group(rows, other):
    execution = await rows.start()
    await fail(rows, execution)
    await fail(rows, execution, **other)

    assert [group.count for group in await groups(rows)] == [1, 1]


async def test_the_same_event_is_recorded_once(rows):
    execution = await rows.start()

    def twice(tx):
        row = store_row(tx, rows, execution)
        return [
            record_occurrence(tx, row, kind="error", path="write", seq=row.last_seq, error=ERROR)
            for _ in range(2)
        ]

    first, second = await rows.write(twice)

    assert first == second
    assert [group.count for group in await groups(rows)] == [1]


async def test_a_group_is_open_while_one_of_its_occurrences_is(rows):
    first, second = await rows.start(), await rows.start()
    await fail(rows, first)
    await fail(rows, second)

    assert await close(rows, first) == 1
    (group,) = await groups(rows)
    assert (group.status, group.open_count) == ("open", 1)

    assert await close(rows, second, FailureStatus.ROLLED_BACK) == 1
    (group,) = await groups(rows)
    assert (group.status, group.open_count, group.count) == ("rolled_back", 0, 2)


async def test_closing_again_changes_nothing(rows):
    execution = await rows.start()
    await fail(rows, execution)
    await close(rows, execution)

    assert await close(rows, execution, FailureStatus.IGNORED) == 0
    (group,) = await groups(rows)
    assert group.status == "resolved"


async def test_only_what_came_after_an_event_is_closed(rows):
    execution = await rows.start()
    await fail(rows, execution)
    earlier = (await rows.get(execution.id)).last_seq
    await fail(rows, execution, path="read")

    assert await close(rows, execution, after_seq=earlier) == 1
    assert {group.step: group.status for group in await groups(rows)} == {
        "write": "open",
        "read": "resolved",
    }


async def test_a_closed_group_opens_again_with_the_next_occurrence(rows):
    execution = await rows.start()
    await fail(rows, execution)
    await close(rows, execution)
    await fail(rows, execution)

    (group,) = await groups(rows)
    assert (group.status, group.count, group.open_count) == ("open", 2, 1)


async def test_another_environment_or_workflow_is_another_group(rows):
    await fail(rows, await rows.start())
    await fail(rows, await rows.start(environment="prod"))
    await fail(rows, await rows.start("invoice"))

    assert len(await groups(rows)) == 3
    assert len(await groups(rows, workflow="report")) == 2
    assert len(await groups(rows, environment="prod", status="open")) == 1
    assert await groups(rows, kind="timeout") == []


async def test_a_childs_failure_is_the_cause_of_its_parents(rows):
    parent = await rows.start()
    child = await rows.start("part", parent_id=parent.id, parent_path="part")
    cause = await fail(rows, child)
    await rows.move(child, ExecutionStatus.FAILED, EventType.EXECUTION_FAILED)

    cascade = await fail(rows, parent, path="part")

    found = await rows.db.read(lambda tx: store.find_occurrence(tx, rows.tenant_id, cascade))
    assert found.cause_id == cause


async def test_beyond_the_limit_new_errors_share_a_group_per_step_and_type(rows):
    execution = await rows.start()
    errors = [{"type": f"Error{chr(97 + i // 26)}{chr(97 + i % 26)}"} for i in range(OPEN_GROUPS_MAX)]

    def fill(tx):
        row = store_row(tx, rows, execution)
        for error in errors:
            row = append_event(tx, row, EventType.FAILURE_CAPTURED)
            record_occurrence(tx, row, kind="error", path="write", seq=row.last_seq, error=error)

    await rows.write(fill)
    for message in ("one", "two"):
        await fail(rows, execution, error={"type": "ValueError", "message": message})
    await fail(rows, execution, path="read")
    await fail(rows, execution, error=errors[7])  # a group that exists goes on counting

    found = await groups(rows)
    assert len(found) == OPEN_GROUPS_MAX + 2
    assert {(g.step, g.error_type, g.count) for g in found if g.count > 1 or g.step == "read"} == {
        ("write", "ValueError", 2),
        ("read", "ValueError", 1),
        ("write", errors[7]["type"], 2),
    }


IGNORE = Sql("""
    UPDATE failures SET status = 'ignored', open_count = 0, ignored_until_us = :until_us,
           ignored_count_left = :count_left, ignored_code = :code
""")


@pytest.mark.parametrize(
    ("rule", "covered"),
    [
        ({}, 0),
        ({"until_us": 10}, 1),
        ({"count_left": 1}, 1),
        ({"count_left": 3}, 2),
        ({"code": "old"}, 2),
        ({"code": "new"}, 0),
        ({"count_left": 3, "until_us": 10}, 1),
    ],
)
async def test_an_ignore_covers_new_occurrences_until_one_of_its_conditions_is_over(rows, rule, covered):
    execution = await rows.start(code=b'{"digest":"old"}')
    await fail(rows, execution)
    rule = {"until_us": None, "count_left": None, "code": None} | rule
    if rule["until_us"] is not None:
        rule["until_us"] += rows.clock.now_us()
    await rows.write(lambda tx: tx.execute(IGNORE, **rule))

    first = await fail(rows, execution)
    rows.clock.advance(seconds=1)
    second = await fail(rows, execution)

    found = await rows.db.read(lambda tx: store.list_of_execution(tx, execution.id))
    ignored = [each.id for each in found if each.status == "ignored"]
    assert ignored == [second, first][2 - covered :]
    (group,) = await groups(rows)
    assert (group.count, group.open_count) == (3, 2 - covered)
    assert group.status == ("ignored" if covered == 2 else "open")
    assert (group.ignored_count_left is None) == (covered != 2 or rule["count_left"] is None)


async def test_an_occurrence_that_somebody_else_has_closed_meanwhile_is_not_counted_twice(rows):
    first, second = await rows.start(), await rows.start()
    ids = [await fail(rows, each) for each in (first, second)]
    (group,) = await groups(rows)
    await close(rows, first)

    def close_both(tx):
        return close_in_group(
            tx, rows.tenant_id, group.id, ids[:1], status=FailureStatus.IGNORED, by="late", reason="late"
        )

    assert (await rows.write(close_both)).open_count == 1
    (group,) = await groups(rows)
    assert (group.status, group.open_count) == ("open", 1)
