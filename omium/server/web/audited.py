"""Audited: what the audit log is told of a request to an endpoint that declares it.

The entry of a deed is written by `Call.write` and `Call.mutate` in the mutation's own transaction. Here is
the rest: who acts and from where, the entry of a deed that has no transaction (a backup), and the refusals
that matter: 403 on what is audited, 401 on what needs no key (log-ins).

The process dies between such a deed and its entry: a backup is there that the log doesn't tell of.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic import BaseModel

from omium.errors import Problem
from omium.server.audit import Actor
from omium.server.principal import Principal
from omium.server.web.answer import Answer, Stream
from omium.server.web.call import Call
from omium.server.web.context import ServerContext
from omium.server.web.deed import Deed
from omium.server.web.endpoint import Endpoint
from omium.server.web.requests import Request

_REFUSED: Final = frozenset({401, 403})


def deed_of(
    server: ServerContext,
    endpoint: Endpoint,
    principal: Principal,
    path: Mapping[str, str],
    request: Request,
    request_id: str,
    address: str,
) -> Deed:
    """Return what is known before the handler runs."""
    assert endpoint.audit is not None
    parameters = endpoint.path_parameters
    user_agent = request.headers.get("user-agent", "")
    return Deed(
        audit=server.audit,
        action=endpoint.audit,
        actor=Actor.of(principal, address, user_agent, request_id),
        target=path.get(parameters[-1], "") if parameters else "",
        target_field=endpoint.audit_target,
    )


async def answer_audited(
    server: ServerContext, endpoint: Endpoint, call: Call, deed: Deed
) -> BaseModel | Answer | Stream | None:
    """Run the handler; what it has not written into the log itself is written after it."""
    try:
        reply = await endpoint.handler(call)
    except Problem as problem:
        if problem.status in _REFUSED:
            await note_refusal(server, deed, problem)
        raise
    if not deed.written:
        await server.db.write(lambda tx: deed.write(tx, reply))
        deed.written = True
    return reply


async def note_refusal(server: ServerContext, deed: Deed, problem: Problem) -> None:
    """Write that the deed was refused, unless that was written often enough."""
    await server.refusals.record(
        server.db, deed.actor, deed.action, code=problem.code, target=deed.target, detail=deed.detail
    )
