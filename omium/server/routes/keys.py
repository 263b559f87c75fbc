"""API keys: create, list, revoke."""

from __future__ import annotations

import json

from omium.errors import InvalidRequest, NotFound
from omium.models.account import ApiKey, CreateKey, NewKey
from omium.models.wire import Command, Page
from omium.server.db.tx import Tx
from omium.server.engine.cancel import pause_key_executions
from omium.server.store import api_keys as store
from omium.server.store import tenants
from omium.server.web import accounts
from omium.server.web.endpoint import Answer, Call, Idempotency, endpoint
from omium.server.web.pagination import PageQuery, make_page, read_time_cursor
from omium.states import Environment, Scope

DEFAULT_SCOPES = (Scope.READ, Scope.RUN, Scope.OPERATE, Scope.WORKER)


@endpoint(
    "POST",
    "/v1/keys",
    scope=Scope.MANAGE,
    idempotent=Idempotency.KEYED,
    body=CreateKey,
    reply=NewKey,
    status=201,
    problems=(InvalidRequest,),
    audit="key.created",
    audit_target="api_key_id",
    summary="Create an API key; its secret is shown this once",
    tags=("keys",),
)
async def create_key(call: Call[CreateKey]) -> Answer:
    wanted = call.body
    for scope in wanted.scopes or ():
        call.principal.require_grantable(scope)
    if wanted.expires_at_us is not None and wanted.expires_at_us <= call.server.clock.now_us():
        raise InvalidRequest(
            "This expiry is in the past; name a later one or none.",
            errors=[{"pointer": "/expires_at_us", "detail": "is in the past"}],
        )
    made = accounts.make_key(call.server.key_file, wanted.environment, call.server.clock.now_us())
    # The default is cut to what the caller may hand on.
    scopes = (
        wanted.scopes
        if wanted.scopes is not None
        else [s for s in DEFAULT_SCOPES if s in call.principal.grantable]
    )

    def work(tx: Tx) -> NewKey:
        tenant = tenants.get_tenant(tx, call.principal.tenant_id)
        return accounts.insert_key(
            tx,
            made,
            tenant,
            name=wanted.name,
            scopes=scopes,
            workflows=wanted.workflows,
            expires_us=wanted.expires_at_us,
            created_by=call.principal.id,
        )

    return await call.mutate(work)


@endpoint(
    "GET",
    "/v1/keys",
    scope=Scope.READ,
    query=PageQuery,
    reply=Page[ApiKey],
    summary="List API keys, newest first",
    tags=("keys",),
)
async def list_keys(call: Call[None, PageQuery]) -> Page[ApiKey]:
    before_us, before_id = read_time_cursor(call.query)
    limit = call.query.limit
    rows = await call.read(
        lambda tx: store.list_keys(tx, call.principal.tenant_id, before_us, before_id, limit + 1)
    )
    return make_page(rows, limit, key=lambda row: (row.created_us, row.id), item=show_key)


class RevokeQuery(Command):
    """What becomes of the executions that the key has started: paused, unless they are kept running."""

    keep_running: bool = False


@endpoint(
    "POST",
    "/v1/keys/{key_id}/revoke",
    scope=Scope.MANAGE,
    idempotent=Idempotency.NATURAL,
    query=RevokeQuery,
    reply=ApiKey,
    problems=(NotFound,),
    audit="key.revoked",
    summary="Revoke an API key at once; its streams are closed, what it started is paused",
    tags=("keys",),
)
async def revoke_key(call: Call[None, RevokeQuery]) -> ApiKey:
    key_id = call.path["key_id"]
    keep_running = call.query.keep_running
    server = call.server

    def close() -> None:
        server.auth.forget(key_id)
        server.live.close_principal(key_id)

    def work(tx: Tx) -> store.KeyRow:
        # Dies before the commit: the key works as before. A second time: nothing changes, the same answer.
        store.revoke_key(tx, call.principal.tenant_id, key_id)
        row = store.find_tenant_key(tx, call.principal.tenant_id, key_id)
        if row is None:
            raise NotFound
        tx.after_commit(close)
        if not keep_running:
            pause_key_executions(tx, key_id)
        return row

    row = await call.write(work)
    # A key that has started more than one portion: dies in between, the same request goes on with the rest.
    left = 0 if keep_running else 1
    while left:
        left = await call.write(lambda tx: pause_key_executions(tx, key_id))
    return show_key(row)


def show_key(row: store.KeyRow) -> ApiKey:
    """Return what may be seen of a key."""
    return ApiKey(
        id=row.id,
        name=row.name,
        status=row.status,
        environment=Environment(row.environment),
        scopes=[Scope(name) for name in row.scopes.split()],
        workflows=None if row.workflows is None else json.loads(row.workflows),
        created_at_us=row.created_us,
        expires_at_us=row.expires_us,
        revoked_at_us=row.revoked_us,
        last_used_at_us=row.last_used_us,
    )


ENDPOINTS = [create_key, list_keys, revoke_key]
