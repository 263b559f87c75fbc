"""Clocks: what the time is, as an object that is handed in, so that tests move it instead of sleeping.

Two readings that must never be mixed: `now_us` is the wall clock (timers, records, people) and may step;
`boot_us` only goes forward, also through suspend, and is what leases are measured with (semantics 3.3).
"""

from __future__ import annotations

import time
from typing import Protocol

US_PER_S = 1_000_000
_BOOT_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Clock(Protocol):
    """What every part that needs the time is given."""

    def now_us(self) -> int:
        """Wall clock, microseconds since 1970 UTC."""
        ...

    def boot_us(self) -> int:
        """Microseconds since some fixed point of this boot; never goes back."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now_us(self) -> int:
        return time.time_ns() // 1000

    def boot_us(self) -> int:
        return time.clock_gettime_ns(_BOOT_CLOCK) // 1000


class ManualClock:
    """A clock that stands still until it is told to move: for tests and simulations."""

    def __init__(self, now_us: int = 1_800_000_000 * US_PER_S, boot_us: int = 1_000 * US_PER_S) -> None:
        self._now_us = now_us
        self._boot_us = boot_us

    def now_us(self) -> int:
        return self._now_us

    def boot_us(self) -> int:
        return self._boot_us

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass on both clocks."""
        self._now_us += round(seconds * US_PER_S)
        self._boot_us += round(seconds * US_PER_S)

    def step_wall(self, seconds: float) -> None:
        """Step the wall clock alone, as an operator or a time server does."""
        self._now_us += round(seconds * US_PER_S)
