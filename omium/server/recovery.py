"""Recovery: a new owner's key, for whoever holds the data folder of a stopped server.

Not a way around anything: who can read the folder has the database and the key file, and so the server.
"""

from __future__ import annotations

from omium.clock import SystemClock
from omium.errors import ConfigError
from omium.models.account import NewKey
from omium.server.db.open import open_database
from omium.server.db.tx import Tx
from omium.server.seal import KeyFile
from omium.server.settings import ServerSettings
from omium.server.store import tenants
from omium.server.web import accounts
from omium.states import Environment, Scope


async def make_owner_key(
    settings: ServerSettings, *, tenant_id: str | None = None, environment: Environment = Environment.DEV
) -> NewKey:
    """Return a new key with every scope, of the tenant `tenant_id` or the first one.

    Dies before the commit: no key; after it: a key that nobody knows, so call it again and revoke that one.
    Raises `DatabaseLocked` while a server runs, `ConfigError` where there is no tenant or no key file.
    """
    clock = SystemClock()
    key_file = KeyFile.open(settings.key_file, create=False)
    made = accounts.make_key(key_file, environment, clock.now_us())

    def work(tx: Tx) -> NewKey:
        tenant = tenants.find_tenant(tx, tenant_id or tenants.find_any_tenant_id(tx) or "")
        if tenant is None:
            raise ConfigError(
                "There is no such tenant in this database; start the server and run `omium init`."
            )
        return accounts.insert_key(
            tx,
            made,
            tenant,
            name="recovered owner",
            scopes=list(Scope),
            workflows=None,
            expires_us=None,
            created_by=None,
        )

    db = await open_database(settings.database, clock=clock)
    try:
        return await db.write(work)
    finally:
        await db.close()
