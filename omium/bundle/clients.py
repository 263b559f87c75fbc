"""The clients that read a bundle: the SDK's own, over a transport that has a file instead of a network.

So every method is there under its own name and with its own arguments, and none can drift from a server's.
Use one as a context manager, or close it, which closes the bundle.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from pydantic import ValidationError

from omium.bundle.answers import Answers
from omium.bundle.limits import LIST_ITEMS_MAX
from omium.bundle.opening import Bundle
from omium.config import Settings
from omium.errors import BundleDamaged, BundleReadOnly, ConnectionLost, NotInBundle
from omium.models.execution import Event
from omium.sdk.async_client import AsyncClient
from omium.sdk.async_client.core import ModelT, Query
from omium.sdk.flows import Http, HttpAnswer, Write, WriteOutcome
from omium.sdk.sync_client import Client
from omium.sdk.transport.client import AsyncHttpxTransport, HttpxTransport

_OK: Final = 200
_STREAM: Final = re.compile(r"/v1/executions/([^/]+)/events/stream")
_READ_ONLY: Final = "A bundle can be looked at; nothing runs in it."


class _Transport(HttpxTransport):
    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._answers = Answers(bundle)

    def http(self, request: Http, /) -> HttpAnswer:
        return HttpAnswer(_OK, {}, self._answers.answer(request.method, request.path), 0)

    def stream(  # type: ignore[override]  # it gives nothing that would have to be closed
        self, request: Http, /
    ) -> contextlib.AbstractContextManager[tuple[HttpAnswer, Iterator[str]]]:
        raise NotInBundle(f"Nothing happens in a bundle, so {request.path} has no end; list the events.")

    def write(self, _request: Write, /) -> WriteOutcome:
        raise BundleReadOnly(_READ_ONLY)

    def close(self) -> None:
        self._bundle.close()


class _AsyncTransport(AsyncHttpxTransport):
    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._answers = Answers(bundle)

    async def http(self, request: Http, /) -> HttpAnswer:
        # Beside the loop: unpacking and looking through a long list takes time in which a screen must go on.
        body = await asyncio.to_thread(self._answers.answer, request.method, request.path)
        return HttpAnswer(_OK, {}, body, 0)

    @contextlib.asynccontextmanager
    async def stream(self, request: Http, /) -> AsyncIterator[tuple[HttpAnswer, AsyncIterator[str]]]:
        yield HttpAnswer(_OK, {}, b"", 0), self._follow(request)

    async def write(self, _request: Write, /) -> WriteOutcome:
        raise BundleReadOnly(_READ_ONLY)

    async def close(self) -> None:
        self._bundle.close()

    async def _follow(self, request: Http) -> AsyncIterator[str]:
        """Give the events that an execution has, then wait as for a server on which nothing happens."""
        found = _STREAM.fullmatch(request.path)
        if found is not None:
            execution_id, after = unquote(found[1]), int(request.headers.get("last-event-id") or 0)
            events = self._answers.list_events_after(execution_id, after)
            # Some at a time: a small file may hold more of them than there is memory.
            while some := await asyncio.to_thread(lambda: list(islice(events, LIST_ITEMS_MAX))):
                for seq, line in some:
                    _check_event(self._bundle, line)
                    for part in (f"id: {seq}", f"data: {line.decode()}", ""):
                        yield part
        await asyncio.get_running_loop().create_future()


class BundleClient(AsyncClient):
    """An `AsyncClient` of a bundle: reads as from a server, raises `BundleReadOnly` where one would write."""

    def __init__(self, bundle: Bundle) -> None:
        super().__init__(settings=_settings(bundle.path), transport=_AsyncTransport(bundle))
        self.bundle: Final = bundle

    async def _get(self, path: str, reply: type[ModelT], query: Query | None = None) -> ModelT:
        try:
            return await super()._get(path, reply, query)
        except ConnectionLost as error:
            raise _no_answer(self.bundle) from error


class SyncBundleClient(Client):
    """A `Client` of a bundle; see `BundleClient`."""

    def __init__(self, bundle: Bundle) -> None:
        super().__init__(settings=_settings(bundle.path), transport=_Transport(bundle))
        self.bundle: Final = bundle

    def _get(self, path: str, reply: type[ModelT], query: Query | None = None) -> ModelT:
        try:
            return super()._get(path, reply, query)
        except ConnectionLost as error:
            raise _no_answer(self.bundle) from error


def _check_event(bundle: Bundle, line: bytes) -> None:
    """Raise `BundleDamaged` for what is no event: no client looks at what a stream gives."""
    try:
        Event.model_validate_json(line)
    except ValidationError as error:
        raise _no_answer(bundle) from error


def _no_answer(bundle: Bundle) -> BundleDamaged:
    """There is no connection to lose: a client takes an answer for lost that is not what it should be."""
    return BundleDamaged(f"{bundle.path.name} holds something that is not what a bundle holds.")


def _settings(path: Path) -> Settings:
    return Settings(base_url=f"bundle:{path.name}")  # is shown to people, and reaches nobody
