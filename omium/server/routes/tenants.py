"""Tenants: which ones are mine, another one, a new name, and the end.

Everything but the list is about the tenant of the key or session that asks: no id of a tenant is taken from
anybody. Who may create one: the server's owner, and everybody where sign-up is open.
"""

from __future__ import annotations

from omium.errors import InvalidRequest, NotFound, PersonNeeded, SignUpClosed
from omium.models.people import CreateTenant, DeletedTenant, DeleteTenant, OwnTenant, RenameTenant
from omium.models.wire import Page
from omium.money import MICROCREDITS_PER_CREDIT
from omium.server.accounts import tenants
from omium.server.accounts.roles import require_person
from omium.server.db.tx import Tx
from omium.server.principal import PrincipalKind
from omium.server.routes.accounts import end_all
from omium.server.store import memberships, users
from omium.server.store import tenants as store
from omium.server.web.endpoint import Answer, Call, Idempotency, endpoint
from omium.server.web.pagination import PageQuery, make_page, read_id_cursor
from omium.states import Role, Scope

TAGS = ("tenants",)


@endpoint(
    "GET",
    "/v1/tenants",
    scope=None,
    any_key=True,
    query=PageQuery,
    reply=Page[OwnTenant],
    summary="List the tenants of the user who asks; a key sees its own",
    tags=TAGS,
)
async def list_tenants(call: Call[None, PageQuery]) -> Page[OwnTenant]:
    principal, limit = call.principal, call.query.limit
    after_id = read_id_cursor(call.query)
    if principal.kind is not PrincipalKind.USER:
        tenant = await call.read(lambda tx: store.get_tenant(tx, principal.tenant_id))
        return Page(items=[_show_own(tenant)])
    rows = await call.read(lambda tx: memberships.list_tenants_of(tx, principal.id, after_id, limit + 1))

    def show(row: memberships.OwnTenant) -> OwnTenant:
        return OwnTenant(
            id=row.id,
            name=row.name,
            role=Role(row.role),
            created_at_us=row.created_us,
            current=row.id == principal.tenant_id,
        )

    return make_page(rows, limit, key=lambda row: (row.id,), item=show)


@endpoint(
    "POST",
    "/v1/tenants",
    scope=None,
    any_key=True,
    idempotent=Idempotency.KEYED,
    body=CreateTenant,
    reply=OwnTenant,
    status=201,
    problems=(PersonNeeded, SignUpClosed),
    audit="tenant.created",
    audit_target="id",
    summary="Create a further tenant, whose owner is the user who asks",
    tags=TAGS,
)
async def create_tenant(call: Call[CreateTenant]) -> Answer:
    require_person(call.principal)
    server, principal = call.server, call.principal
    if server.settings.sign_up != "open" and Scope.SERVER not in principal.scopes:
        raise SignUpClosed("Only the owner of this server creates tenants; ask him, and for an invitation.")
    starter = server.settings.starter_credits * MICROCREDITS_PER_CREDIT

    def work(tx: Tx) -> OwnTenant:
        user = users.find_user(tx, principal.id)
        if user is None:
            raise PersonNeeded
        made = tenants.create_tenant(tx, call.body.name, user, starter)
        return OwnTenant(
            id=made.id, name=made.name, role=Role.OWNER, created_at_us=made.created_us, current=False
        )

    return await call.mutate(work)


@endpoint(
    "POST",
    "/v1/tenant/rename",
    scope=Scope.MANAGE,
    idempotent=Idempotency.NATURAL,
    body=RenameTenant,
    reply=OwnTenant,
    problems=(NotFound,),
    audit="tenant.renamed",
    summary="Give the tenant another name",
    tags=TAGS,
)
async def rename_tenant(call: Call[RenameTenant]) -> OwnTenant:
    principal = call.principal
    call.tell(target=principal.tenant_id, name=call.body.name)
    tenant = await call.write(lambda tx: tenants.rename_tenant(tx, principal.tenant_id, call.body.name))
    return _show_own(tenant).model_copy(update={"role": principal.role})


@endpoint(
    "POST",
    "/v1/tenant/delete",
    scope=Scope.OWN,
    idempotent=Idempotency.NATURAL,
    body=DeleteTenant,
    reply=DeletedTenant,
    problems=(NotFound, InvalidRequest),
    audit="tenant.deleted",
    summary="Delete the tenant: its keys and sessions end at once, everything of it goes",
    tags=TAGS,
)
async def delete_tenant(call: Call[DeleteTenant]) -> DeletedTenant:
    call.tell(target=call.principal.tenant_id, name=call.body.name)

    def work(tx: Tx) -> DeletedTenant:
        deletion = tenants.mark_deleted(tx, call.principal.tenant_id, call.body.name)
        end_all(call, tx, [*deletion.key_ids, *deletion.session_ids])
        return DeletedTenant(
            id=deletion.tenant.id,
            name=deletion.tenant.name,
            keys=len(deletion.key_ids),
            sessions=len(deletion.session_ids),
        )

    return await call.write(work)


def _show_own(tenant: store.Tenant) -> OwnTenant:
    return OwnTenant(id=tenant.id, name=tenant.name, created_at_us=tenant.created_us, current=True)


ENDPOINTS = [list_tenants, create_tenant, rename_tenant, delete_tenant]
