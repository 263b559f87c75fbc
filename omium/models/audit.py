"""The audit log on the wire."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from omium.models.wire import Command, Json, Reply


class AuditEntry(Reply):
    """Who did what, on what, when, from where, and with which result; digests in hexadecimal."""

    tenant_id: str
    seq: int
    at_us: int
    actor_kind: str
    actor_id: str
    action: str
    target: str
    result: str
    code: str
    address: str
    user_agent: str
    request_id: str
    detail: dict[str, Json]
    previous: str
    digest: str
    mac: str


class AuditHead(Reply):
    """The end of a chain: what is compared later with what's there then."""

    tenant_id: str
    seq: int
    digest: str
    mac: str
    at_us: int


class CheckAudit(Command):
    """Check the chain; `anchors` are heads noted earlier, in the server's log or a backup's list."""

    anchors: Annotated[list[AuditHead], Field(max_length=1_000)] = Field(default_factory=list)


class AuditVerification(Reply):
    """What the check found; an empty list is good news. `head` is None before the first entry."""

    problems: list[str]
    head: AuditHead | None
