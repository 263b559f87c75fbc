"""The inbox under random histories and under many hands at once: its counts are always those of its rows."""

import asyncio
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omium.clock import ManualClock
from omium.errors import AlreadyDecided
from omium.models.failure import IgnoreFailure
from omium.models.replay import DecideEffect
from omium.server.db.open import open_database
from omium.server.engine import inbox
from omium.server.engine.decisions import decide_effect
from omium.server.engine.failures import close_occurrences, record_occurrence
from omium.server.engine.transitions import append_event
from omium.server.store import failures as store
from omium.server.store.executions import lock_execution
from omium.states import EventType, FailureStatus
from tests.engine.rows import make_rows

OPERATIONS = st.one_of(
    st.tuples(st.just("fail"), st.integers(0, 2), st.sampled_from(["read", "write"])),
    st.tuples(st.just("close"), st.integers(0, 2), st.sampled_from(list(FailureStatus)[1:])),
    st.tuples(st.just("ignore"), st.sampled_from([None, 1, 3]), st.sampled_from([None, 5])),
    st.tuples(st.just("resolve"), st.none(), st.none()),
    st.tuples(st.just("wait"), st.integers(1, 10), st.none()),
)


async def check(rows, groups):
    for group in groups:
        found = await rows.db.read(
            lambda tx, g=group: store.list_occurrences(tx, g.id, before_us=2**62, before_id="~", limit=1000)
        )
        statuses = Counter(each.status for each in found)
        assert (group.open_count, group.count) == (statuses["open"], len(found))
        assert (group.status == "open") == (group.open_count > 0)
        assert group.last_seen_us == max(each.created_us for each in found)
        for each in found:
            assert (each.disposed_us is None) == (each.status == "open")


async def run(folder, history):
    clock = ManualClock()
    db = await open_database(str(folder / "omium.sqlite"), clock=clock)
    try:
        rows = await make_rows(db, clock)
        executions = [await rows.start() for _ in range(3)]
        for name, first, second in history:
            await apply(rows, executions, clock, name, first, second)
            await check(rows, await groups(rows))
    finally:
        await db.close()


async def groups(rows):
    return await rows.db.read(
        lambda tx: inbox.list_failures(tx, rows.tenant_id, inbox.Filters(), before=(2**62, "~"), limit=10)
    )


async def apply(rows, executions, clock, name, first, second):
    match name:
        case "fail":

            def fail(tx):
                row = lock_execution(tx, rows.tenant_id, executions[first].id)
                row = append_event(tx, row, EventType.FAILURE_CAPTURED)
                error = {"type": "ValueError", "message": "no"}
                record_occurrence(tx, row, kind="error", path=second, seq=row.last_seq, error=error)

            await rows.write(fail)
        case "close":

            def close(tx):
                row = lock_execution(tx, rows.tenant_id, executions[first].id)
                close_occurrences(tx, row, status=second, by="someone", reason="went on")

            await rows.write(close)
        case "ignore":
            until = None if second is None else clock.now_us() + second * 1_000_000
            command = IgnoreFailure(reason="known", until_count=first, until_us=until)
            for group in await groups(rows):
                await inbox.ignore_failure(rows.db, rows.principal, group.id, command)
        case "resolve":
            for group in await groups(rows):
                await inbox.resolve_failure(rows.db, rows.principal, group.id, "fixed")
        case "wait":
            clock.advance(first)
            while await rows.write(inbox.end_ignores):
                pass


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(history=st.lists(OPERATIONS, max_size=25))
def test_counts_and_statuses_are_those_of_the_occurrences_after_every_step(history, tmp_path_factory):
    asyncio.run(run(tmp_path_factory.mktemp("inbox"), history))


@pytest.fixture
async def rows(database_url):
    clock = ManualClock()
    db = await open_database(database_url, clock=clock)
    yield await make_rows(db, clock)
    await db.close()


async def test_many_processes_that_fail_the_same_way_at_once_make_one_group(rows):
    executions = [await rows.start() for _ in range(12)]

    def fail(execution):
        def work(tx):
            row = lock_execution(tx, rows.tenant_id, execution.id)
            error = {"type": "ValueError", "message": "no"}
            record_occurrence(tx, row, kind="error", path="write", seq=row.last_seq, error=error)

        return rows.write(work)

    await asyncio.gather(*(fail(execution) for execution in executions))
    (group,) = await groups(rows)
    assert (group.count, group.open_count) == (12, 12)


async def test_of_several_people_who_decide_at_once_one_does(rows):
    execution = await rows.start()
    key = await rows.effect(execution, "pay", state="unknown")

    async def decide(decision):
        command = DecideEffect(decision=decision)
        try:
            await rows.write(lambda tx: decide_effect(tx, rows.principal, execution.id, key, command, None))
        except AlreadyDecided:
            return 0
        return 1

    decided = await asyncio.gather(*(decide(each) for each in ("confirm", "redo", "skip", "redo", "skip")))
    assert sum(decided) == 1
