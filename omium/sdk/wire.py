"""The wire: one HTTP/1.1 request as bytes, and the answer taken out of bytes, without a socket.

Owns what both kinds of connection share: the address, the headers that never change, the parser (httptools),
and the sentences that say why no answer came. Sockets are connection.py and async_connection.py.

Why not httpx for this: a step is one small request, and httpx alone costs more than the server. What was
measured is in docs/decisions/022-lean-connection.md. What people call goes through httpx (transport.py).
"""

from __future__ import annotations

import socket
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import httptools

from omium import __version__
from omium.config import parse_base_url
from omium.errors import ConfigError, ConnectionLost
from omium.sdk.flows import Http

if TYPE_CHECKING:  # loading TLS takes as long as all of the rest, and most servers are on this machine
    from omium.sdk.tls import Tls

ANSWER_BYTES_MAX: Final = 64 * 1024 * 1024
READ_BYTES: Final = 64 * 1024
CONNECT_TIMEOUT_S: Final = 5.0
USER_AGENT: Final = f"omium-os/{__version__}"


@dataclass(frozen=True, slots=True)
class Target:
    """A server's address and what every request to it carries."""

    base_url: str
    api_key: str | None = field(default=None, repr=False)
    tls: Tls | None = None
    host: str = field(init=False)
    port: int = field(init=False)
    prefix: str = field(init=False)
    headers: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        address = parse_base_url(self.base_url)
        object.__setattr__(self, "host", address.host)
        object.__setattr__(self, "port", address.port)
        object.__setattr__(self, "prefix", address.prefix)
        lines = [f"host: {address.netloc}", f"user-agent: {USER_AGENT}", "accept: application/json"]
        if self.api_key:
            lines.append(f"authorization: Bearer {self.api_key}")
        object.__setattr__(self, "headers", _header_bytes(lines))


def make_target(
    base_url: str, api_key: str | None = None, *, ca_file: str | None = None, tls_pin: str | None = None
) -> Target:
    """Return the server at `base_url`; `ConfigError` if that is no address, or a pin or authority is odd."""
    plain = Target(base_url, api_key)
    if not base_url.startswith("https:"):
        if ca_file or tls_pin:
            raise ConfigError(
                f"{base_url} is not encrypted, so OMIUM_TLS_PIN and OMIUM_CA_FILE cannot apply."
            )
        return plain
    from omium.sdk.tls import Tls  # noqa: PLC0415  # see above

    return replace(plain, tls=Tls(plain.host, plain.port, ca_file=ca_file, pin=tls_pin))


def encode_request(target: Target, request: Http) -> bytes:
    """Return the bytes of `request`. The path must be percent-encoded already."""
    body = request.body or b""
    lines = [f"{name}: {value}" for name, value in request.headers.items()]
    if request.idempotency_key is not None:
        lines.append(f"idempotency-key: {request.idempotency_key}")
    if body or request.method != "GET":
        lines.append(f"content-length: {len(body)}")
    start = f"{request.method} {target.prefix}{request.path} HTTP/1.1"
    if not start.isascii() or not start.isprintable() or start.count(" ") != 2:
        raise ValueError(f"{request.path!r} is not a percent-encoded path")
    return b"%b\r\n%b%b\r\n%b" % (start.encode(), target.headers, _header_bytes(lines), body)


def _header_bytes(lines: list[str]) -> bytes:
    for line in lines:
        if not line.isprintable():  # a line break would begin another header
            raise ConfigError(
                f"The header {line.partition(':')[0]} holds a character that no header may hold."
            )
    return b"".join(b"%b\r\n" % line.encode() for line in lines)


class AnswerReader:
    """Takes one answer out of the bytes of a connection."""

    __slots__ = ("_parser", "_size_bytes", "body", "complete", "headers", "keep_alive", "started", "status")

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._size_bytes = 0
        self.headers: dict[str, str] = {}
        self.body: list[bytes] = []
        self.status = 0
        self.started = False
        self.complete = False
        self.keep_alive = False

    def feed(self, data: bytes) -> None:
        """Read on. Raises ValueError if this is not HTTP, or too much of it."""
        self.started = True
        self._size_bytes += len(data)
        if self._size_bytes > ANSWER_BYTES_MAX:
            raise ValueError("the answer is larger than 64 MiB")
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            raise ValueError("the answer is not HTTP") from error

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser."""
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, part: bytes) -> None:
        """Called by the parser."""
        self.body.append(part)

    def on_message_complete(self) -> None:
        """Called by the parser."""
        status = self._parser.get_status_code()
        if status >= 200:  # 1xx only announces the answer
            self.status = status
            self.keep_alive = self._parser.should_keep_alive()
            self.complete = True


def lost(target: Target, error: BaseException, timeout_s: float) -> ConnectionLost:
    """Return the error that says why no answer came, with the remedy."""
    url = target.base_url
    if (distrust := getattr(error, "verify_message", None)) is not None:  # ssl.SSLCertVerificationError
        words = (
            f"The certificate of {url} is not trusted ({distrust}). Set OMIUM_TLS_PIN to the fingerprint that"
            " `omium serve --tls` printed, or OMIUM_CA_FILE to its authority."
        )
    elif isinstance(error, ConnectionRefusedError):
        words = f"No Omium server answers at {url}; start one with `omium serve`, or set OMIUM_BASE_URL."
    elif isinstance(error, socket.gaierror):
        words = f"The host of {url} is not known here ({error.strerror}); check OMIUM_BASE_URL."
    elif isinstance(error, TimeoutError):
        words = f"The Omium server at {url} did not answer within {timeout_s:g} s; see `omium doctor`."
    else:
        reason = str(error) or type(error).__name__
        words = f"The connection to the Omium server at {url} broke ({reason}); see `omium doctor`."
    return ConnectionLost(words)
