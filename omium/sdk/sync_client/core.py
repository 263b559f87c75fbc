"""What every call of a client has in common: settings, retries, models in and out, pages, live streams.

Generated from omium/sdk/async_client by tools/generate_sync_client.py: edit there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Final, Self, TypeVar, overload
from urllib.parse import quote, urlencode

from pydantic import BaseModel, ValidationError
from typing_extensions import ParamSpec

from omium.config import Settings, load_settings, require_environment
from omium.errors import ConnectionLost
from omium.jsonvalue import json_bytes
from omium.models.wire import Page
from omium.sdk.exchange import backoff_s, exchange, may_retry, new_idempotency_key, read_problem
from omium.sdk.flows import Http, drive_sync
from omium.sdk.live import LiveEvent, LiveEventReader
from omium.sdk.transport.client import STREAM_TIMEOUT_S, HttpxTransport
from omium.sdk.wire import make_target

P = ParamSpec("P")
T = TypeVar("T")
ModelT = TypeVar("ModelT", bound=BaseModel)
Query = Mapping[str, object]

TIMEOUT_S: Final = 30.0
RETRY_FOR_S: Final = 2.0  # a server that restarts is back by then; nobody is kept waiting for one that is not
RECONNECTIONS_MAX: Final = 3


class SyncCore:
    """A client of one server. Use it as a context manager, or call `close` when done.

    Arguments that are not given come from the environment, then from the profile (docs/configuration.md).
    `timeout_s` is for one answer; `retry_for_s` is how long a request that can be repeated is repeated while
    the server is away, busy or limits the rate. Every call raises the server's problems as the classes of
    `omium.errors`, and `ConnectionLost` when there is no answer.
    """

    def __init__(
        self,
        base_url: str | None = None,
        api_key: str | None = None,
        *,
        profile: str | None = None,
        ca_file: str | None = None,
        tls_pin: str | None = None,
        timeout_s: float = TIMEOUT_S,
        retry_for_s: float = RETRY_FOR_S,
        settings: Settings | None = None,
        transport: HttpxTransport | None = None,
    ) -> None:
        if settings is None:
            settings = load_settings(
                base_url=base_url, api_key=api_key, profile=profile, ca_file=ca_file, tls_pin=tls_pin
            )
            require_environment(settings)
        self.settings: Final = settings
        self._timeout_s = timeout_s
        self._retry_for_s = retry_for_s
        self._transport = transport or HttpxTransport(
            make_target(
                self.settings.base_url,
                self.settings.api_key,
                ca_file=self.settings.ca_file,
                tls_pin=self.settings.tls_pin,
            )
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def each(self, list_page: Callable[P, Page[T]], /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        """Yield what a list holds, page after page: `client.each(client.list_keys, limit=100)`."""
        while True:
            page = list_page(*args, **kwargs)
            yield from page.items
            if page.next is None:
                return
            kwargs["after"] = page.next

    def _get(self, path: str, reply: type[ModelT], query: Query | None = None) -> ModelT:
        return _read(reply, self._exchange("GET", path + encode_query(query), None, None, None))

    @overload
    def _send(
        self,
        method: str,
        path: str,
        reply: type[ModelT],
        command: BaseModel | None = None,
        *,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
        whole: bool = False,
    ) -> ModelT: ...

    @overload
    def _send(self, method: str, path: str, reply: None, command: BaseModel | None = None) -> None: ...

    def _send(
        self,
        method: str,
        path: str,
        reply: type[ModelT] | None,
        command: BaseModel | None = None,
        *,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
        whole: bool = False,
    ) -> ModelT | None:
        """Send what the caller has set of a command, or the `whole`. The key is made once, not per try."""
        body = b"" if command is None else _encode(command, whole=whole)
        key = idempotency_key or new_idempotency_key()
        answer = self._exchange(method, path, body, key, timeout_s)
        return None if reply is None else _read(reply, answer)

    def _exchange(
        self, method: str, path: str, body: bytes | None, key: str | None, timeout_s: float | None
    ) -> bytes:
        flow = exchange(
            method,
            path,
            body,
            idempotency_key=key,
            timeout_s=timeout_s or self._timeout_s,
            retry_for_s=self._retry_for_s,
        )
        return drive_sync(flow, self._transport).body

    def _follow(self, path: str, last_id: str | None) -> Iterator[LiveEvent]:
        """Yield the events of a stream after `last_id`; after a lost connection go on where it was."""
        failures = 0
        while True:
            headers = {"accept": "text/event-stream"}
            if last_id is not None:
                headers["last-event-id"] = last_id
            try:
                request = Http("GET", path, headers=headers, timeout_s=STREAM_TIMEOUT_S)
                with self._transport.stream(request) as (answer, lines):
                    if answer.status >= 300:
                        problem = read_problem(answer)
                        if not may_retry(problem) or failures >= RECONNECTIONS_MAX:
                            raise problem
                    else:
                        reader = LiveEventReader()
                        for line in lines:
                            event = reader.feed(line)
                            if event is not None and event.name == "end":
                                break  # the server stops, or we fell behind
                            if event is not None:
                                last_id = event.id or last_id
                                yield event
                            if event is not None or line.startswith(":"):
                                failures = 0
            except ConnectionLost:
                if failures >= RECONNECTIONS_MAX:
                    raise
            self._transport.sleep(backoff_s(failures))
            failures += 1


def segment(text: str) -> str:
    """Return `text` as one segment of a path."""
    return quote(text, safe="")


def _encode(command: BaseModel, *, whole: bool) -> bytes:
    value = command.model_dump(mode="json", exclude_unset=not whole)
    return json_bytes(value)  # not pydantic's own writer, which would make null of a NaN


def encode_query(query: Query | None) -> str:
    """Return `query` as it follows a path, without what is None; empty if nothing is left."""
    pairs = [(name, _text(value)) for name, value in (query or {}).items() if value is not None]
    return f"?{urlencode(pairs)}" if pairs else ""


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value.value if isinstance(value, Enum) else value)


def _read(reply: type[ModelT], body: bytes) -> ModelT:
    try:
        return reply.model_validate_json(body)
    except ValidationError as error:
        raise ConnectionLost(
            f"The server's answer is not a {reply.__name__}: it has another version, or is no Omium server."
        ) from error
