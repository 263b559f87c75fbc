"""Storage: what a tenant's checkpoints take, measured once on each day of UTC, and charged once for it.

    measure    what every tenant keeps now, added up in bounded pieces beside a live server
    book_day   notes it for a tenant and a day, and charges a day of it by the price book

What counts, as it is stored: recorded results of steps, saved checkpoints, a framework's checkpoints, and
large and sealed values, each once. A day is noted and charged in one transaction, under the primary key
(tenant, day): a server that dies before its commit measures again, two servers charge once, and a clock that
steps back comes to days that were noted. Days on which no server ran are not charged: nobody measured them
(docs/decisions/280-storage-is-measured-once-a-day.md).
"""

from __future__ import annotations

import datetime as dt
from typing import Final

from omium.pricing.rates import COST_MAX_MICROCREDITS
from omium.server.db.tx import Database, Tx
from omium.server.ledger import holds
from omium.server.ledger.book import About
from omium.server.ledger.prices import find_book
from omium.server.store import storage as store
from omium.server.store.storage import StorageDay

ROWS_PER_READ: Final = 200
DAY_US: Final = 24 * 3600 * 1_000_000


def day_of(at_us: int) -> str:
    """Return the day of UTC, such as `2026-11-23`."""
    return (dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=at_us)).date().isoformat()


async def measure(db: Database, rows_per_read: int = ROWS_PER_READ) -> dict[str, int]:
    """Return how many bytes each tenant keeps; those that keep nothing are not named."""
    kept: dict[str, int] = {}
    for source in store.KEPT:
        after = ("", "")
        while rows := await db.read(lambda tx, s=source, a=after: store.list_kept(tx, s, a, rows_per_read)):  # type: ignore[misc]
            after = (rows[-1].tenant_id, rows[-1].key)
            for row in rows:
                kept[row.tenant_id] = kept.get(row.tenant_id, 0) + row.stored_bytes
    return {tenant_id: stored for tenant_id, stored in kept.items() if stored}


def book_day(tx: Tx, tenant_id: str, day: str, stored_bytes: int, *, metered: bool) -> bool:
    """Note that a tenant keeps `stored_bytes` on `day` and charge for that day, where `metered`.

    False, and nothing changed, where the day was noted before, or the tenant is deleted. Never refused: what
    there is not enough for is owed.
    """
    if not store.stands(tx, tenant_id):
        return False
    book = find_book(tx)
    amount = min(book.price_storage(stored_bytes, DAY_US), COST_MAX_MICROCREDITS) if metered else 0
    version = book.version if amount else None
    if not store.insert_day(tx, StorageDay(tenant_id, day, stored_bytes, amount, version, tx.now_us)):
        return False
    if amount:
        once = f"storage:{day}"
        about = About(price_version=version, reference=once, note=f"{stored_bytes:,} bytes kept on {day}")
        holds.spend(tx, tenant_id, once, amount, about, once=once)
    return True
