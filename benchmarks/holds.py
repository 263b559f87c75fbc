"""Holds that are placed and captured, in process, 64 works per commit, beside the bare two-row minimum.

    python -m benchmarks.holds [--json] [--rounds 3] [--quick]

One hold is what an execution does to the ledger: credits are set aside (a conditional update and a row), then
charged and given back (a journal entry with its place in the chain, the funds, the usage, the hold). The bare
minimum is two rows that somebody has to write for any two facts: one UPDATE and one INSERT, nothing decided.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path

from benchmarks.rows import Goal, Options, Rounds, Row, run_module
from omium.clock import SystemClock
from omium.server.db.open import open_database
from omium.server.db.tx import Database, Sql, Tx
from omium.server.ledger import funding, holds
from omium.server.ledger.book import About, EntryKind
from omium.server.store.tenants import insert_tenant

HOLDS, BARE = "holds with capture", "two bare rows"
PER_COMMIT = 64
CREDIT = 1_000_000
ABOUT = About(actor_id="bench")

UPDATE = Sql(
    "UPDATE accounts SET held_microcredits = held_microcredits WHERE owner = :owner AND kind = 'funds'"
)
INSERT = Sql("""
    INSERT INTO holds (id, tenant_id, purpose, status, held_microcredits, captured_microcredits, created_us)
    VALUES (:id, :owner, :id, 'released', 0, 0, :at_us)
""")


def measure(options: Options) -> list[Row]:
    """Fill one database after the other."""
    count = int(options.choose(12_800, 256))
    rounds = Rounds()
    rounds.run(
        options.rounds,
        {
            HOLDS: lambda: asyncio.run(_fill(count, _hold)),
            BARE: lambda: asyncio.run(_fill(count, _write_bare)),
        },
    )
    return [
        Row(
            name="holds",
            what="holds with capture, in process, 64 per commit",
            unit="holds/s",
            figures=[rounds.figure(HOLDS), rounds.figure(BARE)],
            goals=[Goal("share of two bare rows", rounds.ratio(HOLDS, BARE), 0.3, at_least=True)],
            bound_by="Python around nine short statements, and the digest that chains an entry to the last",
            remarks=["an execution of ten steps is one hold: one is placed and captured for many steps"],
        )
    ]


async def _fill(count: int, one: Callable[[Tx, str, int], None]) -> float:
    """Return how many of `one` a database takes per second, `PER_COMMIT` in each transaction."""
    with tempfile.TemporaryDirectory() as folder:
        db = await open_database(str(Path(folder) / "omium.sqlite"), clock=SystemClock())
        try:
            tenant = await db.write(lambda tx: insert_tenant(tx, "bench"))
            await db.write(
                lambda tx: funding.fund(tx, tenant.id, EntryKind.GRANT, 10_000_000 * CREDIT, ABOUT)
            )
            started_s = time.perf_counter()
            for first in range(0, count, PER_COMMIT):
                await _together(db, tenant.id, first, one)
            return count / (time.perf_counter() - started_s)
        finally:
            await db.close()


def _together(
    db: Database, tenant_id: str, first: int, one: Callable[[Tx, str, int], None]
) -> Coroutine[None, None, None]:
    def work(tx: Tx) -> None:
        for number in range(first, first + PER_COMMIT):
            one(tx, tenant_id, number)

    return db.write(work)


def _hold(tx: Tx, tenant_id: str, number: int) -> None:
    purpose = f"ex_{number}"
    holds.place(tx, tenant_id, purpose, CREDIT, fresh=True)
    holds.finish(tx, tenant_id, purpose, CREDIT // 2, ABOUT, once=f"steps:{purpose}:0")


def _write_bare(tx: Tx, tenant_id: str, number: int) -> None:
    tx.execute(UPDATE, owner=tenant_id)
    tx.execute(INSERT, id=f"hd_{number}", owner=tenant_id, at_us=tx.now_us)


if __name__ == "__main__":
    run_module(measure, __doc__)
