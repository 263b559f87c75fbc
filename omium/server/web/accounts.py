"""Accounts: how a key is made and stored, for the two endpoints and the offline command that do it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from omium.apikeys import KEY_ID_PREFIX, ApiKeyParts, make_api_key
from omium.ids import new_id
from omium.models.account import NewKey
from omium.server.db.tx import Tx
from omium.server.seal import KeyFile
from omium.server.store import api_keys as store
from omium.server.store.tenants import Tenant
from omium.states import Environment, Scope


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A key that is not stored yet: its parts, shown once, and the digest that is kept."""

    parts: ApiKeyParts
    digest: bytes


def make_key(key_file: KeyFile, environment: Environment, now_us: int) -> MadeKey:
    """Return a new key; outside of any transaction, because a work may run twice."""
    parts = make_api_key(environment.value, new_id(KEY_ID_PREFIX, now_us))
    return MadeKey(parts, key_file.digest_api_key(parts))


def make_secret(key_file: KeyFile, environment: Environment, key_id: str) -> MadeKey:
    """Return the key `key_id` with a new secret; outside of any transaction, as above."""
    parts = make_api_key(environment.value, key_id)
    return MadeKey(parts, key_file.digest_api_key(parts))


def write_scopes(scopes: Sequence[Scope]) -> str:
    """Return scopes as a key's row has them."""
    return " ".join(sorted(set(scopes)))


def write_workflows(workflows: Sequence[str] | None) -> bytes | None:
    """Return a list of workflows as a key's row has it."""
    return None if workflows is None else json.dumps(sorted(set(workflows))).encode()


def read_workflows(row: store.KeyRow) -> list[str] | None:
    """Return the list of workflows that a key's row has, None for all of them."""
    return None if row.workflows is None else json.loads(row.workflows)


def insert_key(
    tx: Tx,
    made: MadeKey,
    tenant: Tenant,
    *,
    name: str,
    scopes: Sequence[Scope],
    workflows: Sequence[str] | None,
    expires_us: int | None,
    created_by: str | None,
) -> NewKey:
    """Store `made` and return what its owner is shown this once."""
    row = store.KeyRow(
        id=made.parts.key_id,
        tenant_id=tenant.id,
        name=name,
        environment=made.parts.environment,
        scopes=write_scopes(scopes),
        workflows=write_workflows(workflows),
        digest=made.digest,
        status=store.ACTIVE,
        created_us=tx.now_us,
        created_by=created_by,
        expires_us=expires_us,
        revoked_us=None,
        last_used_us=None,
    )
    store.insert_key(tx, row)
    return show_new_key(made, tenant, row)


def show_new_key(made: MadeKey, tenant: Tenant, row: store.KeyRow) -> NewKey:
    """Return the key with its secret, which is shown this once."""
    return NewKey(
        tenant=tenant.name,
        tenant_id=tenant.id,
        api_key=made.parts.token,
        api_key_id=row.id,
        name=row.name,
        environment=Environment(row.environment),
        scopes=[Scope(scope) for scope in row.scopes.split()],
        expires_at_us=row.expires_us,
    )
