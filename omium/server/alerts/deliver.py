"""Deliver: messages are taken, sent, and noted: at least once each, under one id.

    claim (one transaction) > send (no transaction) > note (one transaction)

The process dies before the claim: nothing happened. Between claim and note: the claim runs out after
`CLAIM_S` and the message is sent again, under the same id, which is how a receiver knows it. After the note:
done. Two servers claim different messages. One slow or dead target holds up one task of `AT_ONCE`, and only
for as long as its time; a message that was not taken waits longer each time, and is dead after
`ATTEMPTS_MAX`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final

from omium.clock import US_PER_S, Clock
from omium.errors import Problem, SealBroken
from omium.logs import get_logger
from omium.server.alerts.channels import Channels, TargetGone
from omium.server.db.tx import Database, Tx
from omium.server.looping import Looping
from omium.server.outbound.addresses import TargetRefused
from omium.server.outbound.http import SendFailed
from omium.server.store import alerts as store
from omium.server.store.alerts import DeliveryRow
from omium.states import DeliveryStatus

EVERY_S: Final = 1.0
AT_ONCE: Final = 16
CLAIM_S: Final = 120
"""Longer than any channel may take: nobody else sends what is still being sent."""
ATTEMPTS_MAX: Final = 15
FIRST_PAUSE_S: Final = 5
LONGEST_PAUSE_S: Final = 3 * 3600
DISABLED: Final = "disabled"
ERROR_MAX: Final = 300

Sleep = Callable[[float], Awaitable[None]]

log = get_logger(__name__)


class Deliverer(Looping):
    """Sends what is due, in the background, until `stop`."""

    TASK = "alert deliveries"

    def __init__(
        self, db: Database, channels: Channels, clock: Clock, *, sleep: Sleep = asyncio.sleep
    ) -> None:
        super().__init__()
        self._db = db
        self._channels = channels
        self._clock = clock
        self._sleep = sleep
        self._running: set[asyncio.Task[None]] = set()

    async def stop(self) -> None:
        """End; what is being sent is cut off, and sent again when its claim has run out."""
        await super().stop()  # first, so that nothing more begins
        tasks = list(self._running)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def run_once(self) -> int:
        """Begin to send what is due now, as far as tasks are free; returns how much was taken."""
        free = AT_ONCE - len(self._running)
        if free <= 0:
            return 0
        claimed = await self._db.write(lambda tx: store.claim_due(tx, tx.now_us + CLAIM_S * US_PER_S, free))
        for row in claimed:
            task = asyncio.create_task(self._try(row), name=f"alert {row.id}")
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return len(claimed)

    async def settle(self) -> None:
        """Wait for what is being sent."""
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _repeat(self) -> None:
        while True:
            try:
                await self.run_once()
            except Problem as problem:  # busy, full or stopping: the next round tries again
                log.debug("no alert could be taken", code=problem.code)
            except Exception:  # the boundary: a mistake must not end all deliveries until the next start
                log.exception("no alert could be taken")
            await self._sleep(EVERY_S * random.uniform(0.8, 1.2))  # noqa: S311  # spreads load, hides nothing

    async def _try(self, row: DeliveryRow) -> None:
        """Send once and note it; a database that is away leaves the claim to run out."""
        try:
            await self._deliver(row)
        except Problem as problem:  # perhaps sent, but not noted: sent again, under the same id
            log.warning("an alert's attempt was not noted", delivery_id=row.id, code=problem.code)

    async def _deliver(self, row: DeliveryRow) -> None:
        status, error = DeliveryStatus.SENT, ""
        gone = False
        rule = await self._db.read(lambda tx: store.find_rule(tx, row.tenant_id, row.rule_id))
        if rule is None:  # removed meanwhile, and its messages with it
            return
        try:
            await self._channels.send(rule, row, self._clock.now_us())
        except SendFailed as failed:
            last = row.attempts >= ATTEMPTS_MAX
            status, error = DeliveryStatus.DEAD if last else DeliveryStatus.RETRYING, str(failed)
        except TargetGone as failed:
            status, error, gone = DeliveryStatus.DEAD, str(failed), True
        except (TargetRefused, SealBroken) as failed:  # nothing that time would heal
            status, error = DeliveryStatus.DEAD, str(failed)
        except Exception:  # the boundary: a mistake in here must not send the same message for ever
            log.exception("an alert could not be sent", delivery_id=row.id)
            status, error = DeliveryStatus.DEAD, "The server made a mistake; its log tells more."

        def note(tx: Tx) -> None:
            due_us = tx.now_us + pause_us(row.attempts) if status is DeliveryStatus.RETRYING else tx.now_us
            if store.end_attempt(tx, row, status.value, error[:ERROR_MAX], due_us) and gone:
                store.set_status(tx, row.rule_id, DISABLED, error[:ERROR_MAX])

        await self._db.write(note)
        if status is DeliveryStatus.DEAD:
            log.warning("an alert was given up", delivery_id=row.id, rule_id=row.rule_id, error=error)


def pause_us(attempts: int) -> int:
    """Return how long the next attempt waits after `attempts`; with jitter, never less than half."""
    longest: float = min(FIRST_PAUSE_S * 2.0 ** (attempts - 1), LONGEST_PAUSE_S)
    return round(longest * random.uniform(0.5, 1.0) * US_PER_S)  # noqa: S311  # spreads load, hides nothing
