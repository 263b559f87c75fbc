"""A loop in the background of the server: one task, from `start` to `stop`. What it does is its owner's."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import ClassVar


class Looping(ABC):
    """Runs `_repeat` as a task. What is under way when it stops has to bear being cut off anywhere."""

    TASK: ClassVar[str]
    """The task's name, for logs and dumps."""

    def __init__(self) -> None:
        self._loop: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._loop = asyncio.create_task(self._repeat(), name=self.TASK)

    async def stop(self) -> None:
        """End; how what was cut off goes on is said where it is done."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)
            self._loop = None

    @abstractmethod
    async def _repeat(self) -> None:
        """Go round until cancelled; no error may end it."""
