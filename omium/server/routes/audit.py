"""The audit log: list and export, check."""

from __future__ import annotations

import json
from typing import Literal

from omium.errors import InvalidRequest
from omium.models.audit import AuditEntry, AuditHead, AuditVerification, CheckAudit
from omium.models.wire import Name, Page, TimestampUs
from omium.server.audit.anchors import show_head
from omium.server.audit.verify import check_anchor, verify_chain
from omium.server.store import audit_log as store
from omium.server.store.audit_log import EntryRow, Wanted
from omium.server.web.endpoint import Call, Idempotency, endpoint
from omium.server.web.pagination import PageQuery, decode_cursor, make_page
from omium.states import Scope

TAGS = ("audit",)


class AuditQuery(PageQuery):
    """Filters: `after_us` is included, `before_us` is not. Newest first, unless `oldest_first`."""

    actor: Name | None = None
    action: Name | None = None
    target: Name | None = None
    result: Literal["done", "refused"] | None = None
    after_us: TimestampUs | None = None
    before_us: TimestampUs | None = None
    oldest_first: bool = False


@endpoint(
    "GET",
    "/v1/audit",
    scope=Scope.MANAGE,
    query=AuditQuery,
    reply=Page[AuditEntry],
    problems=(InvalidRequest,),
    summary="List or export the tenant's audit log",
    tags=TAGS,
)
async def list_audit(call: Call[None, AuditQuery]) -> Page[AuditEntry]:
    query, tenant_id = call.query, call.principal.tenant_id
    wanted = Wanted(
        actor_id=query.actor,
        action=query.action,
        target=query.target,
        result=query.result,
        after_us=query.after_us,
        before_us=query.before_us,
    )
    start = None if query.after is None else int(decode_cursor(query.after, int)[0])
    rows = await call.read(
        lambda tx: store.list_entries(
            tx, tenant_id, wanted, start, query.limit + 1, oldest_first=query.oldest_first
        )
    )
    return make_page(rows, query.limit, key=lambda row: (row.seq,), item=view_entry)


@endpoint(
    "POST",
    "/v1/audit/verify",
    scope=Scope.MANAGE,
    idempotent=Idempotency.NATURAL,
    body=CheckAudit,
    reply=AuditVerification,
    audit="audit.verified",
    summary="Check the tenant's audit log, and compare it with heads that were noted earlier",
    tags=TAGS,
)
async def verify_audit(call: Call[CheckAudit]) -> AuditVerification:
    tenant_id, keys = call.principal.tenant_id, call.server.key_file
    head = await call.read(lambda tx: store.find_head(tx, tenant_id))
    found = await verify_chain(call.server.db, keys, tenant_id, head)
    problems = [] if found is None else [found]
    for anchor in call.body.anchors:
        if anchor.tenant_id != tenant_id:
            continue  # a list of all heads: the others are other tenants' business
        entry = await call.read(lambda tx, s=anchor.seq: store.find_entry(tx, tenant_id, s))  # type: ignore[misc]
        try:
            digest, mac = bytes.fromhex(anchor.digest), bytes.fromhex(anchor.mac)
        except ValueError:
            digest = mac = b""
        problem = check_anchor(keys, entry, tenant_id, anchor.seq, digest, mac)
        if problem is not None:
            problems.append(problem)
    call.tell(problems=len(problems))
    return AuditVerification(
        problems=problems, head=None if head is None else AuditHead.model_validate(show_head(head))
    )


def view_entry(row: EntryRow) -> AuditEntry:
    """Return the entry as it travels."""
    return AuditEntry(
        tenant_id=row.tenant_id,
        seq=row.seq,
        at_us=row.at_us,
        actor_kind=row.actor_kind,
        actor_id=row.actor_id,
        action=row.action,
        target=row.target,
        result=row.result,
        code=row.code,
        address=row.address,
        user_agent=row.user_agent,
        request_id=row.request_id,
        detail=json.loads(row.detail),
        previous=row.previous.hex(),
        digest=row.digest.hex(),
        mac=row.mac.hex(),
    )


ENDPOINTS = [list_audit, verify_audit]
