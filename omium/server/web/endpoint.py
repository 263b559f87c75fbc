"""Endpoints: one declaration per address, from which everything else is derived.

Routing, scope checks, body and query validation, idempotency, OpenAPI, the SDK-parity test and the docs test
all read the same table. A routes module declares its endpoints with `@endpoint(...)` and lists them in a
plain `ENDPOINTS`; `omium.server.routes` joins the lists. Where to look next: `call.py` for what a handler is
given.

    @endpoint(
        "POST", "/v1/executions/{execution_id}/cancel",
        scope=Scope.OPERATE, idempotent=Idempotency.KEYED, body=CancelExecution, reply=Execution,
        problems=(NotFound, IllegalTransition), summary="Ask that an execution be cancelled",
    )
    async def cancel_execution(call: Call[CancelExecution]) -> Answer:
        execution_id = call.path["execution_id"]
        return await call.mutate(lambda tx: executions.cancel(tx, call.principal, execution_id, call.body))

    ENDPOINTS = [cancel_execution]
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel

from omium.errors import Problem
from omium.server.web.call import Answer, Call, Stream
from omium.states import Scope

__all__ = ["Answer", "Call", "Endpoint", "Handler", "Idempotency", "Method", "Stream", "endpoint"]

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Handler = Callable[[Call[Any, Any]], Awaitable[BaseModel | Answer | Stream | None]]

_PARAMETER = re.compile(r"\{([a-z_]+)\}")
_ACTION = re.compile(r"[a-z][a-z_-]*\.[a-z][a-z_-]*")


class Idempotency(StrEnum):
    """What makes it safe to send a request a second time."""

    NONE = "none"
    """Nothing is needed: it only reads."""

    NATURAL = "natural"
    """The content has its own identity (a step's path and attempt), or doing it again is the same."""

    KEYED = "keyed"
    """The `Idempotency-Key` header; the handler MUST do its one mutation through `call.mutate`."""


@dataclass(frozen=True, slots=True, eq=False)
class Endpoint:
    """One declared address. `scope` None: it answers without a key, or with `any_key` to every valid one."""

    method: Method
    path: str
    handler: Handler
    summary: str
    scope: Scope | None
    idempotent: Idempotency = Idempotency.NONE
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    reply: type[BaseModel] | None = None
    status: int = 200
    problems: tuple[type[Problem], ...] = ()
    any_key: bool = False
    stream: bool = False
    long_poll: bool = False
    media_type: str = "application/json"
    body_bytes_max: int | None = None
    raw_body: bool = False
    optional_key: bool = False
    audit: str | None = None
    audit_target: str | None = None
    tags: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The handler's name, which is also the operation's id and the client method's name."""
        return str(getattr(self.handler, "__name__", ""))

    @property
    def is_public(self) -> bool:
        """Whether it answers without a key."""
        return self.scope is None and not self.any_key

    @property
    def secret_fields(self) -> frozenset[str]:
        """Fields of the reply that are shown once; its model declares them as `secret_fields: ClassVar`."""
        return getattr(self.reply, "secret_fields", frozenset())

    @property
    def path_parameters(self) -> tuple[str, ...]:
        """Names of the parameters in `path`, in order."""
        return tuple(_PARAMETER.findall(self.path))


def endpoint(
    method: Method,
    path: str,
    *,
    scope: Scope | None,
    summary: str,
    idempotent: Idempotency = Idempotency.NONE,
    body: type[BaseModel] | None = None,
    query: type[BaseModel] | None = None,
    reply: type[BaseModel] | None = None,
    status: int | None = None,
    problems: tuple[type[Problem], ...] = (),
    any_key: bool = False,
    stream: bool = False,
    long_poll: bool = False,
    media_type: str = "application/json",
    body_bytes_max: int | None = None,
    raw_body: bool = False,
    optional_key: bool = False,
    audit: str | None = None,
    audit_target: str | None = None,
    tags: tuple[str, ...] = (),
) -> Callable[[Handler], Endpoint]:
    """Declare the decorated handler as the one that answers `method` `path`; the name becomes the `Endpoint`.

    `body`, `query` and `reply` are pydantic models, None for no body, no query parameters, an empty reply
    (204). `problems` are those that the handler's own work may raise; what any endpoint may answer (401, 403,
    413, 429, 500, 503, 507 and so on) is added by the table. `stream` (server-sent events) and `long_poll`
    count against the quotas of open streams and of waiting workers. `body_bytes_max` lowers the body cap
    for this endpoint.
    `optional_key` says that an Idempotency-Key may stand in for the natural key that the body could carry.
    `audit` is the name (`noun.past_verb`) under which the audit log tells what was done: written with the
    handler's own `call.write` or `call.mutate`, and for refusals. Its target is the field `audit_target` of
    what the work returns, else the last parameter of the path; `call.tell` says more.
    `raw_body` hands `call.raw_body` over unparsed, of any media type. Where the reply's model has
    `secret_fields`, those are shown once: the stored reply has none of them, and a repeat answers 409
    `secret-not-repeatable`.

    Raises ValueError at import when the declaration contradicts itself.
    """
    empty = reply is None and not stream and media_type == "application/json"
    chosen_status = status or (204 if empty else 200)

    def declare(handler: Handler) -> Endpoint:
        declared = Endpoint(
            method=method,
            path=path,
            handler=handler,
            summary=summary,
            scope=scope,
            idempotent=idempotent,
            body=body,
            query=query,
            reply=reply,
            status=chosen_status,
            problems=problems,
            any_key=any_key,
            stream=stream,
            long_poll=long_poll,
            media_type="text/event-stream" if stream else media_type,
            body_bytes_max=body_bytes_max,
            raw_body=raw_body,
            optional_key=optional_key,
            audit=audit,
            audit_target=audit_target,
            tags=tags,
        )
        _refuse_contradictions(declared)
        return declared

    return declare


def _refuse_contradictions(declared: Endpoint) -> None:
    where = f"{declared.method} {declared.path}"
    if not declared.path.startswith("/") or "{" in _PARAMETER.sub("", declared.path):
        raise ValueError(f"{where}: a path starts with / and names its parameters {{like_this}}")
    reads = declared.method == "GET"
    if reads and (declared.body is not None or declared.idempotent is not Idempotency.NONE):
        raise ValueError(f"{where}: a GET has no body and changes nothing")
    if not reads and declared.idempotent is Idempotency.NONE:
        raise ValueError(f"{where}: say what makes a repeat safe, Idempotency.KEYED or Idempotency.NATURAL")
    if declared.idempotent is Idempotency.KEYED and declared.is_public:
        raise ValueError(f"{where}: an idempotency key belongs to a principal, so this needs a scope")
    if declared.audit is not None and not _ACTION.fullmatch(declared.audit):
        raise ValueError(f"{where}: the audit log names deeds like key.created, not {declared.audit!r}")
    if not declared.summary or declared.summary.endswith("."):
        raise ValueError(f"{where}: the summary is a short phrase without a full stop")
