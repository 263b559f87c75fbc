"""Checks: whether traces and what is shown of them fit together.

For `GET /v1/admin/verify` and `omium db verify`. A live server shows traces meanwhile, so what looks wrong is
looked at a second time.
"""

from __future__ import annotations

from omium.models.traces import TRACE_SPANS_MAX
from omium.server.db.tx import Database, Tx
from omium.server.store import audit, traces
from omium.server.store.traces import TraceRow
from omium.states import Driver

ROWS_PER_READ = 500
FINDINGS_MAX = 1_000


async def list_trace_problems(db: Database) -> list[str]:
    """Return what does not fit, as sentences."""
    found: list[str] = []
    after_id = ""
    while rows := await db.read(lambda tx, a=after_id: traces.list_traces(tx, a, ROWS_PER_READ)):  # type: ignore[misc]
        after_id = rows[-1].execution_id
        for row in rows:
            if await db.read(lambda tx, r=row: _judge(tx, r)):  # type: ignore[misc]
                found += await db.read(lambda tx, r=row: _judge_again(tx, r))  # type: ignore[misc]
            if len(found) >= FINDINGS_MAX:
                return found
    return found


def _judge_again(tx: Tx, row: TraceRow) -> list[str]:
    now = traces.find_trace(tx, row.execution_id)
    return _judge(tx, now) if now is not None else []


def _judge(tx: Tx, row: TraceRow) -> list[str]:
    found = []
    stored = traces.count_spans(tx, row.execution_id)
    if stored != row.spans and not TRACE_SPANS_MAX <= stored < row.spans:  # some were refused
        found.append(f"{row.execution_id}: {stored} spans are stored, its trace counts {row.spans}.")
    if row.shown_revision > row.revision:
        found.append(f"{row.execution_id} shows revision {row.shown_revision} of {row.revision}.")
    if row.shown_revision < row.revision and row.due_us is None and row.shown_revision > 0:
        found.append(f"{row.execution_id} has further spans, but is not due to be shown.")
    execution = audit.find_execution(tx, row.execution_id)
    if row.shown_revision > 0 and execution is None:
        found.append(f"{row.execution_id} was shown, but there is no such execution.")
    if execution is not None and execution.driver != Driver.OBSERVED:
        found.append(f"{row.execution_id} belongs to a trace, but its driver is {execution.driver}.")
    return found
