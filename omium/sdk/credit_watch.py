"""Credits as this process hears of them: one warning when they are low, one when there are none left.

The server says how many remain with every reply (headers). Owns that each is told once per process, on the
stderr that no step captures, and nothing else: what a lack of credits means for an execution is driving.py's.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from typing import Final

REMAINING: Final = "omium-credits-remaining"
WARNING: Final = "omium-credits-warning"
EXHAUSTED_STATUS: Final = 402


class CreditWatch:
    """What was said already; two threads at once may say it twice, which harms nobody."""

    __slots__ = ("exhausted", "low")

    def __init__(self) -> None:
        self.low = False
        self.exhausted = False

    def note(self, status: int, headers: Mapping[str, str]) -> None:
        """Take in an answer: one that says `low`, or that was refused for the lack of credits, is told."""
        if status == EXHAUSTED_STATUS:
            if not self.exhausted:
                self.exhausted = True
                _say(
                    "Nothing new begins: there are no credits for it, or the key's cap is met. See",
                    "balance",
                )
        elif WARNING in headers and not self.low:
            self.low = True
            remaining = headers.get(REMAINING, "few")
            _say(f"Your credits are low: {remaining} remain. Top up with", "topup 20")


def _say(what: str, command: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # nobody reads it any more: the answer itself still counts
        print(f"omium: {what}: omium credits {command}", file=sys.__stderr__, flush=True)
