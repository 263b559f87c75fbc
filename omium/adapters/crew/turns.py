"""Turns: runs that need one and the same object, one after another in the order in which they asked.

Owns the row, and how a run waits in it: as a retry waits, so its lease is kept, and a cancel, a pause or a
worker that stops ends the wait. A run inside of a run of the same object would wait for itself: it is
refused.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from omium.errors import ConfigError
from omium.sdk.context import Frame
from omium.sdk.flows import Flow
from omium.sdk.pausing import wait_out

_NAP_S: Final = 0.05
_INSIDE: ContextVar[frozenset[int]] = ContextVar("omium_crew_turns", default=frozenset())


class Ticket:
    """The place of one run in the row."""


class Turns:
    """The row before one object."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._row: deque[Ticket] = deque()

    def take(self) -> Ticket | None:
        """Take the object if nobody has it or waits for it."""
        with self._lock:
            if self._row:
                return None
            self._row.append(Ticket())
            return self._row[0]

    def wait(self, frame: Frame, what: str) -> Flow[Ticket]:
        """Take the object when all who asked before have left it; raises what ends the wait of `frame`."""
        if id(self) in _INSIDE.get():
            raise ConfigError(
                f"{what} runs already, and is to run inside of itself: instrument its class, of which each"
                " run makes an object of its own."
            )
        ticket = Ticket()
        with self._lock:
            self._row.append(ticket)
        try:
            while self._row[0] is not ticket:
                yield from wait_out(frame.driving, frame)
                yield from frame.driving.pause(_NAP_S, frame)
        except BaseException:
            self._leave(ticket)
            raise
        return ticket

    @contextmanager
    def held(self, ticket: Ticket) -> Iterator[None]:
        """Have the object meanwhile."""
        token = _INSIDE.set(_INSIDE.get() | {id(self)})
        try:
            yield
        finally:
            _INSIDE.reset(token)
            self._leave(ticket)

    def _leave(self, ticket: Ticket) -> None:
        with self._lock:
            self._row.remove(ticket)
