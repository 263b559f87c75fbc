"""Live: who waits for news, and hints that something may be new.

A hint says "look again", never what happened: readers go to the database, so a lost hint costs a moment and
no truth (several servers on one PostgreSQL share none). Everything runs on the event loop's thread; call
`publish` and `wake` from `tx.after_commit`. Owns no I/O and no row.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

TENANT_HINTS_MAX = 1_000  # executions with unseen news that one tenant-wide watcher may fall behind

Topic = tuple[str, ...]
K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Hint:
    """The execution has at least the event `seq` now."""

    tenant_id: str
    execution_id: str
    seq: int


class Watcher:
    """One who waits: for a topic, an execution, or a tenant. Bounded, because hints of one thing merge."""

    __slots__ = ("_news", "_woken", "closed", "lagged")

    def __init__(self) -> None:
        self._woken = asyncio.Event()
        self._news: dict[str, Hint] = {}
        self.closed = False
        self.lagged = False

    async def wait(self, timeout_s: float) -> bool:
        """Wait for news, at most `timeout_s`; False when there was none. Returns at once when closed."""
        if not self._woken.is_set():
            try:
                async with asyncio.timeout(timeout_s):
                    await self._woken.wait()
            except TimeoutError:
                return False
        if not self.closed:
            self._woken.clear()
        return True

    def take(self) -> list[Hint]:
        """Return and forget what was hinted since the last call, one hint for each execution."""
        hints = list(self._news.values())
        self._news.clear()
        return hints

    def tell(self, hint: Hint | None) -> None:
        """Note `hint`; too many different ones make the watcher `lagged`."""
        if hint is not None:
            if hint.execution_id not in self._news and len(self._news) >= TENANT_HINTS_MAX:
                self.lagged = True
            else:
                self._news[hint.execution_id] = hint
        self._woken.set()

    def close(self) -> None:
        """End the waiting for good."""
        self.closed = True
        self._woken.set()


class LiveHub:
    """All watchers of this process."""

    def __init__(self) -> None:
        self._by_topic: defaultdict[Topic, set[Watcher]] = defaultdict(set)
        self._by_principal: defaultdict[str, set[Watcher]] = defaultdict(set)
        self._closed = False
        self.on_credits: Callable[[str], None] | None = None
        """Told a tenant's id when its credits have moved; there is one who shows them."""

    def publish(self, tenant_id: str, execution_id: str, seq: int) -> None:
        """Tell whoever watches the execution or its tenant that the event `seq` is there."""
        hint = Hint(tenant_id, execution_id, seq)
        for topic in (("execution", tenant_id, execution_id), ("tenant", tenant_id)):
            for watcher in self._by_topic.get(topic, ()):
                watcher.tell(hint)

    def wake(self, *topic: str) -> None:
        """Tell whoever waits for `topic`, such as ("queue", tenant_id, environment, queue)."""
        for watcher in self._by_topic.get(topic, ()):
            watcher.tell(None)

    @contextmanager
    def watch(self, *topic: str, principal_id: str = "", watcher: Watcher | None = None) -> Iterator[Watcher]:
        """Wait for `topic` while the block runs; watch before the first look, or news between is missed.

        With the `watcher` of another topic one waits for both.
        """
        watcher = watcher or Watcher()
        self._by_topic[topic].add(watcher)
        self._by_principal[principal_id].add(watcher)
        if self._closed:
            watcher.close()
        try:
            yield watcher
        finally:
            _discard(self._by_topic, topic, watcher)
            _discard(self._by_principal, principal_id, watcher)

    def close_principal(self, principal_id: str) -> None:
        """End every wait of a principal: its key was revoked."""
        for watcher in self._by_principal.get(principal_id, ()):
            watcher.close()

    def close(self) -> None:
        """End every wait, now and later: the server stops."""
        self._closed = True
        for watchers in self._by_principal.values():
            for watcher in watchers:
                watcher.close()

    @property
    def closed(self) -> bool:
        """Whether the server stops."""
        return self._closed


def _discard(index: dict[K, set[Watcher]], key: K, watcher: Watcher) -> None:
    watchers = index[key]
    watchers.discard(watcher)
    if not watchers:
        del index[key]
