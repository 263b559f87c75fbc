"""Counting: what becomes of the sums where an execution that has ended goes on, or is removed.

The engine calls this in its own transaction, with the execution locked. Everything here is seldom: an end by
itself costs nothing, because the row says that it is not summed yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from omium.server.analytics.rows import execution_sum, failure_sums, usage_sums
from omium.server.db.tx import Tx
from omium.server.store import sums, unsummed
from omium.server.store.executions import ExecutionRow
from omium.server.store.sums import COUNTED, UsageSum
from omium.server.store.traces import TakenUsage


def take_out(tx: Tx, was: ExecutionRow) -> None:
    """Take an ended execution out of the sums, as `was` went in; it will be counted as it ends again.

    Twice is once: the mark is taken away with it. An execution that no sweep has met is in no sum.
    """
    if was.ended_us is not None and unsummed.unmark_ended(tx, was.id):
        row = execution_sum(_ended(was))
        sums.add_sums(tx, [replace(row, executions=-row.executions, steps=-row.steps, took_us=-row.took_us)])


def keep(tx: Tx, row: ExecutionRow) -> None:
    """Keep an ended execution that retention removes in the sums, and say there that its row is gone."""
    counted = execution_sum(_ended(row))
    if unsummed.mark_ended(tx, row.id):
        sums.add_sums(tx, [replace(counted, removed=1)])
    else:
        sums.add_sums(tx, [replace(counted, executions=0, steps=0, took_us=0, removed=1)])


def keep_failures(tx: Tx, execution_id: str) -> None:
    """Add up the occurrences of an execution before they are removed."""
    sums.add_sums(tx, failure_sums(unsummed.take_failed(tx, 0, execution_id)))


def take_out_usage(tx: Tx, taken: Sequence[TakenUsage]) -> None:
    """Take reports out of the sums that were removed because they repeat others."""
    summed = [row for row in taken if row.summed]
    sums.add_sums(
        tx,
        [
            replace(row, **{name: -getattr(row, name) for name in COUNTED[UsageSum]})
            for row in usage_sums(summed)
        ],
    )


def _ended(row: ExecutionRow) -> unsummed.EndedRow:
    assert row.ended_us is not None
    return unsummed.EndedRow(
        tenant_id=row.tenant_id,
        environment=row.environment,
        workflow=row.workflow,
        started_by=row.started_by,
        status=row.status,
        steps_completed=row.steps_completed,
        created_us=row.created_us,
        ended_us=row.ended_us,
    )
