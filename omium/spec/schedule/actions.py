"""Actions: what the scheduler is told, and what it tells to do.

Owns the words between the scheduler and whoever runs it; they hold no state. See advance.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from omium.spec.schedule.keys import Vector

Outcome: TypeAlias = Literal["success", "failure", "skipped"]

LOOP_LIMIT: Final = "loop-limit"
NO_BRANCH: Final = "no-branch"


@dataclass(frozen=True, slots=True)
class Ended:
    """An activation has ended for good; `conditions` says of each `when` that was needed whether it holds."""

    node: str
    vector: Vector
    outcome: Outcome
    conditions: Mapping[str, bool] = field(default_factory=dict)
    code: str = ""
    """Of a failure."""


@dataclass(frozen=True, slots=True)
class Activate:
    """The node is ready to run."""

    node: str
    vector: Vector
    trigger_edge: str | None = None
    """Under `any`: the edge that was first to fire."""


@dataclass(frozen=True, slots=True)
class Skip:
    """The node will not run here."""

    node: str
    vector: Vector


@dataclass(frozen=True, slots=True)
class LoopSkipped:
    """The loop will not begin here; `vector` is the one of the instance around it."""

    region: str
    vector: Vector


@dataclass(frozen=True, slots=True)
class IterationBegun:
    """An iteration has begun; its number is the last one of `vector`."""

    region: str
    vector: Vector


@dataclass(frozen=True, slots=True)
class LoopEnded:
    """The loop ended with the iteration `vector`."""

    region: str
    vector: Vector


@dataclass(frozen=True, slots=True)
class EdgeDiscarded:
    """An edge that had fired out of a loop counts for nothing, because the loop goes round again."""

    edge: str
    region: str
    vector: Vector


@dataclass(frozen=True, slots=True)
class Unhandled:
    """Nothing takes the failure up: the execution is failing. A loop at its limit is told as its header."""

    node: str
    vector: Vector
    code: str


@dataclass(frozen=True, slots=True)
class Finished:
    """ROOT is quiescent: the outputs may be evaluated."""


Action: TypeAlias = (
    Activate | Skip | LoopSkipped | IterationBegun | LoopEnded | EdgeDiscarded | Unhandled | Finished
)
