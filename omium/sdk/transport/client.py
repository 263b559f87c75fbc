"""httpx for the clients, sync and async: one request, or one stream, and the reason if there is no answer.

The only module of the SDK that imports httpx. Proxies of the environment are not used: a key goes to the
server that was named and to nobody else.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from ssl import PROTOCOL_TLS_CLIENT, SSLContext
from typing import Final

import httpx

from omium.clock import Clock
from omium.errors import ConnectionLost
from omium.sdk.async_batching import AsyncWriter
from omium.sdk.batching import Writer
from omium.sdk.flows import Http, HttpAnswer, Write, WriteOutcome
from omium.sdk.lease import SYSTEM_CLOCK
from omium.sdk.wire import CONNECT_TIMEOUT_S, USER_AGENT, Target, lost

STREAM_TIMEOUT_S: Final = 40.0  # the server sends a comment every 15 s


class HttpxTransport:
    """The `Ports` of a sync client. `inner` takes the place of the network, for tests."""

    def __init__(
        self, target: Target, *, inner: httpx.BaseTransport | None = None, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._target = target
        self._inner = inner
        self._clock = clock
        self._client: httpx.Client | None = None

    def http(self, request: Http, /) -> HttpAnswer:
        """Send `request` once; `ConnectionLost` if no answer comes."""
        sent_us = self._clock.boot_us()
        with _translated(self._target, request.timeout_s):
            client = self._open()
            answer = client.send(_build(client, self._target, request))
            return _answer(answer, answer.content, sent_us)

    @contextlib.contextmanager
    def stream(self, request: Http, /) -> Iterator[tuple[HttpAnswer, Iterator[str]]]:
        """Send `request` and yield (answer, lines); an answer that is no stream has its body and no lines."""
        with _translated(self._target, STREAM_TIMEOUT_S):
            client = self._open()
            answer = client.send(_build(client, self._target, request), stream=True)
            try:
                body = b"" if answer.is_success else answer.read()
                yield _answer(answer, body, 0), answer.iter_lines()
            finally:
                answer.close()

    def write(self, request: Write, /) -> WriteOutcome:
        """Send one driver write by itself."""
        return Writer(self.http).write(request)

    def sleep(self, seconds: float, /) -> None:
        """Block this thread."""
        time.sleep(seconds)

    def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _open(self) -> httpx.Client:
        if self._client is None:
            inner = self._inner or httpx.HTTPTransport(verify=_context(self._target))
            self._client = httpx.Client(transport=inner, headers=_headers(self._target), trust_env=False)
        return self._client


class AsyncHttpxTransport:
    """The `AsyncPorts` of an async client. `inner` takes the place of the network, for tests."""

    def __init__(
        self, target: Target, *, inner: httpx.AsyncBaseTransport | None = None, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._target = target
        self._inner = inner
        self._clock = clock
        self._client: httpx.AsyncClient | None = None

    async def http(self, request: Http, /) -> HttpAnswer:
        """Send `request` once; `ConnectionLost` if no answer comes."""
        sent_us = self._clock.boot_us()
        with _translated(self._target, request.timeout_s):
            client = await self._open()
            answer = await client.send(_build(client, self._target, request))
            return _answer(answer, answer.content, sent_us)

    @contextlib.asynccontextmanager
    async def stream(self, request: Http, /) -> AsyncIterator[tuple[HttpAnswer, AsyncIterator[str]]]:
        """Send `request` and yield (answer, lines); an answer that is no stream has its body and no lines."""
        with _translated(self._target, STREAM_TIMEOUT_S):
            client = await self._open()
            answer = await client.send(_build(client, self._target, request), stream=True)
            try:
                body = b"" if answer.is_success else await answer.aread()
                yield _answer(answer, body, 0), answer.aiter_lines()
            finally:
                await answer.aclose()

    async def write(self, request: Write, /) -> WriteOutcome:
        """Send one driver write by itself."""
        return await AsyncWriter(self.http).write(request)

    async def sleep(self, seconds: float, /) -> None:
        """Let other tasks run."""
        await asyncio.sleep(seconds)

    async def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _open(self) -> httpx.AsyncClient:
        if self._client is None:
            inner = self._inner
            if inner is None:  # with a pin, making the context asks the server for its certificate
                context = await asyncio.to_thread(_context, self._target)
                inner = httpx.AsyncHTTPTransport(verify=context)
            if self._client is None:  # another task was faster
                self._client = httpx.AsyncClient(
                    transport=inner, headers=_headers(self._target), trust_env=False
                )
        return self._client


def _context(target: Target) -> SSLContext:
    if target.tls is None:  # nothing will be encrypted: loading authorities would take 20 ms for nothing
        return SSLContext(PROTOCOL_TLS_CLIENT)
    try:
        return target.tls.get_context(CONNECT_TIMEOUT_S)
    except OSError as error:
        raise lost(target, error, CONNECT_TIMEOUT_S) from error


def _headers(target: Target) -> dict[str, str]:
    headers = {"user-agent": USER_AGENT, "accept": "application/json"}
    if target.api_key:
        headers["authorization"] = f"Bearer {target.api_key}"
    return headers


def _build(client: httpx.Client | httpx.AsyncClient, target: Target, request: Http) -> httpx.Request:
    headers = dict(request.headers)
    if request.idempotency_key is not None:
        headers["idempotency-key"] = request.idempotency_key
    timeout = httpx.Timeout(request.timeout_s, connect=min(CONNECT_TIMEOUT_S, request.timeout_s))
    url = target.base_url + request.path
    return client.build_request(request.method, url, content=request.body, headers=headers, timeout=timeout)


def _answer(answer: httpx.Response, body: bytes, sent_us: int) -> HttpAnswer:
    return HttpAnswer(answer.status_code, dict(answer.headers), body, sent_us)


@contextlib.contextmanager
def _translated(target: Target, timeout_s: float) -> Iterator[None]:
    """Say why no answer came in the words that the lean connections use."""
    try:
        yield
    except httpx.TransportError as error:
        raise _lost(target, error, timeout_s) from error


def _lost(target: Target, error: httpx.TransportError, timeout_s: float) -> ConnectionLost:
    if isinstance(error, httpx.TimeoutException):
        return lost(target, TimeoutError(), timeout_s)
    cause: BaseException | None = error
    reason: BaseException = error
    while cause is not None:  # httpx, httpcore and anyio wrap what the socket said
        if isinstance(cause, OSError):
            reason = cause
        several = cause.exceptions if isinstance(cause, BaseExceptionGroup) else ()
        cause = several[0] if several else cause.__cause__ or cause.__context__
    return lost(target, reason, timeout_s)
