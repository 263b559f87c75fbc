"""Storing: once on each day of UTC, measures what every tenant keeps, and has it charged.

Not a sweep: it reads for a while, in bounded pieces, and writes one transaction for each tenant at the end.
If the process dies in between it begins again; tenants that were charged already are not charged twice
(omium/server/ledger/storage.py).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from omium.errors import Problem
from omium.logs import get_logger
from omium.server.db.tx import Database
from omium.server.ledger.storage import book_day, day_of, measure
from omium.server.looping import Looping
from omium.server.store import storage as store

EVERY_S = 60.0
Sleep = Callable[[float], Awaitable[None]]

log = get_logger(__name__)


class StorageMeter(Looping):
    """Looks every minute whether today was measured.

    When it stops, what was being measured is measured again by the next start.
    """

    TASK = "storage"

    def __init__(self, db: Database, *, metered: bool, sleep: Sleep = asyncio.sleep) -> None:
        super().__init__()
        self._db = db
        self._metered = metered
        self._sleep = sleep

    async def run_once(self) -> int:
        """Measure and charge today, unless that was done; returns for how many tenants."""
        day = await self._db.read(lambda tx: day_of(tx.now_us))
        if await self._db.read(lambda tx: store.is_done(tx, day)):
            return 0
        noted = 0
        for tenant_id, stored_bytes in sorted((await measure(self._db)).items()):
            noted += await self._db.write(
                lambda tx, t=tenant_id, b=stored_bytes: book_day(tx, t, day, b, metered=self._metered)  # type: ignore[misc]
            )
        await self._db.write(lambda tx: store.note_done(tx, day))
        return noted

    async def _repeat(self) -> None:
        while True:
            await self._sleep(EVERY_S * random.uniform(0.1, 1.2))  # noqa: S311  # spreads load, hides nothing
            try:
                await self.run_once()
            except Problem as problem:  # busy, full or stopping: the next round tries again
                log.debug("storage could not be measured", code=problem.code)
            except Exception:  # the boundary: a mistake must not end all of it until the next start
                log.exception("storage could not be measured")
