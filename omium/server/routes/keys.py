"""API keys: create, list, show, change, give another secret, revoke. What they have used is key_usage.py.

Nobody hands on what he does not have: neither by a new key, nor by a change, nor by a new secret of a key
that may do more than himself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from omium.clock import US_PER_S
from omium.errors import InvalidRequest, KeyEnded, NotFound, WorkflowNotAllowed
from omium.models.keys import ApiKey, CreatedKey, CreateKey, KeyStatus, RotatedKey, RotateKey, UpdateKey
from omium.models.wire import Command, Page
from omium.money import to_usd
from omium.server.db.tx import Tx
from omium.server.engine.cancel import pause_key_executions
from omium.server.principal import Principal
from omium.server.routes.accounts import end_all
from omium.server.store import api_keys as store
from omium.server.store import invitations, tenants
from omium.server.web import accounts, key_caps
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
    reply=CreatedKey,
    status=201,
    problems=(InvalidRequest, WorkflowNotAllowed),
    audit="key.created",
    audit_target="api_key_id",
    summary="Create an API key; its secret is shown this once",
    tags=("keys",),
)
async def create_key(call: Call[CreateKey]) -> Answer:
    wanted = call.body
    # The default is cut to what the caller may hand on.
    scopes = (
        wanted.scopes
        if wanted.scopes is not None
        else [s for s in DEFAULT_SCOPES if s in call.principal.grantable]
    )
    _require_handing_on(call.principal, scopes, wanted.workflows)
    _refuse_past(wanted.expires_at_us, call.server.clock.now_us())
    rate = call.server.settings.credits_per_usd
    cap = key_caps.read_cap(wanted, rate)
    made = accounts.make_key(call.server.key_file, wanted.environment, call.server.clock.now_us())
    call.tell(name=wanted.name, environment=wanted.environment.value, scopes=" ".join(sorted(scopes)))

    def work(tx: Tx) -> CreatedKey:
        # Dies before the commit: there is neither key nor cap. Twice: the idempotency record answers.
        tenant = tenants.get_tenant(tx, call.principal.tenant_id)
        new = accounts.insert_key(
            tx,
            made,
            tenant,
            name=wanted.name,
            scopes=scopes,
            workflows=wanted.workflows,
            expires_us=wanted.expires_at_us,
            created_by=call.principal.id,
        )
        if cap is not None:
            key_caps.set_cap(tx, tenant.id, new.api_key_id, cap)
        return CreatedKey(
            **new.model_dump(),
            id=new.api_key_id,
            workflows=wanted.workflows,
            spend_cap_usd=None if cap is None else to_usd(cap.microcredits or 0, rate),
            cap_period=None if cap is None else cap.period,
            soft_cap_percent=None if cap is None else cap.soft_percent,
        )

    return await call.mutate(work)


class KeyQuery(PageQuery):
    """Keys with this status, as it is shown now, and of this environment."""

    status: KeyStatus | None = None
    environment: Environment | None = None


@endpoint(
    "GET",
    "/v1/keys",
    scope=Scope.READ,
    query=KeyQuery,
    reply=Page[ApiKey],
    summary="List API keys, newest first, those that have ended, too",
    tags=("keys",),
)
async def list_keys(call: Call[None, KeyQuery]) -> Page[ApiKey]:
    before_us, before_id = read_time_cursor(call.query)
    limit, tenant_id = call.query.limit, call.principal.tenant_id
    status, environment = call.query.status, call.query.environment
    now_us = call.server.clock.now_us()

    def work(tx: Tx) -> tuple[list[store.KeyRow], key_caps.Meters]:
        rows = store.list_keys(
            tx,
            tenant_id,
            before_us,
            before_id,
            limit + 1,
            now_us=now_us,
            environment=environment.value if environment else "",
            status=status.value if status else "",
        )
        return rows, key_caps.read_meters(tx, tenant_id, call.server.settings.credits_per_usd)

    rows, meters = await call.read(work)
    return make_page(
        rows,
        limit,
        key=lambda row: (row.created_us, row.id),
        item=lambda row: key_caps.show_key(row, meters, now_us),
    )


@endpoint(
    "GET",
    "/v1/keys/{key_id}",
    scope=Scope.READ,
    reply=ApiKey,
    summary="Show an API key, without its secret",
    tags=("keys",),
)
async def get_key(call: Call[None]) -> ApiKey:
    return await call.read(lambda tx: _show(call, tx))


@endpoint(
    "PATCH",
    "/v1/keys/{key_id}",
    scope=Scope.MANAGE,
    idempotent=Idempotency.NATURAL,
    body=UpdateKey,
    reply=ApiKey,
    problems=(InvalidRequest, WorkflowNotAllowed, KeyEnded),
    audit="key.updated",
    summary="Change an API key's name, scopes, workflows, expiry or cap; what is not given stays",
    tags=("keys",),
)
async def update_key(call: Call[UpdateKey]) -> ApiKey:
    wanted, key_id = call.body, call.path["key_id"]
    given = wanted.model_fields_set
    _refuse_past(wanted.expires_at_us, call.server.clock.now_us())
    for name in ("name", "scopes", "cap_period"):
        if name in given and getattr(wanted, name) is None:
            raise InvalidRequest(
                f"The {name} of a key cannot be taken away; leave it out to keep it.",
                errors=[{"pointer": f"/{name}", "detail": "cannot be null"}],
            )
    call.tell(changed=" ".join(sorted(given)))

    def work(tx: Tx) -> ApiKey:
        # Dies before the commit: nothing changes. A second time: the same values, the same answer.
        row = _lock(tx, call.principal, key_id)
        if row.status == store.REVOKED:
            raise KeyEnded("This API key was revoked, which is for good; create another.")
        if key_caps.names_cap(wanted):
            cap = key_caps.change_cap(tx, row.id, wanted, call.server.settings.credits_per_usd)
            key_caps.set_cap(tx, row.tenant_id, row.id, cap)
        changed = _changed(row, wanted)
        if {"scopes", "workflows"} & given:
            _require_handing_on(call.principal, wanted.scopes or (), accounts.read_workflows(changed))
            end_all(call, tx, [key_id])  # what it has opened comes back as what the key is now
        store.update_key(tx, changed)
        tx.after_commit(lambda: call.server.auth.forget(key_id))
        return _show(call, tx)

    return await call.write(work)


@endpoint(
    "POST",
    "/v1/keys/{key_id}/rotate",
    scope=Scope.MANAGE,
    idempotent=Idempotency.KEYED,
    body=RotateKey,
    reply=RotatedKey,
    problems=(WorkflowNotAllowed, KeyEnded),
    audit="key.rotated",
    summary="Give an API key a new secret, shown this once; the old one ends at once or after a grace",
    tags=("keys",),
)
async def rotate_key(call: Call[RotateKey]) -> Answer:
    key_id, server = call.path["key_id"], call.server
    grace_us = call.body.grace_s * US_PER_S
    row = await call.read(lambda tx: store.find_tenant_key(tx, call.principal.tenant_id, key_id))
    if row is None:
        raise NotFound
    made = accounts.make_secret(server.key_file, Environment(row.environment), key_id)
    call.tell(grace_s=call.body.grace_s)

    def work(tx: Tx) -> RotatedKey:
        # Dies before the commit: the old secret is the key's. After it: the new one is, and a repeat with the
        # same Idempotency-Key says that it cannot be shown again. Twice at once: the row's lock puts one
        # behind the other, and the first one's secret is then the old one.
        row = _lock(tx, call.principal, key_id)
        scopes = [Scope(name) for name in row.scopes.split()]
        _require_handing_on(call.principal, scopes, accounts.read_workflows(row))
        if row.status_at(tx.now_us) != store.ACTIVE:
            raise KeyEnded(
                f"This API key is {row.status_at(tx.now_us)}, so a new secret would be good for nothing;"
                " create another key, or put the expiry off first."
            )
        store.rotate_key(tx, row, made.digest, tx.now_us + grace_us)
        if grace_us:
            tx.after_commit(lambda: server.auth.forget(key_id))
        else:
            end_all(call, tx, [key_id])
        tenant = tenants.get_tenant(tx, row.tenant_id)
        new = accounts.show_new_key(made, tenant, row)
        return RotatedKey(**new.model_dump(), old_secret_ends_at_us=tx.now_us + grace_us)

    return await call.mutate(work)


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
    call.tell(keep_running=keep_running)

    def work(tx: Tx) -> ApiKey:
        # Dies before the commit: the key works as before. A second time: nothing changes, the same answer.
        store.revoke_key(tx, call.principal.tenant_id, key_id)
        shown = _show(call, tx)
        invitations.revoke_of_creator(tx, call.principal.tenant_id, key_id)  # whoever had it may hold some
        end_all(call, tx, [key_id])
        if not keep_running:
            pause_key_executions(tx, key_id)
        return shown

    shown = await call.write(work)
    # A key that has started more than one portion: dies in between, the same request goes on with the rest.
    left = 0 if keep_running else 1
    while left:
        left = await call.write(lambda tx: pause_key_executions(tx, key_id))
    return shown


def _show(call: Call, tx: Tx) -> ApiKey:
    tenant_id, key_id = call.principal.tenant_id, call.path["key_id"]
    row = store.find_tenant_key(tx, tenant_id, key_id)
    if row is None:
        raise NotFound
    meters = key_caps.read_meters(tx, tenant_id, call.server.settings.credits_per_usd, key_id)
    return key_caps.show_key(row, meters, tx.now_us)


def _lock(tx: Tx, principal: Principal, key_id: str) -> store.KeyRow:
    row = store.lock_tenant_key(tx, principal.tenant_id, key_id)
    if row is None:
        raise NotFound
    return row


def _changed(row: store.KeyRow, wanted: UpdateKey) -> store.KeyRow:
    given = wanted.model_fields_set
    if wanted.name is not None:
        row = replace(row, name=wanted.name)
    if wanted.scopes is not None:
        row = replace(row, scopes=accounts.write_scopes(wanted.scopes))
    if "workflows" in given:
        row = replace(row, workflows=accounts.write_workflows(wanted.workflows))
    if "expires_at_us" in given:
        row = replace(row, expires_us=wanted.expires_at_us)
    return row


def _require_handing_on(
    principal: Principal, scopes: Sequence[Scope], workflows: Sequence[str] | None
) -> None:
    """Raise unless the caller has himself what he gives to a key."""
    for scope in scopes:
        principal.require_grantable(scope)
    if principal.workflows is not None:
        for workflow in workflows if workflows is not None else ["all workflows"]:
            principal.require_workflow(workflow)


def _refuse_past(expires_us: int | None, now_us: int) -> None:
    if expires_us is not None and expires_us <= now_us:
        raise InvalidRequest(
            "This expiry is in the past; name a later one or none.",
            errors=[{"pointer": "/expires_at_us", "detail": "is in the past"}],
        )


ENDPOINTS = [create_key, list_keys, get_key, update_key, rotate_key, revoke_key]
