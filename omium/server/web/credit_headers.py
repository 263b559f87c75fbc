"""Headers about credits on every reply: how many remain, and a word when they are low.

    omium-credits-remaining: 9876.5
    omium-credits-warning: low

Owns what is known of each tenant's credits without a read per request. The first request of a tenant reads;
later ones are answered with what is known, and a look follows when it is older than a second, or sooner when
a commit of this process moved the tenant's credits. So a header may be one reply behind.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from omium.clock import Clock
from omium.errors import Problem
from omium.money import format_credits
from omium.server.db.tx import Database
from omium.server.ledger.state import CreditsState, credits_state

Header = tuple[bytes, bytes]

REMAINING: Final = b"omium-credits-remaining"
WARNING: Final = b"omium-credits-warning"
MAX_AGE_US: Final = 1_000_000
MOVED_AGE_US: Final = 50_000
"""After a commit that moved credits: at most twenty looks a second for one tenant."""
KNOWN_MAX: Final = 10_000


@dataclass(slots=True)
class _Known:
    headers: list[Header]
    read_us: int
    moved: bool = False
    looking: bool = False


class CreditHeaders:
    """What is known of tenants' credits. Belongs to the event loop's thread."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._looks: set[asyncio.Task[None]] = set()

    def note_moved(self, tenant_id: str) -> None:
        """Take what is known of a tenant for old; called after a commit."""
        known = self._known.get(tenant_id)
        if known is not None:
            known.moved = True

    async def get(self, tenant_id: str) -> list[Header]:
        """Return the headers of a reply to the tenant; waits for the database only the first time."""
        known = self._known.get(tenant_id)
        if known is None:
            if len(self._known) >= KNOWN_MAX:
                self._known.clear()
            known = self._known[tenant_id] = _Known([], self._clock.boot_us())
            await self._look(tenant_id, known)
            return known.headers
        age_us = self._clock.boot_us() - known.read_us
        if not known.looking and age_us > (MOVED_AGE_US if known.moved else MAX_AGE_US):
            known.looking = True
            look = asyncio.create_task(self._look(tenant_id, known))
            self._looks.add(look)
            look.add_done_callback(self._looks.discard)
        return known.headers

    async def close(self) -> None:
        """Wait for the looks that are under way; the database is still open."""
        await asyncio.gather(*self._looks, return_exceptions=True)

    async def _look(self, tenant_id: str, known: _Known) -> None:
        known.moved = False
        try:
            state = await self._db.read(lambda tx: credits_state(tx, tenant_id))
            known.headers = make_headers(state)
        except Problem:  # busy or closing: what was known stays
            pass
        finally:
            known.read_us = self._clock.boot_us()
            known.looking = False


def make_headers(state: CreditsState) -> list[Header]:
    """Return what a reply says about `state`."""
    remaining = format_credits(state.available_microcredits).replace(",", "")
    headers = [(REMAINING, remaining.encode())]
    if state.is_low:
        headers.append((WARNING, b"low"))
    return headers
