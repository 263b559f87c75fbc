"""An engine on each database, with one tenant and a clock that stands still.

Every work of these tests runs twice, the first time undone, as after a serialization failure: one that keeps
something from its first run gives a wrong result here.
"""

import pytest

from omium.clock import ManualClock
from omium.server.db.open import open_database
from omium.server.engine.parts import EngineParts
from omium.server.engine.values import Vault
from omium.server.seal import KeyFile
from omium.server.store.tenants import insert_tenant
from tests.engine.harness import Engine, principal
from tests.engine.watched import TwiceDatabase
from tests.serverfixture import each_app_client

__all__ = ["each_app_client"]  # fixtures are found by name in a conftest


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def key_file(tmp_path):
    return KeyFile.open(tmp_path / "keys")


@pytest.fixture
async def engine(database_url, clock, key_file):
    """The engine, once on SQLite and once on PostgreSQL; `engine.db.once` runs works once."""
    db = await open_database(database_url, clock=clock)
    try:  # a database that stays open keeps the process from ending
        tenant, other = [await db.write(lambda tx: insert_tenant(tx, "test")) for _ in range(2)]
        yield Engine(
            EngineParts(TwiceDatabase(db), Vault(key_file)),
            clock,
            principal(tenant.id),
            principal(other.id, "key_other"),
        )
    finally:
        await db.close()
