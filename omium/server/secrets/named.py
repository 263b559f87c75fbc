"""Named secrets: set, listed, deleted; opened only inside the server, where they are used.

A value is sealed with the key file for its place: tenant, environment, name and version. A row that was
copied to another tenant, environment or name does not open, nor does a former value under a newer version.
There is no way to read one back over HTTP, with no scope: whoever has lost a value sets another.

Set twice: the second value counts. The process dies before the commit: the former value counts. Another
tenant's name is a name of its own.
"""

from __future__ import annotations

from typing import Final

from omium.errors import InvalidRequest, LimitReached, NotFound, OutcomeUnknown
from omium.models.secret import Secret
from omium.server.db.tx import Tx
from omium.server.principal import Principal
from omium.server.seal import KeyFile
from omium.server.store import secrets as store
from omium.server.store.secrets import SecretRow
from omium.states import Environment

SECRETS_MAX: Final = 500
LAST_USED_THROTTLE_US: Final = 60 * 1_000_000


def set_secret(
    tx: Tx, keys: KeyFile, principal: Principal, environment: Environment, name: str, value: str
) -> Secret:
    """Store `value` under `name`, as a new version where there is one."""
    former = store.lock_secret(tx, principal.tenant_id, environment.value, name)
    if former is None and store.count_secrets(tx, principal.tenant_id) >= SECRETS_MAX:
        raise LimitReached(f"A tenant has at most {SECRETS_MAX} named secrets; delete one first.")
    version = 1 if former is None else former.version + 1
    row = SecretRow(
        tenant_id=principal.tenant_id,
        environment=environment.value,
        name=name,
        version=version,
        sealed=keys.seal(value.encode(), place_of(principal.tenant_id, environment.value, name, version)),
        created_us=tx.now_us if former is None else former.created_us,
        updated_us=tx.now_us,
        updated_by=principal.id,
        last_used_us=None if former is None else former.last_used_us,
    )
    if not store.write_secret(tx, row):  # two first values at once
        raise OutcomeUnknown(f"Somebody else has set {name} at the same moment; look, and set it again.")
    return view_secret(row)


def delete_secret(tx: Tx, principal: Principal, environment: Environment, name: str) -> None:
    """Delete a secret; what needs it fails from now on. Raises `NotFound`."""
    if not store.delete_secret(tx, principal.tenant_id, environment.value, name):
        raise NotFound(f"There is no secret named {name} in {environment.value}.")


def open_secret(tx: Tx, keys: KeyFile, tenant_id: str, environment: str, name: str) -> str:
    """Return a secret's value, for use inside the server, and note the use.

    Raises `InvalidRequest` that names the secret where there is none, `SealBroken` where the row was moved.
    """
    row = store.find_secret(tx, tenant_id, environment, name)
    if row is None:
        raise InvalidRequest(
            f"There is no secret named {name} in {environment}; set it with `omium secrets set {name}`."
        )
    value = open_row(keys, row)
    store.touch_secret(tx, row, LAST_USED_THROTTLE_US)
    return value


def open_row(keys: KeyFile, row: SecretRow) -> str:
    """Return what is sealed in `row`; raises `SealBroken`."""
    return keys.unseal(row.sealed, place_of(row.tenant_id, row.environment, row.name, row.version)).decode()


def place_of(tenant_id: str, environment: str, name: str, version: int) -> bytes:
    """Return the place that a value is sealed for."""
    return "\x00".join([tenant_id, "secrets", environment, name, str(version)]).encode()


def view_secret(row: SecretRow) -> Secret:
    """Return what may be seen of a secret."""
    return Secret(
        name=row.name,
        environment=Environment(row.environment),
        version=row.version,
        created_at_us=row.created_us,
        updated_at_us=row.updated_us,
        updated_by=row.updated_by,
        last_used_at_us=row.last_used_us,
    )
