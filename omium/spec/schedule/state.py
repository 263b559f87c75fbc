"""State: what is known of one instance of a region, in about a byte per edge and unit.

Owns the states' numbers and the form in which a database keeps them. Knows neither names nor rules: which
edge stands in which slot says wiring.py, what becomes of it advance.py.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, Protocol

_HEAD: Final = struct.Struct("<BHHHH")
_PAIR: Final = struct.Struct("<HI")
_FORM: Final = 1


class EdgeState(IntEnum):
    """How an edge stands in an instance; it resolves once."""

    OPEN = 0
    FIRED = 1
    DEAD = 2


class UnitState(IntEnum):
    """How a node, or a loop as a whole, stands in an instance."""

    IDLE = 0
    ACTIVE = 1
    DONE = 2
    SKIPPED = 3
    FAILED = 4
    """Failed, and an edge took the failure up."""
    UNHANDLED = 5


_UNRESOLVED: Final = (UnitState.IDLE, UnitState.ACTIVE, UnitState.UNHANDLED)


@dataclass(slots=True, eq=True)
class InstanceState:
    """One instance: a byte for each slot of an edge and each unit, and what only few units have."""

    edges: bytearray
    units: bytearray
    winners: dict[int, int] = field(default_factory=dict)
    """Under `any`, by unit: the number of the edge that was first to fire."""
    iterations: dict[int, int] = field(default_factory=dict)
    """By unit that is a loop: its newest iteration."""
    unresolved: int = -1
    """Units that are not done, skipped or failed; counted if not said."""

    def __post_init__(self) -> None:
        if self.unresolved < 0:
            self.unresolved = sum(self.units.count(state) for state in _UNRESOLVED)

    def copy(self) -> InstanceState:
        """Return a state that can be changed apart from this one."""
        return InstanceState(
            bytearray(self.edges),
            bytearray(self.units),
            dict(self.winners),
            dict(self.iterations),
            self.unresolved,
        )

    def to_bytes(self) -> bytes:
        """Return the form that a database keeps."""
        head = _HEAD.pack(_FORM, len(self.edges), len(self.units), len(self.winners), len(self.iterations))
        pairs = [*sorted(self.winners.items()), *sorted(self.iterations.items())]
        return b"".join([head, self.edges, self.units, *(_PAIR.pack(*pair) for pair in pairs)])

    @classmethod
    def from_bytes(cls, kept: bytes) -> InstanceState:
        """Read what `to_bytes` returned; raises `ValueError` for anything else."""
        if len(kept) < _HEAD.size or kept[0] != _FORM:
            raise ValueError("This is not the state of an instance in a form that is known here.")
        _, edges, units, winners, iterations = _HEAD.unpack_from(kept)
        pairs_at = _HEAD.size + edges + units
        if len(kept) != pairs_at + _PAIR.size * (winners + iterations):
            raise ValueError("The state of an instance is cut off.")
        pairs = list(_PAIR.iter_unpack(kept[pairs_at:]))
        return cls(
            bytearray(kept[_HEAD.size : _HEAD.size + edges]),
            bytearray(kept[_HEAD.size + edges : pairs_at]),
            dict(pairs[:winners]),
            dict(pairs[winners:]),
        )


class Instances(Protocol):
    """Where the instances are kept, by key. The scheduler changes nothing that `get` returned."""

    def get(self, key: str) -> InstanceState | None:
        """Return the instance, or None if there is none."""

    def put(self, key: str, state: InstanceState) -> None:
        """Keep what the instance is now."""

    def drop(self, key: str) -> None:
        """Forget an instance that nothing can read any more."""


class InstanceTable(dict[str, InstanceState]):
    """Instances in memory."""

    def put(self, key: str, state: InstanceState) -> None:
        """Keep what the instance is now."""
        self[key] = state

    def drop(self, key: str) -> None:
        """Forget an instance."""
        del self[key]
