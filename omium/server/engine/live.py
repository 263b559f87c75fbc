"""Announcements: what a transaction tells this process after its commit, without knowing who listens.

The engine registers an `Announcement` as an after-commit hook; called as it is, it does nothing. A database
that was wrapped in `AnnouncingDatabase` hands announcements to the live hub instead, so that streams and
long polls wake at once. An announcement is a hint: whoever waits also polls, because other servers' commits
announce nothing here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol, TypeVar, cast

from omium.server.db.forwarding import ForwardingDatabase
from omium.server.db.light import light
from omium.server.db.tx import Database, Tx
from omium.server.ledger.moves import CreditsMoved
from omium.server.live import LiveHub

T = TypeVar("T")


@light(frozen=True, slots=True)
class Announcement:
    """An execution has the event `seq` now; `queue` is (environment, queue) if it can be claimed."""

    tenant_id: str
    execution_id: str
    seq: int
    queue: tuple[str, str] | None = None

    def __call__(self) -> None:
        """Tell nobody: the database was opened without a hub (commands on an offline file, tests)."""

    def tell(self, hub: LiveHub) -> None:
        """Wake who watches the execution, its tenant, or its queue."""
        hub.publish(self.tenant_id, self.execution_id, self.seq)
        if self.queue is not None:
            hub.wake(*queue_topic(self.tenant_id, *self.queue))


@light(frozen=True, slots=True)
class TasksReady:
    """A node is ready for whoever does such tasks; all `executor`s but "worker" are the server's own."""

    tenant_id: str
    environment: str
    queue: str
    executor: str
    handler: str

    def __call__(self) -> None:
        """Tell nobody: the database was opened without a hub."""

    def tell(self, hub: LiveHub) -> None:
        """Wake the workers of the queue, or the server's own loop."""
        if self.executor == "worker":
            hub.wake(*queue_topic(self.tenant_id, self.environment, self.queue))
        else:
            hub.wake(*NODES_TOPIC)


NODES_TOPIC = ("nodes",)
"""What wakes the loop that goes on with executions of specs (engine/nodes/loop.py)."""

TOLD = (Announcement, CreditsMoved, TasksReady)
"""Hooks that the hub is told of."""


def queue_topic(tenant_id: str, environment: str, queue: str) -> tuple[str, ...]:
    """Return the topic that wakes the workers of a queue."""
    return ("queue", tenant_id, environment, queue)


class _Hooked(Protocol):
    hooks: list[Callable[[], None]]


def _announce(work: Callable[[Tx], T], hub: LiveHub, tx: Tx) -> T:
    """Run `work`, then give `hub` to the announcements that it has registered.

    Afterwards, not by standing between a work and its transaction, where every statement would go through.
    """
    result = work(tx)
    hooks = cast("_Hooked", tx).hooks  # of a DriverTx, which is what a database runs works with
    hooks[:] = [partial(hook.tell, hub) if isinstance(hook, TOLD) else hook for hook in hooks]
    return result


class AnnouncingDatabase(ForwardingDatabase):
    """A `Database` whose writes announce what they did to `hub`, after their commit."""

    def __init__(self, db: Database, hub: LiveHub) -> None:
        super().__init__(db)
        self._hub = hub

    async def write(self, work: Callable[[Tx], T]) -> T:
        return await self._db.write(partial(_announce, work, self._hub))
