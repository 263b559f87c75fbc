"""The ledger without HTTP, for tests: one transaction per call, on a real database."""

from contextlib import asynccontextmanager
from dataclasses import dataclass

from omium.clock import ManualClock
from omium.server.db.open import open_database
from omium.server.db.tx import Database
from omium.server.ledger import caps, funding, holds
from omium.server.ledger.book import About, EntryKind
from omium.server.ledger.verify import verify_ledger
from omium.server.store import api_keys
from omium.server.store import ledger as store
from omium.server.store.api_keys import KeyRow
from omium.server.store.tenants import insert_tenant
from tests.db.twice import TwiceDatabase

ABOUT = About(actor_id="key_test")


@dataclass
class Ledger:
    db: Database
    clock: ManualClock
    tenant_id: str
    other_id: str

    async def grant(self, amount, *, once=None, kind=EntryKind.GRANT, tenant_id=None):
        tenant_id = tenant_id or self.tenant_id
        return await self.db.write(lambda tx: funding.fund(tx, tenant_id, kind, amount, ABOUT, once=once))

    async def place(self, purpose, amount, **fields):
        return await self.db.write(lambda tx: holds.place(tx, self.tenant_id, purpose, amount, **fields))

    async def spend(self, purpose, amount, **fields):
        return await self.db.write(
            lambda tx: holds.spend(tx, self.tenant_id, purpose, amount, ABOUT, **fields)
        )

    async def resolve(self, purpose):
        return await self.db.write(lambda tx: holds.resolve(tx, self.tenant_id, purpose))

    async def do(self, function, *args, **fields):
        """Call a function of the ledger that takes (tx, tenant id, …)."""
        return await self.db.write(lambda tx: function(tx, self.tenant_id, *args, **fields))

    async def funds(self, tenant_id=None):
        return await self.db.read(lambda tx: store.find_funds(tx, tenant_id or self.tenant_id))

    async def entries(self):
        return await self.db.read(lambda tx: store.list_entries_after(tx, self.tenant_id, 0, 1_000_000))

    async def accounts(self, owner=None):
        rows = await self.db.read(lambda tx: store.list_accounts(tx, owner or self.tenant_id))
        return {row.kind: row.balance_microcredits for row in rows}

    async def capped_key(self, cap, period="total"):
        """Store a key with a cap and return its id."""

        def work(tx):
            key_id = tx.new_id("ak")
            api_keys.insert_key(
                tx,
                KeyRow(
                    id=key_id,
                    tenant_id=self.tenant_id,
                    name="capped",
                    environment="dev",
                    scopes="run",
                    workflows=None,
                    digest=b"d",
                    status="active",
                    created_us=tx.now_us,
                    created_by=None,
                    expires_us=None,
                    revoked_us=None,
                    last_used_us=None,
                ),
            )
            caps.set_cap(tx, self.tenant_id, key_id, cap, period)
            return key_id

        return await self.db.write(work)

    async def problems(self):
        return [text async for _, text in verify_ledger(self.db)]


@asynccontextmanager
async def open_ledger(url, clock):
    """Open a ledger with two tenants on the database at `url`; every work runs twice."""
    db = TwiceDatabase(await open_database(url, clock=clock))
    try:
        tenant, other = [await db.write(lambda tx: insert_tenant(tx, "test")) for _ in range(2)]
        yield Ledger(db, clock, tenant.id, other.id)
    finally:
        await db.close()
