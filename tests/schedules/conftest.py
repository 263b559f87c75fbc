"""An engine on each database, whose key is a row, as whoever made a schedule must be."""

import pytest

from omium.clock import ManualClock
from omium.server.db.open import open_database
from omium.server.engine.parts import EngineParts
from omium.server.engine.values import Vault
from omium.server.seal import KeyFile
from omium.server.store.api_keys import KeyRow, insert_key
from omium.server.store.tenants import insert_tenant
from omium.states import Scope
from tests.engine.harness import Engine, principal
from tests.engine.watched import TwiceDatabase

START_US = 1_767_225_600_000_000  # 2026-01-01, 00:00 UTC


def make_key(tenant_id, key_id, **columns):
    return KeyRow(
        **{
            "id": key_id,
            "tenant_id": tenant_id,
            "name": key_id,
            "environment": "dev",
            "scopes": " ".join(Scope),
            "workflows": None,
            "digest": key_id.encode(),
            "status": "active",
            "created_us": 0,
            "created_by": None,
            "expires_us": None,
            "revoked_us": None,
            "last_used_us": None,
        }
        | columns
    )


@pytest.fixture
def clock():
    return ManualClock(START_US)


@pytest.fixture
def key_file(tmp_path):
    return KeyFile.open(tmp_path / "keys")


@pytest.fixture
async def engine(database_url, clock, key_file):
    """Works run twice, the first time undone."""
    db = await open_database(database_url, clock=clock)
    try:
        tenant, other = [await db.write(lambda tx: insert_tenant(tx, "test")) for _ in range(2)]
        for owner, key_id in ((tenant, "ak_test"), (other, "ak_other")):
            await db.write(lambda tx, o=owner, k=key_id: insert_key(tx, make_key(o.id, k)))
        yield Engine(
            EngineParts(TwiceDatabase(db), Vault(key_file)),
            clock,
            principal(tenant.id, "ak_test"),
            principal(other.id, "ak_other"),
        )
    finally:
        await db.close()
