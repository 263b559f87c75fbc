"""Requests: what arrived, read within its limits.

Owns headers, the body with its cap, and the query. Nothing of the body is looked at before its size is known
to be fine. Deadlines are the transport's (protocol.py): this end would only wait.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

from pydantic import BaseModel, ValidationError

from omium.errors import InvalidRequest, PayloadTooLarge, UnsupportedMediaType
from omium.jsonvalue.parse import parse_json
from omium.server.web.problems import invalid_request

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

QUERY_FIELDS_MAX = 64
JSON_TYPE = "application/json"
DRAIN_BYTES_MAX = 16 * 2**20  # of a refused body, so that the client hears why instead of a reset connection


class ClientDisconnected(Exception):  # named after what happened
    """The client went away before its request was complete; nobody is left to answer."""


class Request:
    """One HTTP request as it arrives."""

    __slots__ = (
        "_receive",
        "_started",
        "complete",
        "headers",
        "method",
        "peer",
        "query_string",
        "raw_path",
        "tenant_id",
    )

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._receive = receive
        self.method: str = scope["method"]
        self.raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
        self.query_string: bytes = scope["query_string"]
        self.headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        client = scope.get("client")
        self.peer: str = client[0] if client else ""
        self.tenant_id = ""  # whose it is, once that is known
        self._started = False  # whether any of the body was asked for
        self.complete = False  # whether the whole body was received

    async def read_body(self, bytes_max: int) -> bytes:
        """Return the body, or raise `PayloadTooLarge` as soon as it is known to be more than `bytes_max`."""
        declared = self.headers.get("content-length")
        if declared is not None and declared.isdigit() and int(declared) > bytes_max:
            raise PayloadTooLarge(
                f"The body has {declared} bytes, {bytes_max} are allowed.", limit_bytes=bytes_max
            )
        message = await self._next()
        body: bytes = message.get("body", b"")
        if self.complete and len(body) <= bytes_max:
            return body
        parts, size = [body], len(body)
        while not self.complete and size <= bytes_max:
            message = await self._next()
            parts.append(message.get("body", b""))
            size += len(parts[-1])
        if size > bytes_max:
            raise PayloadTooLarge(
                f"The body has more than the {bytes_max} bytes allowed.", limit_bytes=bytes_max
            )
        return b"".join(parts)

    async def drain(self) -> bool:
        """Take in what is left of a body that nobody reads, within bounds; False if there is still more."""
        if not self._started and self.headers.get("expect", "").lower() == "100-continue":
            return False  # the client waits for a word before it sends anything
        size = 0
        while not self.complete and size <= DRAIN_BYTES_MAX:
            message = await self._next()
            size += len(message.get("body", b""))
        return self.complete

    async def wait_for_disconnect(self) -> None:
        """Return when the client has gone; the body must have been read."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _next(self) -> Message:
        self._started = True
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        self.complete = not message.get("more_body", False)
        return message


def read_json(headers: MutableMapping[str, str], body: bytes, model: type[BaseModel]) -> BaseModel:
    """Return the body as a `model`, or raise what is wrong with it."""
    content_type = headers.get("content-type", "")
    media_type = content_type if content_type == JSON_TYPE else content_type.partition(";")[0].strip().lower()
    if media_type != JSON_TYPE and not (
        media_type.startswith("application/") and media_type.endswith("+json")
    ):
        raise UnsupportedMediaType("Send the body as JSON with the header Content-Type: application/json.")
    if "content-encoding" in headers and headers["content-encoding"].lower() not in {"", "identity"}:
        raise UnsupportedMediaType("Send the body without a Content-Encoding.")
    try:
        return model.model_validate(parse_json(body))
    except ValidationError as error:
        raise invalid_request(error, "") from None


def read_query(query_string: bytes, model: type[BaseModel] | None) -> BaseModel | None:
    """Return the query as a `model`; a parameter that is unknown or given twice is an error."""
    fields: dict[str, str] = {}
    if query_string:
        try:
            pairs = parse_qsl(
                query_string.decode("ascii"),
                keep_blank_values=True,
                strict_parsing=True,
                errors="strict",
                max_num_fields=QUERY_FIELDS_MAX,
            )
        except ValueError as error:  # UnicodeError is one
            raise InvalidRequest(
                "The query of the address is not of the form name=value&name=value."
            ) from error
        fields = dict(pairs)
        if len(fields) < len(pairs):
            raise InvalidRequest("A parameter of the query is given twice; give each once.")
        if any("\x00" in value for value in fields.values()):
            raise InvalidRequest("A parameter of the query holds a NUL character.")
    allowed = model.model_fields if model is not None else {}
    if unknown := sorted(set(fields) - allowed.keys()):
        known = ", ".join(sorted(allowed)) or "none"
        raise InvalidRequest(
            f"There is no query parameter {unknown[0]!r} here; known are: {known}.",
            errors=[{"pointer": f"query:{name}", "detail": "is not known"} for name in unknown],
        )
    if model is None:
        return None
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise invalid_request(error, "query:") from None
