"""Light dataclasses: mypy holds them to be frozen, and Python makes them for a tenth of that price.

A frozen dataclass sets each field through `object.__setattr__`: 5 µs for an execution's row, 0.4 µs without.
Made for each step are two rows and half a dozen small records, so what is made that often is a
`@light(frozen=True, slots=True)` and everything else stays a `@dataclass`. Why: docs/decisions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["light"]

if TYPE_CHECKING:
    from dataclasses import dataclass as light
else:
    from collections.abc import Callable
    from dataclasses import dataclass

    def light(*, frozen: bool, slots: bool) -> Callable[[type], type]:
        """Return `dataclass` with slots, values that compare and hash, and fields that nobody guards."""
        assert frozen
        assert slots
        return dataclass(slots=True, unsafe_hash=True)
