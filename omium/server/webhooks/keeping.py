"""Keeping: the leases of pushed tasks, their ends in time, and telling a target to stop.

A target does not beat: the server keeps its lease as long as its request is under way in this process, or,
once it has answered 202, until the time to call back is over. What was being sent by a server that is gone is
kept by nobody: its lease runs out and the node is pushed again. Cancelled, or given to somebody else, a
target is told so with a signed `task.cancel`; one that takes it has stopped.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from omium.clock import US_PER_S, Clock
from omium.errors import LeaseLostProblem, NotFound, Problem
from omium.logs import get_logger
from omium.models.webhook import TaskSaid
from omium.server.db.tx import Tx
from omium.server.engine.nodes.tasks import touch_task
from omium.server.engine.parts import EngineParts
from omium.server.looping import Looping
from omium.server.secrets.known import KnownSecrets
from omium.server.store import webhooks as store
from omium.server.store.webhooks import PushRow
from omium.server.webhooks.callbacks import finish, lease_of
from omium.server.webhooks.messages import cancel_task, failure
from omium.server.webhooks.pusher import Pusher
from omium.server.webhooks.sending import Refused, Sender

EVERY_S: Final = 2.0
PAGE_ROWS: Final = 100
CANCEL_WITHIN_S: Final = 10.0
KEPT_S: Final = 7 * 86_400

Sleep = Callable[[float], Awaitable[None]]

log = get_logger(__name__)


@dataclass(slots=True)
class Found:
    """What one look at a page of open pushes gave."""

    late: list[PushRow] = field(default_factory=list)
    cancelled: list[PushRow] = field(default_factory=list)
    lost: list[PushRow] = field(default_factory=list)


class Keeper(Looping):
    """Keeps pushed tasks, in the background, until `stop`."""

    TASK = "webhook leases"

    def __init__(
        self,
        parts: EngineParts,
        sender: Sender,
        known: KnownSecrets,
        pusher: Pusher,
        clock: Clock,
        *,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        super().__init__()
        self._parts = parts
        self._sender = sender
        self._known = known
        self._pusher = pusher
        self._clock = clock
        self._sleep = sleep

    async def run_once(self) -> None:
        """Touch every open push, end those whose time is over, and tell those that are to stop."""
        after = ""
        while page := await self._parts.db.read(lambda tx, a=after: store.list_open(tx, a, PAGE_ROWS)):  # type: ignore[misc]
            found = await self._parts.db.write(lambda tx, p=page: self._look(tx, p))  # type: ignore[misc]
            for push in found.late:
                await self._end(push, "timeout", "The webhook did not call back in time.")
            for push in (*found.cancelled, *found.lost):
                self._pusher.spawn(f"{push.id}_cancel", self._tell(push))
            after = page[-1].id

    def _look(self, tx: Tx, page: list[PushRow]) -> Found:
        found = Found()
        for push in page:
            late = push.due_us is not None and tx.now_us >= push.due_us
            if push.status == "sending" and push.id not in self._pusher.sending:
                if late:  # whoever sent it is gone, and so is its lease
                    store.end_push(tx, push.id)
                continue
            try:
                news = touch_task(tx, lease_of(push))
            except LeaseLostProblem:
                store.end_push(tx, push.id)
                found.lost.append(push)
                continue
            if news.cancel_requested:
                if store.cancel_push(tx, push.id):
                    found.cancelled.append(push)
            elif late and push.status == "accepted":
                found.late.append(push)
        return found

    async def _tell(self, push: PushRow) -> None:
        """Tell a target to stop; where it takes that, the task has stopped."""
        try:
            row = await self._parts.db.read(lambda tx: store.find_target(tx, push.tenant_id, push.target_id))
            if row is None:
                return
            body = cancel_task(push.execution_id, push.path, push.epoch, self._clock.now_us())
            await self._sender.send(row, f"{push.id}_cancel", body, timeout_s=CANCEL_WITHIN_S)
            if (sending := self._pusher.sending.get(push.id)) is not None:
                sending.cancel()
            await self._end(push, "cancelled", "The execution was cancelled, and the webhook has stopped.")
        except Refused as refused:
            log.info("a webhook did not take that it is to stop", push_id=push.id, error=refused.detail)
        except Problem as problem:
            log.info("that a webhook has stopped was not recorded", push_id=push.id, code=problem.code)
        except Exception:  # the boundary: a mistake in here must not stop other pushes
            log.exception("a webhook could not be told to stop", push_id=push.id)

    async def _end(self, push: PushRow, code: str, text: str) -> None:
        kind = "Cancelled" if code == "cancelled" else "StepTimeout"
        retryable = False if code == "cancelled" else None
        said = TaskSaid(error=failure(kind, code, text), retryable=retryable)
        try:
            await finish(self._parts, self._known, push, said)
        except (LeaseLostProblem, NotFound):
            log.debug("a pushed node had ended by then", push_id=push.id)

    async def _repeat(self) -> None:
        while True:
            await self._sleep(EVERY_S * random.uniform(0.8, 1.2))  # noqa: S311  # spreads load, hides nothing
            try:
                await self.run_once()
            except Problem as problem:  # busy, full or stopping: the next round tries again
                log.debug("pushed nodes were not kept", code=problem.code)
            except Exception:  # the boundary: a mistake must not end all leases until the next start
                log.exception("pushed nodes were not kept")


def sweep_old(tx: Tx) -> int:
    """Delete a portion of the pushes that ended long ago; returns how many."""
    return store.delete_old(tx, tx.now_us - KEPT_S * US_PER_S, PAGE_ROWS)
