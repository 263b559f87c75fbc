"""Recovery: a new owner's key, another password, for whoever holds the data folder of a stopped server.

Not a way around anything: who can read the folder has the database and the key file, and so the server. What
is done stands in the audit log all the same, of each tenant that it concerns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from omium.clock import SystemClock
from omium.errors import ConfigError
from omium.models.account import NewKey
from omium.models.people import UserSummary
from omium.server.accounts import throttle
from omium.server.accounts.names import normalise_name
from omium.server.accounts.passwords import Passwords, check_password
from omium.server.audit.log import Actor, AuditLog
from omium.server.db.open import open_database
from omium.server.db.tx import Tx
from omium.server.seal import KeyFile
from omium.server.settings import ServerSettings
from omium.server.store import login_failures, memberships, sessions, tenants, users
from omium.server.store.audit_log import SYSTEM
from omium.server.web import accounts
from omium.states import Environment, Scope

_PAGE: Final = 200
T = TypeVar("T")


async def make_owner_key(
    settings: ServerSettings, *, tenant_id: str | None = None, environment: Environment = Environment.DEV
) -> NewKey:
    """Return a new key with every scope, of the tenant `tenant_id` or the first one.

    Dies before the commit: no key; after it: a key that nobody knows, so call it again and revoke that one.
    Raises `DatabaseLocked` while a server runs, `ConfigError` where there is no tenant or no key file.
    """
    key_file = KeyFile.open(settings.key_file, create=False)
    made = accounts.make_key(key_file, environment, SystemClock().now_us())

    def work(tx: Tx) -> NewKey:
        tenant = tenants.find_tenant(tx, tenant_id) if tenant_id else tenants.find_first_standing(tx)
        if tenant is None:
            raise ConfigError(
                "There is no such tenant in this database; start the server and run `omium init`."
            )
        key = accounts.insert_key(
            tx,
            made,
            tenant,
            name="recovered owner",
            scopes=list(Scope),
            workflows=None,
            expires_us=None,
            created_by=None,
        )
        _record(tx, key_file, "key.created", key.api_key_id, [tenant.id])
        return key

    return await _on_files(settings, work)


async def list_users(settings: ServerSettings) -> list[UserSummary]:
    """Return every user with the names of his tenants. Raises as `make_owner_key`."""

    def work(tx: Tx) -> list[UserSummary]:
        found, after = [], ""
        while page := users.list_users(tx, after, _PAGE):
            after = page[-1].id
            for row in page:
                own = memberships.list_tenants_of(tx, row.id, "", _PAGE)
                found.append(
                    UserSummary(
                        user_id=row.id,
                        user=row.name,
                        status=row.status,
                        server_owner=bool(row.server_owner),
                        tenants=[f"{each.name} ({each.role})" for each in own],
                        created_at_us=row.created_us,
                    )
                )
        return found

    return await _on_files(settings, work)


async def reset_password(settings: ServerSettings, name: str, password: str) -> None:
    """Set the user's password; every session of his ends, and failed log-ins are forgotten.

    Dies before the commit: nothing has changed. Raises `ConfigError` without such a user, `InvalidRequest`
    for a password that is not taken.
    """
    known = normalise_name(name)
    check_password(password, user=known)
    key_file = KeyFile.open(settings.key_file, create=False)
    passwords = Passwords(settings.password_memory_mib)
    try:
        digest = await passwords.hash(password)
    finally:
        passwords.close()
    account = throttle.make_attempt(key_file, known, "").account

    def work(tx: Tx) -> None:
        user = _get_user(tx, known)
        users.set_password(tx, user.id, user.password, digest)
        sessions.end_of_user(tx, user.id)
        login_failures.forget(tx, account)
        _record(tx, key_file, "password.reset", user.id, _tenants_of(tx, user.id))

    await _on_files(settings, work)


async def set_user_status(settings: ServerSettings, name: str, status: str) -> None:
    """Make the user active or disabled; who is disabled has no sessions any more. Raises `ConfigError`."""
    known = normalise_name(name)
    key_file = KeyFile.open(settings.key_file, create=False)

    def work(tx: Tx) -> None:
        user = _get_user(tx, known)
        users.set_status(tx, user.id, status)
        disabled = status == users.DISABLED
        if disabled:
            sessions.end_of_user(tx, user.id)
        action = "user.disabled" if disabled else "user.enabled"
        _record(tx, key_file, action, user.id, _tenants_of(tx, user.id))

    await _on_files(settings, work)


def _get_user(tx: Tx, name: str) -> users.UserRow:
    user = users.find_by_name(tx, name)
    if user is None:
        raise ConfigError(f"There is no user {name} in this database; `omium users list` shows them.")
    return user


def _tenants_of(tx: Tx, user_id: str) -> list[str]:
    """Return the tenants that the user is a member of; the chain of none where there is none."""
    found, after = [], ""
    while page := memberships.list_tenants_of(tx, user_id, after, _PAGE):
        after = page[-1].id
        found += [each.id for each in page]
    return found or [SYSTEM]


def _record(tx: Tx, key_file: KeyFile, action: str, target: str, tenant_ids: list[str]) -> None:
    """Write what was done by hand into each tenant's chain, locked in one order, as the last of the work."""
    log = AuditLog(key_file)
    for tenant_id in sorted(tenant_ids):
        log.record(tx, Actor.server(tenant_id), action, target=target, detail={"stopped_server": True})


async def _on_files(settings: ServerSettings, work: Callable[[Tx], T]) -> T:
    db = await open_database(settings.database, clock=SystemClock())
    try:
        return await db.write(work)
    finally:
        await db.close()
