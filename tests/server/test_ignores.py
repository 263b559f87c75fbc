"""The sweep that ends ignores whose date has come."""

from omium.clock import ManualClock
from omium.models.failure import IgnoreFailure
from omium.server.background import build_sweeps
from omium.server.background.runner import Runner
from omium.server.db.open import open_database
from omium.server.engine.failures import record_occurrence
from omium.server.engine.inbox import Filters, ignore_failure, list_failures
from omium.server.web.metrics import Metrics
from omium.server.web.pagination import NEWEST
from omium.states import EventType, ExecutionStatus
from tests.engine.rows import make_rows
from tests.serverfixture import test_settings


async def groups(db, rows):
    return await db.read(lambda tx: list_failures(tx, rows.tenant_id, Filters(), before=NEWEST, limit=9))


async def test_every_group_whose_date_has_come_is_opened_in_one_round(tmp_path):
    clock = ManualClock()
    db = await open_database(str(tmp_path / "omium.sqlite"), clock=clock)
    try:
        rows = await make_rows(db, clock)
        for workflow in ("report", "invoice", "order"):
            execution = await rows.start(workflow)
            await rows.write(
                lambda tx, row=execution: record_occurrence(
                    tx, row, kind="error", path="write", seq=row.last_seq, error={"type": "E"}
                )
            )
            await rows.move(execution, ExecutionStatus.FAILED, EventType.EXECUTION_FAILED)
        until = IgnoreFailure(reason="later", until_us=clock.now_us() + 1)
        for group in await groups(db, rows):
            await ignore_failure(db, rows.principal, group.id, until)
        clock.advance(seconds=1)
        sweep = next(
            each for each in build_sweeps(test_settings(tmp_path)) if each.name == "ignored failures"
        )
        await Runner(db, [], Metrics()).run_once(sweep)

        found = await groups(db, rows)
        assert [group.status for group in found] == ["open"] * 3
    finally:
        await db.close()
