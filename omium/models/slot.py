"""Slots: who runs under a concurrency key now, and who waits for that."""

from __future__ import annotations

from typing import Literal

from omium.models.wire import Reply


class Slot(Reply):
    """A step, or a node of a workflow that the engine runs, with a concurrency key."""

    key: str
    environment: str
    state: Literal["held", "waiting"]
    execution_id: str
    path: str
    """Of the step or node."""
    limit: int
    """How many may run under the key at once, as this one says."""
    asked_at_us: int
    """When it asked for its slot; of a node that runs, when it began."""
