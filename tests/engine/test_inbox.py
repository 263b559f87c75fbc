"""What a person does with a group: ignore until something, resolve, find it again."""

from dataclasses import replace

import pytest

from omium.clock import ManualClock
from omium.errors import NotFound
from omium.models.failure import IgnoreFailure
from omium.server.db.open import open_database
from omium.server.engine import inbox
from omium.server.engine.failures import record_occurrence
from omium.server.engine.transitions import append_event
from omium.server.store import failures as store
from omium.server.store.executions import lock_execution
from omium.states import EventType, ExecutionStatus
from tests.engine.rows import RUNNING, make_rows

ERROR = {"type": "ValueError", "message": "no"}
NEWEST = (2**62, "~")


@pytest.fixture
async def rows(database_url):
    clock = ManualClock()
    db = await open_database(database_url, clock=clock)
    yield await make_rows(db, clock)
    await db.close()


async def fail(rows, *, times=1, path="write", ended=True):
    execution = await rows.start()

    def work(tx):
        row = lock_execution(tx, rows.tenant_id, execution.id)
        for _ in range(times):
            row = append_event(tx, row, EventType.FAILURE_CAPTURED)
            record_occurrence(tx, row, kind="error", path=path, seq=row.last_seq, error=ERROR)

    await rows.write(work)
    if ended:
        await rows.move(execution, ExecutionStatus.FAILED, EventType.EXECUTION_FAILED)
    return execution


async def only_group(rows):
    (group,) = await rows.db.read(
        lambda tx: inbox.list_failures(tx, rows.tenant_id, inbox.Filters(), before=NEWEST, limit=10)
    )
    return group


async def ignore(rows, failure_id, **until):
    command = IgnoreFailure(reason="known", **until)
    return await inbox.ignore_failure(rows.db, rows.principal, failure_id, command)


async def test_ignoring_closes_every_open_occurrence_with_its_reason_also_of_a_large_group(rows, monkeypatch):
    monkeypatch.setattr(inbox, "PORTION", 3)
    execution = await fail(rows, times=10)

    failure = await ignore(rows, (await only_group(rows)).id)

    assert (failure.status, failure.open_count, failure.count) == ("ignored", 0, 10)
    found = await rows.db.read(lambda tx: store.list_of_execution(tx, execution.id))
    assert {(each.status, each.disposed_by, each.disposed_reason) for each in found} == {
        ("ignored", "key_test", "known")
    }


async def test_an_ignore_without_a_condition_does_not_cover_what_comes(rows):
    await fail(rows)
    await ignore(rows, (await only_group(rows)).id)
    await fail(rows)

    assert (await only_group(rows)).status == "open"


async def test_an_ignore_until_n_more_covers_n_more(rows):
    await fail(rows)
    await ignore(rows, (await only_group(rows)).id, until_count=2)

    statuses = []
    for _ in range(3):
        await fail(rows)
        statuses.append((await only_group(rows)).status)
    assert statuses == ["ignored", "ignored", "open"]


async def test_an_ignored_failure_that_still_stands_comes_back_on_its_date(rows):
    still, gone_on = await fail(rows), await fail(rows)
    group = await only_group(rows)
    await ignore(rows, group.id, until_us=rows.clock.now_us() + 1_000_000)
    await rows.move(gone_on, ExecutionStatus.RUNNING, EventType.EXECUTION_RESUMED, **RUNNING)

    assert await rows.write(inbox.end_ignores) == 0
    rows.clock.advance(seconds=2)
    assert await rows.write(inbox.end_ignores) > 0
    assert await rows.write(inbox.end_ignores) == 0

    group = await only_group(rows)
    assert (group.status, group.open_count, group.ignored_until_us) == ("open", 1, None)
    for execution, status in ((still, "open"), (gone_on, "resolved")):
        (occurrence,) = await rows.db.read(lambda tx, e=execution: store.list_of_execution(tx, e.id))
        assert occurrence.status == status


async def test_resolving_closes_and_ends_an_ignore(rows):
    await fail(rows)
    group = await only_group(rows)
    await ignore(rows, group.id, until_count=5)

    failure = await inbox.resolve_failure(rows.db, rows.principal, group.id, "fixed")
    assert (failure.status, failure.ignored_count_left) == ("resolved", None)
    await fail(rows)
    assert (await only_group(rows)).status == "open"


async def test_a_foreign_group_is_not_found(rows):
    await fail(rows)
    group = await only_group(rows)
    stranger = replace(rows.principal, tenant_id="tn_other")
    with pytest.raises(NotFound):
        await inbox.resolve_failure(rows.db, stranger, group.id, "")
    with pytest.raises(NotFound):
        await rows.db.read(lambda tx: inbox.get_failure(tx, "tn_other", group.id))


async def test_occurrences_are_listed_newest_first_in_pages(rows):
    executions = [await fail(rows) for _ in range(3)]
    group = await only_group(rows)

    found, before = [], NEWEST
    for _ in range(3):
        (page,) = await rows.db.read(
            lambda tx, b=before: inbox.list_occurrences(tx, rows.tenant_id, group.id, before=b, limit=1)
        )
        found.append(page.execution_id)
        before = (page.created_us, page.id)
    assert sorted(found) == sorted(execution.id for execution in executions)
