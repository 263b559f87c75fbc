"""The pusher: gives ready nodes to targets, one grant and one signed request each.

    claim (one transaction) > send (no transaction) > record (one transaction)

The process dies before the claim: nothing happened. While it sends: nobody keeps that lease any more, so the
node is ready again after it, and is pushed under another token; the effect key is the same. After the record:
done. A target that was never reached, or says 429 or 503, is asked again under the same id and token, with
growing pauses; whatever else goes wrong is a failed try of the node, whose policy decides. A slow or dead
target holds its own tasks and no other's: each request is a task of its own, and no target has more of them
than its concurrency.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from omium.clock import US_PER_S, Clock
from omium.errors import LeaseLostProblem, NotFound, Problem
from omium.logs import get_logger
from omium.models.tasks import Task
from omium.models.webhook import TaskSaid
from omium.server.db.tx import Tx
from omium.server.engine.live import queue_topic
from omium.server.engine.parts import EngineParts
from omium.server.engine.task_grants import Place, claim_for
from omium.server.live import LiveHub, Watcher
from omium.server.looping import Looping
from omium.server.secrets.known import KnownSecrets
from omium.server.store import webhooks as store
from omium.server.store.activations import ActivationRow
from omium.server.store.webhooks import PushRow, TargetRow
from omium.server.webhooks.callbacks import finish
from omium.server.webhooks.messages import ReplyInvalid, failure, read_reply, request_task
from omium.server.webhooks.sending import Refused, Sender
from omium.server.webhooks.targets import NOTE_MAX

EVERY_S: Final = 1.0
IDLE_S: Final = 5.0
"""Between two looks where there is no target at all."""
WATCHED_MAX: Final = 1_000
"""Targets whose queues wake the pusher at once; the others' tasks are found by the next look."""
PAGE_ROWS: Final = 100
AT_ONCE: Final = 16
"""How many tasks one look takes for one target."""
TRIES_MAX: Final = 6
FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 30.0
TOKEN_BYTES: Final = 32
BUSY: Final = frozenset({429, 503})
SPARE_S: Final = 120

Sleep = Callable[[float], Awaitable[None]]

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Offer:
    """A target, and how many tasks it can be given now."""

    row: TargetRow
    place: Place
    free: int


