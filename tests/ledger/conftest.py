"""A ledger on each database, with two tenants and a clock that stands still; every work runs twice."""

import pytest

from omium.clock import ManualClock
from omium.server.db.open import open_database
from omium.server.store.tenants import insert_tenant
from tests.db.twice import TwiceDatabase
from tests.ledger.harness import Ledger


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
async def ledger(database_url, clock):
    db = TwiceDatabase(await open_database(database_url, clock=clock))
    try:
        tenant, other = [await db.write(lambda tx: insert_tenant(tx, "test")) for _ in range(2)]
        yield Ledger(db, clock, tenant.id, other.id)
    finally:
        await db.close()
