"""The clock of a run: it stands still between the times that the workflow waited for.

LlamaIndex's loop looks at a clock to see what is due, so one that runs would make a resume decide otherwise
than the run did. Owns this clock, and when what it waits for is really due.
"""

from __future__ import annotations

import time
from typing import Final

_TOGETHER_S: Final = 1e-6  # what rounding could put between two times that are one


class LoopClock:
    """Times of one run, in seconds since the epoch."""

    def __init__(self) -> None:
        self.now_s = time.time()
        self._aim_s: float | None = None
        self._really: dict[float, float] = {}
        """When it is due by the clock of this machine, by the time that the loop has for it."""

    def aim(self, timeout_s: float | None) -> None:
        """Set what is waited for next, None for nothing."""
        self._aim_s = None
        if timeout_s is not None:
            self._aim_s = round(self.now_s + timeout_s, 6)
            self._really.setdefault(self._aim_s, time.monotonic() + timeout_s)

    @property
    def is_aimed(self) -> bool:
        """Say whether there is a time to wait for."""
        return self._aim_s is not None

    @property
    def left_s(self) -> float | None:
        """How long to wait still, None without end."""
        if self._aim_s is None:
            return None
        return max(0.0, self._really[self._aim_s] - time.monotonic())

    @property
    def is_due(self) -> bool:
        """Say whether what was aimed at is due."""
        return self.left_s == 0.0

    def arrive(self) -> None:
        """Go on to the time that was aimed at."""
        assert self._aim_s is not None, "only what was aimed at is due"
        self.now_s = max(self.now_s, self._aim_s + _TOGETHER_S)