class Pusher(Looping):
    """Pushes what is ready, in the background, until `stop`."""

    TASK = "webhook pushes"

    def __init__(
        self,
        parts: EngineParts,
        sender: Sender,
        known: KnownSecrets,
        live: LiveHub,
        clock: Clock,
        *,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        super().__init__()
        self._parts = parts
        self._sender = sender
        self._known = known
        self._live = live
        self._clock = clock
        self._sleep = sleep
        self.sending: dict[str, asyncio.Task[None]] = {}
        """By the id of the push: the requests that are under way in this process."""

    async def stop(self) -> None:
        """End; what is being sent is cut off, and its nodes are pushed again after their leases."""
        await super().stop()  # first, so that nothing more begins
        tasks = list(self.sending.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def run_once(self) -> int:
        """Claim what is ready for targets that have room, and begin to send it; returns how much."""
        begun, after_id = 0, ""
        while offers := await self._parts.db.read(lambda tx, a=after_id: _list_offers(tx, a)):  # type: ignore[misc]
            for offer in random.sample(offers, len(offers)):
                begun += await self._begin(offer)
            after_id = offers[-1].row.id
        return begun

    async def settle(self) -> None:
        """Wait for what is being sent."""
        await asyncio.gather(*self.sending.values(), return_exceptions=True)

    async def _repeat(self) -> None:
        while True:
            watcher, wait_s = Watcher(), EVERY_S
            with contextlib.ExitStack() as topics:
                try:
                    queues = await self._parts.db.read(lambda tx: store.list_queues(tx, WATCHED_MAX))
                    for each in queues:
                        topic = queue_topic(each.tenant_id, each.environment, each.queue)
                        topics.enter_context(self._live.watch(*topic, watcher=watcher))
                    wait_s = EVERY_S if queues else IDLE_S
                    if queues:
                        await self.run_once()
                except Problem as problem:  # busy, full or stopping: the next round tries again
                    log.debug("no node could be pushed", code=problem.code)
                except Exception:  # the boundary: a mistake must not end all pushes until the next start
                    log.exception("no node could be pushed")
                if not self._live.closed:
                    await watcher.wait(wait_s * random.uniform(0.8, 1.2))  # noqa: S311  # spreads load
                else:
                    await self._sleep(EVERY_S)

    async def _begin(self, offer: Offer) -> int:
        ids: dict[str, str] = {}
        row = offer.row

        def note(tx: Tx, task: ActivationRow, digest: str) -> None:
            ids[digest] = tx.new_id("wp")
            due_s = TRIES_MAX * (row.reply_s + LONGEST_PAUSE_S) + SPARE_S
            push = PushRow(
                id=ids[digest],
                tenant_id=row.tenant_id,
                target_id=row.id,
                execution_id=task.execution_id,
                path=task.path,
                epoch=task.epoch,
                token_digest=digest,
                status="sending",
                due_us=tx.now_us + round(due_s * US_PER_S),
                created_us=tx.now_us,
                ended_us=None,
            )
            pushes[digest] = push
            store.insert_push(tx, push)

        pushes: dict[str, PushRow] = {}
        tokens = [secrets.token_urlsafe(TOKEN_BYTES) for _ in range(offer.free)]
        tasks = await claim_for(self._parts, offer.place, row.id, tokens, note)
        by_task = {(push.execution_id, push.path): push for push in pushes.values()}
        for task in tasks:
            push = by_task[task.execution_id, task.path]
            self.spawn(push.id, self._push(row, push, task))
        return len(tasks)

    def spawn(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` beside the others; known by `name` until it ends."""
        task = asyncio.create_task(work, name=f"webhook {name}")
        self.sending[name] = task
        task.add_done_callback(lambda _task: self.sending.pop(name, None))

    async def _push(self, row: TargetRow, push: PushRow, task: Task) -> None:
        """Send one task and record what came of it; a database that is away leaves the lease to run out."""
        try:
            said = await self._ask(row, push, task)
            if said is None:
                due_us = self._clock.now_us() + row.callback_s * US_PER_S
                await self._parts.db.write(lambda tx: store.accept_push(tx, push.id, due_us))
            else:
                await finish(self._parts, self._known, push, said)
        except LeaseLostProblem:
            log.info("a pushed node was somebody else's by then", push_id=push.id)
        except NotFound:
            log.info("a pushed node is there no more", push_id=push.id)
        except Problem as problem:
            log.warning("what a webhook did was not recorded", push_id=push.id, code=problem.code)
        except Exception:  # the boundary: a mistake in here must not stop other pushes
            log.exception("a node could not be pushed", push_id=push.id)

    async def _ask(self, row: TargetRow, push: PushRow, task: Task) -> TaskSaid | None:
        """Return what the target said, None where it will call back."""
        body = request_task(task, self._clock.now_us())
        for number in range(1, TRIES_MAX + 1):
            now = await self._parts.db.read(lambda tx: store.find_target(tx, row.tenant_id, row.id))
            if now is None:
                return _failed("webhook-gone", "The webhook was deleted.", not_applied=number == 1)
            try:
                taken = await self._sender.send(now, push.id, body, timeout_s=row.reply_s)
                said = read_reply(taken.status, taken.body, complete=taken.complete)
            except ReplyInvalid as invalid:
                return _failed("webhook-reply-invalid", str(invalid))
            except Refused as refused:
                if refused.gone:
                    await self._note(now, store.DISABLED, refused.detail)
                    return _failed("webhook-gone", refused.detail, not_applied=True, status=refused.status)
                await self._note(now, now.status, refused.detail)
                again = not refused.reached or refused.status in BUSY
                if not again or number == TRIES_MAX:
                    code = "webhook-unreachable" if refused.status is None else "webhook-refused"
                    return _failed(
                        code,
                        refused.detail,
                        not_applied=again,
                        status=refused.status,
                        retry_after_s=refused.retry_after_s,
                    )
                await self._sleep(_pause_s(number, refused.retry_after_s))
            else:
                await self._note(now, now.status, "")
                return said
        raise AssertionError("the last try returns")

    async def _note(self, row: TargetRow, status: str, note: str) -> None:
        """Show people how the target does, where that has changed."""
        note = note[:NOTE_MAX]
        if (row.status, row.note) != (status, note):
            await self._parts.db.write(lambda tx: store.set_status(tx, row.id, status, note))


def _list_offers(tx: Tx, after_id: str) -> list[Offer]:
    """Return a page of the targets that have room and for which something is ready, by id."""
    offers = []
    for row in store.list_wanted(tx, after_id, PAGE_ROWS):
        place = Place(row.tenant_id, row.environment, row.queue, tuple(store.list_handlers(tx, row.id)))
        offers.append(Offer(row, place, min(row.concurrency - store.count_open(tx, row.id), AT_ONCE)))
    return offers


def _failed(code: str, text: str, *, not_applied: bool = False, **facts: object) -> TaskSaid:
    given = {name: fact for name, fact in facts.items() if fact is not None}
    return TaskSaid(error=failure("WebhookFailed", code, text, **given), not_applied=not_applied)


def _pause_s(number: int, retry_after_s: float | None) -> float:
    """Return how long the next try waits after the `number`-th; with jitter, never less than half."""
    longest_s: float = min(FIRST_PAUSE_S * 2.0 ** (number - 1), LONGEST_PAUSE_S)
    waited_s = longest_s * random.uniform(0.5, 1.0)  # noqa: S311  # spreads load, hides nothing
    return max(waited_s, min(retry_after_s or 0.0, LONGEST_PAUSE_S))
