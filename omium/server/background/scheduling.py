"""The sweeps of schedules and triggers. What they do is omium/server/schedules/."""

from __future__ import annotations

from functools import partial

from omium.server.background.runner import Sweep
from omium.server.engine.parts import EngineParts
from omium.server.schedules import firing
from omium.server.schedules.following import Following


def list_schedule_sweeps(parts: EngineParts) -> list[Sweep]:
    """Return what starts executions by itself."""
    return [
        Sweep("schedules", 1.0, partial(firing.sweep_due, parts=parts), 1),
        Sweep("schedules that wait", 2.0, partial(firing.sweep_waiting, parts=parts), 1),
        Sweep("ends that are followed", 2.0, Following(parts).sweep, 1),
        Sweep("old times of schedules", 600.0, firing.sweep_fires, firing.PORTION),
    ]
