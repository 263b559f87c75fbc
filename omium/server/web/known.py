"""What is known of a credential, and the rows that are believed for a second: shared by every form of bearer.

Owns the short cache of rows by id. Requests that ask for the same row at the same time share one read; a
row that was changed here is forgotten at once, also while it is being read. What a row means is told by the
forms: key_auth.py, session_auth.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Protocol

from omium.clock import Clock
from omium.server.principal import Principal

CACHED_ROWS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Known:
    """A row as it was read, with the principal that it makes. `form` words the refusal when it has ended.

    `previous_digest` is that of the secret before, good until `previous_until_us`. What was derived from a
    row, such as a token's, names it as `row`: it is believed as long as that is.
    """

    id: str
    digest: bytes
    active: bool
    expires_us: int | None
    principal: Principal
    read_at_us: int  # on the boot clock
    form: BearerForm
    previous_digest: bytes | None = None
    previous_until_us: int | None = None
    row: Known | None = None


class BearerForm(Protocol):
    """One form of bearer: what the Authorization header may carry."""

    async def check(self, token: str) -> Known:
        """Return what `token` stands for, whether active or not, or raise `Unauthenticated`."""
        ...

    def believes(self, known: Known) -> bool:
        """Say whether `known` is what is known now: not, if it was changed while it was read."""
        ...

    async def is_still_good(self, principal: Principal) -> bool:
        """Say whether a principal that was let in by this form is still welcome, and still the same."""
        ...

    def forget(self, row_id: str) -> None:
        """Drop what is known of the row, and what is being read: it was changed just now."""
        ...

    def refuse_ended(self) -> Exception:
        """Return the error for a credential that was revoked."""
        ...

    def refuse_expired(self) -> Exception:
        """Return the error for a credential whose time is over."""
        ...

    async def close(self) -> None:
        """Wait for what is still being read or noted."""
        ...


class KnownRows:
    """Rows by id, each believed for `cache_us`; `read` makes a `Known` of a row, or None without one."""

    def __init__(
        self, clock: Clock, cache_us: int, read: Callable[[str, int], Awaitable[Known | None]]
    ) -> None:
        self._clock = clock
        self._cache_us = cache_us
        self._read = read
        self._known: dict[str, Known] = {}
        self._loading: dict[str, asyncio.Task[Known | None]] = {}

    async def find(self, row_id: str) -> Known | None:
        """Return what is known of the row, reading it if that is too old."""
        known = self._known.get(row_id)
        if known is None or self._clock.boot_us() - known.read_at_us > self._cache_us:
            known = await self._load(row_id)
        return known

    async def find_again(self, row_id: str) -> Known | None:
        """Return what the row says now, however lately it was read."""
        return await self._load(row_id)

    def holds(self, known: Known) -> bool:
        """Say whether `known` is what is believed now."""
        return self._known.get(known.id) is (known.row or known)

    def forget(self, row_id: str) -> None:
        """Drop the row, and what is being read of it."""
        self._known.pop(row_id, None)
        self._loading.pop(row_id, None)

    async def close(self) -> None:
        """Wait for what is being read."""
        await asyncio.gather(*self._loading.values(), return_exceptions=True)

    async def _load(self, row_id: str) -> Known | None:
        task = self._loading.get(row_id)
        if task is None:
            task = self._loading[row_id] = asyncio.create_task(self._load_once(row_id))
            task.add_done_callback(_look_at)
        return await asyncio.shield(task)

    async def _load_once(self, row_id: str) -> Known | None:
        this = asyncio.current_task()
        try:
            known = await self._read(row_id, self._clock.boot_us())
            if known is not None and self._loading.get(row_id) is this:
                # Else it was changed while it was read: believe nothing.
                if len(self._known) >= CACHED_ROWS_MAX:
                    self._known.clear()
                self._known[row_id] = known
            return known
        finally:
            if self._loading.get(row_id) is this:
                del self._loading[row_id]


class Notes:
    """Throttled notes of last use, written beside the requests: a courtesy that no request waits for."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def begin(self, note: Coroutine[None, None, None]) -> None:
        """Write `note` in the background."""
        task = asyncio.create_task(note)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def close(self) -> None:
        """Wait for what is being written."""
        await asyncio.gather(*self._running, return_exceptions=True)


def _look_at(task: asyncio.Task[Known | None]) -> None:
    """Take note of a failed read whose askers have all gone, or asyncio warns about it."""
    if not task.cancelled():
        task.exception()
