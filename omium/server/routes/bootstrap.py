"""Bootstrap: a fresh server's first tenant and its owner's key, for whoever can read the data folder.

The first user, too, if he is named: then he is who has created the key.

What happens when the process dies: before the commit there is no tenant and the token is still good; after it
the tenant is there, the token is void, and a repeat with the same token answers 409 `secret-not-repeatable`
(recovery.py makes another owner's key). Called twice at once, also on two servers of one database: one record
of the key "first owner" can be inserted, so one call wins.
"""

from __future__ import annotations

from omium.errors import (
    BootstrapClosed,
    IdempotencyMismatch,
    InvalidRequest,
    PasswordsBusy,
    SecretNotRepeatable,
)
from omium.models.account import Bootstrap, NewKey
from omium.money import MICROCREDITS_PER_CREDIT, to_credits
from omium.server.accounts.names import normalise_name
from omium.server.accounts.passwords import check_password
from omium.server.accounts.people import FIRST_OWNER
from omium.server.db.tx import Tx
from omium.server.ledger.funding import grant_starter
from omium.server.store import memberships, tenants, users
from omium.server.web import accounts
from omium.server.web.bootstrap import digest_token
from omium.server.web.endpoint import Answer, Call, Idempotency, endpoint
from omium.server.web.hosts import is_here
from omium.server.web.idempotency import IdempotentRequest
from omium.states import Role, Scope


@endpoint(
    "POST",
    "/v1/bootstrap",
    scope=None,
    idempotent=Idempotency.NATURAL,
    body=Bootstrap,
    reply=NewKey,
    status=201,
    problems=(BootstrapClosed, PasswordsBusy, SecretNotRepeatable),
    audit="tenant.created",
    summary="Create the first tenant and its owner's key with the one-time token",
    tags=("keys",),
)
async def bootstrap_server(call: Call[Bootstrap]) -> Answer:
    if not is_here(call.peer, call.address, call.headers):
        call.server.per_address.take(call.address)
        raise BootstrapClosed("The one-time token is taken only from the server's own machine.")
    server = call.server
    fits = server.bootstrap.fits(call.body.token)
    name, password = await _hash_first_user(call, fits=fits)
    made = accounts.make_key(server.key_file, call.body.environment, server.clock.now_us())

    def work(tx: Tx) -> NewKey:
        if not fits or tenants.find_any_tenant_id(tx) is not None:
            raise BootstrapClosed(
                "The one-time token is wrong, too old or used. On a server without tenants a fresh one"
                " lies in the data folder; on any other, use an API key."
            )
        tenant = tenants.insert_tenant(tx, call.body.tenant)
        user = None if name is None else users.insert_user(tx, name, password, server_owner=True)
        if user is not None:
            memberships.insert_member(tx, tenant.id, user.id, Role.OWNER.value, created_by=None)
        tx.after_commit(server.bootstrap.withdraw)
        call.tell(target=tenant.id, tenant_id=tenant.id)
        entry = grant_starter(tx, tenant.id, server.settings.starter_credits * MICROCREDITS_PER_CREDIT)
        key = accounts.insert_key(
            tx,
            made,
            tenant,
            name="owner",
            scopes=list(Scope),
            workflows=None,
            expires_us=None,
            created_by=None if user is None else user.id,
        )
        return key.model_copy(update={"credits": to_credits(entry.amount_microcredits) if entry else 0})

    request = IdempotentRequest(
        tenant_id=FIRST_OWNER.tenant_id,
        principal_id=FIRST_OWNER.principal_id,
        endpoint=FIRST_OWNER.endpoint,
        key=FIRST_OWNER.key,
        digest=digest_token(call.body.token).hex(),
        secret_fields=NewKey.secret_fields,
    )
    try:
        return await request.mutate(call.db, work, call.status)
    except (BootstrapClosed, IdempotencyMismatch) as error:
        server.per_address.take(call.address)
        raise BootstrapClosed(
            error.detail
            if isinstance(error, BootstrapClosed)
            else "This server has an owner; use an API key."
        ) from None


async def _hash_first_user(call: Call[Bootstrap], *, fits: bool) -> tuple[str | None, str]:
    """Return the first user's name and the digest of the password, where the body has them."""
    if (call.body.user is None) != (call.body.password is None):
        raise InvalidRequest(
            "Give both, user and password, or neither.",
            errors=[{"pointer": "/password" if call.body.user else "/user", "detail": "is missing"}],
        )
    if call.body.user is None or call.body.password is None:
        return None, ""
    name = normalise_name(call.body.user)
    check_password(call.body.password, user=name)
    return name, await call.server.passwords.hash(call.body.password) if fits else ""


ENDPOINTS = [bootstrap_server]
