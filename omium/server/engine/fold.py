"""The fold: what an execution's row must be, according to its events. For `omium db verify` and tests only.

Decisions are made from rows; this proves that the log tells the same story (docs/architecture.md, "Row
decides, log explains").
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

from omium.server.engine.transitions import FOLDED
from omium.server.store.events import EventRow
from omium.server.store.executions import ExecutionRow
from omium.states import EventType

_COUNTED = frozenset({EventType.STEP_COMPLETED, EventType.EFFECT_DONE})


@dataclass(slots=True)
class Folded:
    """What the events up to `last_seq` say."""

    columns: dict[str, object] = field(default_factory=dict)
    last_seq: int = 0
    steps_completed: int = 0
    gap_at: int | None = None
    """The first number that is missing, None if there is none (invariant I8)."""


def fold_events(events: Iterable[EventRow], onto: Folded | None = None) -> Folded:
    """Return what `events`, which are in order, say after what `onto` has said."""
    folded = onto or Folded()
    for event in events:
        if event.seq != folded.last_seq + 1 and folded.gap_at is None:
            folded.gap_at = folded.last_seq + 1
        data = json.loads(event.data)
        folded.columns.update({name: data[name] for name in FOLDED if name in data})
        folded.last_seq = event.seq
        folded.steps_completed += event.type in _COUNTED
    return folded


def find_differences(row: ExecutionRow, folded: Folded) -> list[str]:
    """Return how the row differs from its log, as sentences; an empty list is good news."""
    found = []
    if folded.gap_at is not None:
        found.append(f"{row.id}: event {folded.gap_at} is missing.")
    if folded.last_seq != row.last_seq:
        found.append(f"{row.id}: the last event is {folded.last_seq}, the row says {row.last_seq}.")
    if folded.steps_completed != row.steps_completed:
        found.append(
            f"{row.id}: {folded.steps_completed} steps were completed, the row says {row.steps_completed}."
        )
    for name in FOLDED:
        said, stands = folded.columns.get(name), getattr(row, name)
        if said != stands:
            found.append(f"{row.id}: {name} should be {said!r} after its events, but is {stands!r}.")
    return found
