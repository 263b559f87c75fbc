"""Dispatch: the path of every request, as one plain ASGI application.

    Host and Origin > route > key > rate > scope > body within its cap > JSON > model > handler > answer

Owns the order of the checks and how an answer is sent. What each check does stands in a module of its own.
Nothing here is a middleware: each layer of those costs more than a handler (docs/decisions has the figures).
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from collections.abc import AsyncGenerator, Iterable
from contextlib import nullcontext

from pydantic import BaseModel

from omium.errors import InvalidRequest, ScopeMissing, ShuttingDown
from omium.logs import get_logger
from omium.server.principal import NOBODY, Principal
from omium.server.web.answer import Answer, Stream, answer_model
from omium.server.web.audited import answer_audited, deed_of, note_refusal
from omium.server.web.call import Call
from omium.server.web.context import ServerContext
from omium.server.web.endpoint import Endpoint, Idempotency
from omium.server.web.hosts import is_loopback
from omium.server.web.idempotency import IdempotentRequest, digest_request, read_key
from omium.server.web.problems import answer_problem, to_problem
from omium.server.web.requests import (
    ClientDisconnected,
    Receive,
    Request,
    Scope,
    Send,
    read_json,
    read_query,
)
from omium.server.web.router import Route, Router

__all__ = ["Application"]

STREAM_SEND_TIMEOUT_S = 30.0  # a reader that takes nothing for so long is dropped; it resumes by sequence
_ALWAYS_HEADERS = [(b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store")]
_PAGE_HEADERS = [  # only what a browser can be led to by a link needs them
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
]
_HSTS = (b"strict-transport-security", b"max-age=31536000")
_WHILE_DRAINING = frozenset({"/healthz", "/readyz", "/metrics"})

log = get_logger(__name__)


class Application:
    """The server's ASGI application over a table of endpoints."""

    def __init__(self, server: ServerContext, endpoints: Iterable[Endpoint]) -> None:
        self.server = server
        self.router = Router(endpoints)
        self._request_ids = itertools.count(1)
        self._request_prefix = f"rq_{secrets.token_hex(5)}"
        self._headers = [*_ALWAYS_HEADERS, _HSTS] if server.settings.tls else _ALWAYS_HEADERS
        self._page_headers = [*self._headers, *_PAGE_HEADERS]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; a WebSocket is refused, lifespan is somebody else's."""
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            raise ValueError(f"an ASGI scope of type {scope['type']!r} is not served here")

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        started_s = time.perf_counter()
        request_id = f"{self._request_prefix}{next(self._request_ids):08x}"
        request = Request(scope, receive)
        route: Route | None = None
        answer: Answer | None
        try:
            self.server.hosts.check(request.headers)
            route, path = self.router.find(request.method, request.raw_path.decode("latin-1"))
            answer = await self._answer(route.endpoint, path, request, request_id, scope, send)
        except ClientDisconnected:
            return
        except Exception as error:  # the boundary: whatever a handler raises becomes one answer
            problem = to_problem(error, request_id, route.label if route else "unmatched")
            if route is not None and problem.code not in route.codes:
                self._note_undeclared(route, problem.code, request_id)
            answer = answer_problem(problem, request_id)
        if answer is None:  # a stream was sent already
            return
        if not request.complete and not await _take_rest(request):
            answer = Answer(
                answer.body, answer.status, {**answer.headers, "connection": "close"}, answer.media_type
            )
        await self._send(answer, request, request_id, send)
        seconds = time.perf_counter() - started_s
        label = route.label if route else "unmatched"
        self.server.metrics.observe(label, answer.status, seconds)
        if self.server.settings.access_log:
            log.info(
                "request",
                request_id=request_id,
                endpoint=label,
                status=answer.status,
                ms=round(seconds * 1e3, 2),
            )

    def _note_undeclared(self, route: Route, code: str, request_id: str) -> None:
        """Note a mistake in a declaration: clients that were made from OpenAPI do not expect this answer."""
        log.warning("undeclared problem", request_id=request_id, endpoint=route.label, code=code)
        self.server.metrics.count(
            "omium_undeclared_problems",
            "Answers that the endpoint does not declare.",
            "endpoint",
            route.label,
        )

    async def _answer(
        self,
        endpoint: Endpoint,
        path: dict[str, str],
        request: Request,
        request_id: str,
        scope: Scope,
        send: Send,
    ) -> Answer | None:
        """Check, decode, call the handler; None when it was a stream."""
        server = self.server
        if server.draining and endpoint.path not in _WHILE_DRAINING:
            raise ShuttingDown
        address = server.hosts.client_address(request.peer, request.headers)
        if endpoint.is_public:
            principal = NOBODY
            if not is_loopback(address):
                server.per_address.take(address)
        else:
            principal = await self._admit(endpoint, request, request_id, address)
        query = read_query(request.query_string, endpoint.query)
        bytes_max = server.settings.body_bytes_max
        raw_body = await request.read_body(min(endpoint.body_bytes_max or bytes_max, bytes_max))
        body = self._read_body(endpoint, request, raw_body)
        idempotency = None
        if endpoint.idempotent is Idempotency.KEYED:
            idempotency = IdempotentRequest(
                tenant_id=principal.tenant_id,
                principal_id=principal.id,
                endpoint=f"{endpoint.method} {endpoint.path}",
                key=read_key(request.headers),
                digest=digest_request(request.raw_path, request.query_string, raw_body),
                secret_fields=endpoint.secret_fields,
            )
        call = Call(
            server=server,
            principal=principal,
            path=path,
            body=body,
            query=query,
            raw_body=raw_body,
            headers=request.headers,
            request_id=request_id,
            peer=request.peer,
            address=address,
            status=endpoint.status,
            idempotency=idempotency,
        )
        if endpoint.audit is not None:
            call.deed = deed_of(server, endpoint, principal, path, request, request_id, address)
            return _as_answer(await answer_audited(server, endpoint, call, call.deed), endpoint)
        if not (endpoint.stream or endpoint.long_poll):
            return _as_answer(await endpoint.handler(call), endpoint)
        quota = server.polls if endpoint.long_poll else server.streams
        with quota.hold(principal.id) if not endpoint.is_public else nullcontext():
            return await self._answer_slowly(endpoint, call, request, scope, send)

    async def _admit(self, endpoint: Endpoint, request: Request, request_id: str, address: str) -> Principal:
        """Return who asks, if the key is good, within its rate, and has the scope."""
        server = self.server
        server.per_address.refuse_if_empty(address)
        try:
            principal = await server.auth.authenticate(request.headers)
        except Exception:
            server.per_address.take(address)  # what failed costs a token of the address
            raise
        request.tenant_id = principal.tenant_id
        server.per_key.take(principal.id)
        server.per_tenant.take(principal.tenant_id)
        if endpoint.scope is not None:
            try:
                principal.require(endpoint.scope)
            except ScopeMissing as problem:
                if endpoint.audit is not None:
                    deed = deed_of(server, endpoint, principal, {}, request, request_id, address)
                    await note_refusal(server, deed, problem)
                raise
        return principal

    def _read_body(self, endpoint: Endpoint, request: Request, raw_body: bytes) -> BaseModel | None:
        if endpoint.raw_body:
            return None
        if endpoint.body is not None:
            return read_json(request.headers, raw_body, endpoint.body)
        if raw_body.strip() not in {b"", b"{}"}:
            raise InvalidRequest("This takes no body.")
        return None

    async def _answer_slowly(
        self, endpoint: Endpoint, call: Call, request: Request, scope: Scope, send: Send
    ) -> Answer | None:
        """Answer a long poll or a stream, and stop waiting when the client goes away."""
        gone = asyncio.create_task(_close_when_gone(request, call))
        try:
            answer = await endpoint.handler(call)
            if not isinstance(answer, Stream):
                return _as_answer(answer, endpoint)
            await self._send_stream(answer, endpoint, call, scope, send)
            return None
        finally:
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)

    async def _send(self, answer: Answer, request: Request, request_id: str, send: Send) -> None:
        fixed = self._page_headers if request.method == "GET" else self._headers
        headers = [(b"omium-request-id", request_id.encode()), *fixed]
        if request.tenant_id and self.server.credits is not None:
            headers += await self.server.credits.get(request.tenant_id)
        if answer.status not in {204, 304}:
            headers.append((b"content-type", answer.media_type.encode()))
            headers.append((b"content-length", b"%d" % len(answer.body)))
        if answer.headers:
            own = {name.encode(): value.encode("latin-1") for name, value in answer.headers.items()}
            headers = [entry for entry in headers if entry[0] not in own]
            headers.extend(own.items())
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def _send_stream(
        self, stream: Stream, endpoint: Endpoint, call: Call, scope: Scope, send: Send
    ) -> None:
        """Send chunk by chunk; a client that takes nothing is cut off, so that it cannot hold memory."""
        headers = [(b"omium-request-id", call.request_id.encode()), *self._page_headers]
        if self.server.credits is not None and not endpoint.is_public:
            headers += await self.server.credits.get(call.principal.tenant_id)
        headers += [(b"content-type", endpoint.media_type.encode()), (b"x-accel-buffering", b"no")]
        headers += [(name.encode(), value.encode("latin-1")) for name, value in stream.headers.items()]
        chunks = stream.chunks
        try:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            async for chunk in chunks:
                async with asyncio.timeout(STREAM_SEND_TIMEOUT_S):
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
            async with asyncio.timeout(STREAM_SEND_TIMEOUT_S):
                await send({"type": "http.response.body", "body": b""})
        except TimeoutError:
            log.info("a stream's reader was too slow", request_id=call.request_id)
            self.server.metrics.count("omium_streams_dropped", "Streams whose reader was too slow.")
            _abort(scope)
        except Exception as error:  # the boundary: the head is sent, so the client can only be told by an end
            to_problem(error, call.request_id, f"{endpoint.method} {endpoint.path}")
            _abort(scope)
        finally:
            if isinstance(chunks, AsyncGenerator):
                await chunks.aclose()


def _abort(scope: Scope) -> None:
    """Cut the connection: an unfinished stream tells the client to come back (protocol.py offers it)."""
    if extension := scope.get("extensions", {}).get("omium.abort"):
        extension["abort"]()


def _as_answer(reply: BaseModel | Answer | Stream | None, endpoint: Endpoint) -> Answer:
    if isinstance(reply, Answer):
        return reply
    if endpoint.idempotent is Idempotency.KEYED:
        raise RuntimeError(f"{endpoint.name} is keyed, but its answer did not come from call.mutate()")
    assert not isinstance(reply, Stream), f"{endpoint.name} is not declared as a stream"
    return answer_model(reply, endpoint.status)


async def _take_rest(request: Request) -> bool:
    """Take in the rest of a body after an early refusal; False if the connection must be closed instead."""
    try:
        return await request.drain()
    except ClientDisconnected:
        return False


async def _close_when_gone(request: Request, call: Call) -> None:
    await request.wait_for_disconnect()
    for watcher in call.watchers:
        watcher.close()
