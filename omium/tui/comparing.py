"""Two executions side by side: which steps differ, in what, and what is there instead.

Owns reading both and the comparison; the page is pages/execution_diff.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from omium.errors import NotInBundle, Problem
from omium.models.execution import ExecutionDetail, Step
from omium.sdk.async_client import AsyncClient
from omium.tui.json_changes import is_same
from omium.words import count, span

PAGE: Final = 200
WHOLE: Final = ""
"""The key of the row about the executions as a whole."""
UNSEEN: Final = "outputs of one length, not compared"
"""Long outputs are not in lists; those that may be the same are fetched, so many of them."""
FETCHED_MAX: Final = 50


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two, with the steps that count in it."""

    detail: ExecutionDetail
    steps: Mapping[str, Step]

    @property
    def line(self) -> str:
        """It in a line."""
        detail = self.detail
        parts = [f"{detail.workflow}, {detail.status.value}", count(len(self.steps), "step")]
        if detail.started_at_us is not None and detail.ended_at_us is not None:
            parts.append(span(detail.ended_at_us - detail.started_at_us))
        if detail.cost is not None:
            parts.append(f"{detail.cost.credits} credits")
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Compared:
    """A step of either, or the executions as a whole (`key` is `WHOLE`)."""

    key: str
    difference: str
    one: Step | None = None
    other: Step | None = None

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return self.difference.startswith("same")


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both sides, and their rows."""

    one: Side
    other: Side
    rows: list[Compared]

    @property
    def differing(self) -> int:
        """How many steps differ."""
        return sum(not row.same for row in self.rows if row.key != WHOLE)


async def compare(client: AsyncClient, first: str, second: str) -> Comparison:
    """Read both executions, and compare them step by step."""
    one, other = await asyncio.gather(read_side(client, first), read_side(client, second))
    rows = [Compared(WHOLE, _whole(one, other))]
    fetched = 0
    for key in {**one.steps, **other.steps}:
        mine, its = one.steps.get(key), other.steps.get(key)
        difference = _difference(mine, its)
        if difference == UNSEEN and fetched < FETCHED_MAX:
            fetched += 1
            whole = [await client.get_step_value(side.detail.id, path=key) for side in (one, other)]
            difference = "same" if is_same(whole[0].output, whole[1].output) else "another output"
        rows.append(Compared(key, difference, mine, its))
    return Comparison(one, other, rows)


async def read_side(client: AsyncClient, execution_id: str) -> Side:
    """Read an execution with all its steps, a page at a time."""
    detail = await client.get_execution(execution_id)
    steps = {step.key: step for step in detail.steps if step.superseded_seq is None}
    after = detail.steps_next
    while after is not None:
        page = await client.list_steps(execution_id, limit=PAGE, after=after)
        steps.update((step.key, step) for step in page.items if step.superseded_seq is None)
        after = page.next
        await asyncio.sleep(0)
    return Side(detail, steps)


async def read_values(client: AsyncClient, comparison: Comparison, row: Compared) -> tuple[object, object]:
    """Return what both sides recorded of a row, long outputs whole."""
    if row.key == WHOLE:
        return _recorded_whole(comparison.one.detail), _recorded_whole(comparison.other.detail)
    one, other = await asyncio.gather(
        _recorded(client, comparison.one.detail.id, row.one),
        _recorded(client, comparison.other.detail.id, row.other),
    )
    return one, other


def _recorded_whole(detail: ExecutionDetail) -> dict[str, object]:
    return {
        "workflow": detail.workflow,
        "version": detail.version,
        "status": detail.status.value,
        "input": detail.input,
        "output": detail.output,
        "error": _error(detail.error),
    }


def _error(error: object) -> object:
    """Return what an error says; where it was raised and the id of its execution always differ."""
    return {name: error.get(name) for name in ("type", "message")} if isinstance(error, dict) else error


async def _recorded(client: AsyncClient, execution_id: str, step: Step | None) -> dict[str, object]:
    if step is None:
        return {}
    output = step.output
    if is_cut(step):
        try:
            output = (await client.get_step_value(execution_id, path=step.key)).output
        except (Problem, NotInBundle) as problem:  # sealed, gone or left out: the rest is still to be seen
            output = str(problem)
    error = _error(step.error)
    return {"status": step.status.value, "input": step.input, "output": output, "error": error}


def is_cut(step: Step) -> bool:
    """Say whether the list has left a step's output out, because it is long."""
    return step.output is None and (step.output_size_bytes or 0) > len("null") and not step.output_sealed


def _whole(one: Side, other: Side) -> str:
    names = ("workflow", "version", "status", "input", "output")
    found = [name for name in names if not is_same(getattr(one.detail, name), getattr(other.detail, name))]
    return f"differ in {', '.join(found)}" if found else "same as a whole"


def _difference(one: Step | None, other: Step | None) -> str:
    if one is None or other is None:
        return "only in the second" if one is None else "only in the first"
    parts = []
    if one.status is not other.status:
        parts.append(f"{one.status.value}, then {other.status.value}")
    if one.input_digest != other.input_digest:
        parts.append("another input")
    if not is_same(one.output, other.output) or one.output_size_bytes != other.output_size_bytes:
        parts.append("another output")
    if not parts and is_cut(one) and not other.reused_from:
        return UNSEEN
    if not parts:
        return "same (reused)" if other.reused_from else "same"
    return "; ".join(parts)
