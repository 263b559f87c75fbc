"""The lines of a failure's lists: the steps around it, and where it was seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from omium.models.execution import ExecutionDetail, Step
from omium.models.failure import FailureDetail, Occurrence
from omium.money import format_credits
from omium.tui.content import cell, right, state
from omium.tui.widgets.listing import Column
from omium.words import ago, now_us, span


@dataclass(frozen=True, slots=True)
class StepRow:
    """A step, or what failed without becoming one."""

    key: str
    status: str
    note: str
    took_us: int | None
    credits: str
    step: Step | None


def rows_of(execution: ExecutionDetail, detail: FailureDetail) -> list[StepRow]:
    """Return the steps as they began, outer ones first; what failed without a record of its own is last."""
    steps = sorted(execution.steps, key=lambda step: (step.started_at_us, step.key.count("/"), step.key))
    rows = [row_of(step, execution) for step in steps]
    key = detail.occurrence.key
    if key and all(row.key != key for row in rows) and execution.steps_next is None:
        states: dict[str, str] = {
            str(each.get("key")): str(each.get("state")) for each in detail.effects if isinstance(each, dict)
        }
        rows.append(
            StepRow(key, states.get(key, "failed"), "effect" if key in states else "", None, "", None)
        )
    return rows


def row_of(step: Step, execution: ExecutionDetail) -> StepRow:
    """Return a step as a row."""
    notes: Sequence[str] = [
        "superseded" if step.superseded_seq is not None else "",
        "reused" if step.reused_from else "",
        "patched" if step.edited_by else "",
        f"effect {step.effect_state.replace('_', ' ')}" if step.effect_state else "",
    ]
    costs = {} if execution.cost is None else {each.key: each.microcredits for each in execution.cost.steps}
    return StepRow(
        step.key,
        step.status.value,
        ", ".join(note for note in notes if note),
        step.ended_at_us - step.started_at_us,
        format_credits(costs[step.key]) if step.key in costs else "",
        step,
    )


def _indented(row: StepRow) -> str:
    return "  " * row.key.count("/") + row.key.rpartition("/")[2]


STEP_COLUMNS: Final[tuple[Column[StepRow], ...]] = (
    Column("STEP", lambda row: cell(_indented(row))),
    Column("STATUS", lambda row: state(row.status), width=12),
    Column("NOTE", lambda row: cell(row.note, "dim"), width=20, hide_below=60),
    Column(
        "TOOK", lambda row: right("" if row.took_us is None else span(row.took_us)), width=7, hide_below=50
    ),
    Column("CREDITS", lambda row: right(row.credits), width=9, hide_below=60),
)
SEEN_COLUMNS: Final[tuple[Column[Occurrence], ...]] = (
    Column("STATUS", lambda each: state(each.status.value), width=14),
    Column("EXECUTION", lambda each: cell(each.execution_id), width=30),
    Column("WHEN", lambda each: cell(ago(each.created_at_us, now_us())), width=12),
    Column("THEN", lambda each: cell(each.disposed_reason or ""), hide_below=70),
)
