"""What was done in this dashboard, and how it ended: for whoever wonders what they pressed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from omium.words import now_us

KEPT: Final = 500


@dataclass(slots=True)
class OwnAction:
    """One action: when it was asked for, what it was, and how it ended (empty while it runs)."""

    at_us: int
    what: str
    ended: str = ""
    failed: bool = False


class OwnLog:
    """The last `KEPT` own actions."""

    def __init__(self) -> None:
        self._actions: deque[OwnAction] = deque(maxlen=KEPT)

    def begin(self, what: str) -> OwnAction:
        """Note that something is being done."""
        action = OwnAction(now_us(), what)
        self._actions.append(action)
        return action

    def end(self, action: OwnAction, sentence: str, *, failed: bool = False) -> None:
        """Note how it ended."""
        action.ended, action.failed = sentence, failed

    def __iter__(self) -> Iterator[OwnAction]:
        """Newest first."""
        return reversed(self._actions)

    def __len__(self) -> int:
        return len(self._actions)
