"""Sessions: the list, ending one or all others, logging out, going to another tenant.

A user sees and ends his own sessions, in all of his tenants. Ending one a second time changes nothing.
"""

from __future__ import annotations

from omium.clock import US_PER_S
from omium.errors import NoTenant, NotFound, PersonNeeded
from omium.models.people import EndedSessions, NewSession, Session, SwitchSession
from omium.models.wire import Page
from omium.server.accounts.roles import require_person
from omium.server.accounts.sessions import make_session, move_session
from omium.server.accounts.tenants import choose_tenant
from omium.server.db.tx import Tx
from omium.server.routes.accounts import end_all
from omium.server.store import sessions as store
from omium.server.store import tenants, users
from omium.server.web.endpoint import Call, Idempotency, endpoint
from omium.server.web.pagination import PageQuery, make_page, read_time_cursor
from omium.states import Environment

TAGS = ("account",)


@endpoint(
    "GET",
    "/v1/sessions",
    scope=None,
    any_key=True,
    query=PageQuery,
    reply=Page[Session],
    problems=(PersonNeeded,),
    summary="List the open sessions of the user who asks, newest first",
    tags=TAGS,
)
async def list_sessions(call: Call[None, PageQuery]) -> Page[Session]:
    require_person(call.principal)
    before_us, before_id = read_time_cursor(call.query)
    limit = call.query.limit
    idle_us = round(call.server.settings.session_idle_s * US_PER_S)

    def work(tx: Tx) -> tuple[list[store.SessionRow], dict[str, str]]:
        rows = store.list_sessions(tx, call.principal.id, idle_us, before_us, before_id, limit + 1)
        return rows, {row.tenant_id: tenants.get_tenant(tx, row.tenant_id).name for row in rows}

    rows, names = await call.read(work)

    def show(row: store.SessionRow) -> Session:
        return Session(
            id=row.id,
            tenant=names[row.tenant_id],
            tenant_id=row.tenant_id,
            environment=Environment(row.environment),
            agent=row.agent,
            address=row.address,
            created_at_us=row.created_us,
            last_used_at_us=row.last_used_us,
            expires_at_us=row.expires_us,
            current=row.id == call.principal.session_id,
        )

    return make_page(rows, limit, key=lambda row: (row.created_us, row.id), item=show)


@endpoint(
    "POST",
    "/v1/sessions/{session_id}/revoke",
    scope=None,
    any_key=True,
    idempotent=Idempotency.NATURAL,
    reply=EndedSessions,
    problems=(PersonNeeded, NotFound),
    audit="session.revoked",
    summary="End one of one's own sessions at once; what it has opened is closed",
    tags=TAGS,
)
async def revoke_session(call: Call[None]) -> EndedSessions:
    require_person(call.principal)
    session_id = call.path["session_id"]

    def work(tx: Tx) -> EndedSessions:
        ended = store.end_session(tx, call.principal.id, session_id)
        if not ended and not store.is_of_user(tx, call.principal.id, session_id):
            raise NotFound
        end_all(call, tx, [session_id])
        return EndedSessions(ended=int(ended))

    return await call.write(work)


@endpoint(
    "POST",
    "/v1/sessions/revoke-others",
    scope=None,
    any_key=True,
    idempotent=Idempotency.NATURAL,
    reply=EndedSessions,
    problems=(PersonNeeded,),
    audit="sessions.revoked",
    summary="End every session of the user who asks but this one",
    tags=TAGS,
)
async def revoke_other_sessions(call: Call[None]) -> EndedSessions:
    require_person(call.principal)

    def work(tx: Tx) -> EndedSessions:
        users.lock_user(tx, call.principal.id)  # a session of his that moves in this moment is seen
        ended = store.end_of_user(tx, call.principal.id, call.principal.credential_id)
        end_all(call, tx, ended)
        return EndedSessions(ended=len(ended))

    return await call.write(work)


@endpoint(
    "POST",
    "/v1/log-out",
    scope=None,
    any_key=True,
    idempotent=Idempotency.NATURAL,
    problems=(PersonNeeded,),
    audit="session.closed",
    summary="End the session that asks",
    tags=TAGS,
)
async def log_out(call: Call[None]) -> None:
    require_person(call.principal)
    session_id = call.principal.session_id or ""

    def work(tx: Tx) -> None:
        store.end_session(tx, call.principal.id, session_id)
        end_all(call, tx, [session_id])
        call.tell(target=session_id)

    await call.write(work)


@endpoint(
    "POST",
    "/v1/sessions/switch",
    scope=None,
    any_key=True,
    idempotent=Idempotency.NATURAL,
    body=SwitchSession,
    reply=NewSession,
    status=201,
    problems=(PersonNeeded, NoTenant),
    audit="session.switched",
    summary="Go to another tenant or environment: a new session there, and this one ends",
    tags=TAGS,
)
async def switch_session(call: Call[SwitchSession]) -> NewSession:
    """Dies before the commit: the session is as before. After it, the answer lost: log in again."""
    require_person(call.principal)
    server, principal, wanted = call.server, call.principal, call.body
    made = make_session(
        server.key_file, server.clock.now_us(), call.headers.get("user-agent", ""), call.address
    )

    def work(tx: Tx) -> NewSession:
        tenant = choose_tenant(tx, principal.id, wanted.tenant or principal.tenant_id)
        end_all(call, tx, [principal.credential_id])
        call.tell(target=made.credential.row_id)
        return move_session(tx, made, principal, tenant, wanted.environment or principal.environment)

    return await call.write(work)


ENDPOINTS = [list_sessions, revoke_session, revoke_other_sessions, log_out, switch_session]
