"""Signals and approvals: what executions of specs are told, by systems and by people."""

from __future__ import annotations

from typing import cast

from omium.errors import (
    AlreadyDecided,
    IllegalTransition,
    InvalidRequest,
    LimitReached,
    NotFound,
    PayloadTooLarge,
    WorkflowNotAllowed,
)
from omium.jsonvalue import JsonValue
from omium.models.approval import Approval, ApprovalDecided, DecideApproval, SendSignal, SignalSent
from omium.models.wire import Page
from omium.server.db.tx import Tx
from omium.server.engine.approvals import read_approvals, view_approval
from omium.server.engine.nodes.deciding import decide_approval as decide
from omium.server.engine.nodes.deciding import deliver_signal
from omium.server.store.approvals import BEGINNING
from omium.server.web.endpoint import Answer, Call, Idempotency, endpoint
from omium.server.web.pagination import PageQuery, decode_cursor, make_page
from omium.states import Scope

TAGS = ("approvals",)


@endpoint(
    "POST",
    "/v1/executions/{execution_id}/signals",
    scope=Scope.RUN,
    idempotent=Idempotency.NATURAL,
    body=SendSignal,
    reply=SignalSent,
    problems=(IllegalTransition, LimitReached, NotFound, PayloadTooLarge, WorkflowNotAllowed),
    summary="Tell an execution something by name, for a node that waits for it",
    tags=TAGS,
)
async def send_signal(call: Call[SendSignal]) -> SignalSent:
    parts, principal, said = call.server.engine, call.principal, call.body
    execution_id = call.path["execution_id"]
    payload = parts.vault.pack(principal.tenant_id, cast("JsonValue", said.payload), what="The payload")
    taken = await call.write(
        lambda tx: deliver_signal(tx, parts, principal, execution_id, said.name, payload, said.signal_id)
    )
    return SignalSent(name=said.name, signal_id=said.signal_id, fresh=taken.fresh, taken_by=taken.path)


@endpoint(
    "GET",
    "/v1/approvals",
    scope=Scope.READ,
    query=PageQuery,
    reply=Page[Approval],
    problems=(InvalidRequest,),
    summary="List what waits for a person, the oldest first",
    tags=TAGS,
)
async def list_approvals(call: Call[None, PageQuery]) -> Page[Approval]:
    query, parts, after = call.query, call.server.engine, BEGINNING
    if query.after is not None:
        asked_us, execution_id, path = decode_cursor(query.after, int, str, str)
        after = (int(asked_us), str(execution_id), str(path))
    tenant_id = call.principal.tenant_id
    found = await call.read(lambda tx: read_approvals(tx, parts, tenant_id, after, query.limit + 1))
    return make_page(
        found,
        query.limit,
        key=lambda asked: (asked.row.ready_us, asked.row.execution_id, asked.row.path),
        item=lambda asked: view_approval(parts, asked),
    )


@endpoint(
    "POST",
    "/v1/executions/{execution_id}/approvals",
    scope=Scope.OPERATE,
    idempotent=Idempotency.KEYED,
    body=DecideApproval,
    reply=ApprovalDecided,
    problems=(AlreadyDecided, IllegalTransition, NotFound, WorkflowNotAllowed),
    audit="approval.decided",
    summary="Approve or reject what waits; the second decision is told that it came too late",
    tags=TAGS,
)
async def decide_approval(call: Call[DecideApproval]) -> Answer:
    execution_id, said, parts = call.path["execution_id"], call.body, call.server.engine
    call.tell(path=said.path, decision=said.decision)

    def work(tx: Tx) -> ApprovalDecided:
        row = decide(tx, parts, call.principal, execution_id, said.path, said.decision, said.comment)
        return ApprovalDecided(execution_id=row.id, path=said.path, decision=said.decision, status=row.status)

    return await call.mutate(work)


ENDPOINTS = [send_signal, list_approvals, decide_approval]
