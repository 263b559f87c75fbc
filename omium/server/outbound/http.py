"""GuardedClient: one HTTP request to an address that somebody else chose.

    refused before anything is sent: other schemes, credentials in the address, addresses.py's verdict
    pinned: the name is resolved once, what was judged is what is connected to; TLS still asks for the name
    bounded: time in all, the answer's size; proxies of the environment are not used
    redirects: not followed, unless asked for; then each is judged anew, and headers stay with their origin

Each request has a connection of its own: what one target does cannot reach another.
"""

from __future__ import annotations

import asyncio
import functools
import re
import socket
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, cast
from urllib.parse import SplitResult, urljoin, urlsplit

import httpcore

from omium.errorinfo import parse_retry_after_s
from omium.server.outbound.addresses import TargetRefused, check_addresses, is_named

ANSWER_BYTES_MAX: Final = 64 * 1024
RETRY_AFTER_S_MAX: Final = 86_400.0
ALLOW_VARIABLE: Final = "OMIUM_OUTBOUND_ALLOW"
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
OWN_HEADERS: Final = frozenset(
    {
        *("host", "connection", "content-length", "transfer-encoding", "te", "trailer", "upgrade", "expect"),
        *("keep-alive", "proxy-authorization", "proxy-connection", "user-agent", "accept-encoding"),
    }
)
"""What this client says itself about the connection; nobody else sets it."""


@functools.cache
def read_trusted(ca_file: str) -> ssl.SSLContext:
    """Return what TLS trusts: the machine's authorities, or those in `ca_file`; raises OSError.

    Read once for all clients of a process, because it takes 20 ms and a server has a client for each purpose.
    Nobody changes what is returned.
    """
    return ssl.create_default_context(cafile=ca_file or None)


class SendFailed(Exception):
    """It was not sent, or not taken; the message says why. Another attempt may succeed.

    `reached` False: there was no connection, so the target certainly knows nothing of it.
    """

    def __init__(self, message: str, *, reached: bool = True) -> None:
        super().__init__(message)
        self.reached = reached


@dataclass(frozen=True, slots=True)
class Answer:
    """What a target answered. `complete` False: it said more than was wanted; `broken`: it broke off."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    complete: bool = True
    broken: bool = False

    def header(self, name: str) -> str:
        """Return the first header of that name, given in small letters; empty without one."""
        return next((value for key, value in self.headers if key == name), "")

    def retry_after_s(self, now_us: int) -> float | None:
        """Return how long it asks to wait, at most a day; None where it says nothing of use."""
        asked_s = parse_retry_after_s(self.header("retry-after"), now_us)
        return None if asked_s is None else min(asked_s, RETRY_AFTER_S_MAX)


class _Pinned(httpcore.AsyncNetworkBackend):
    """Connects to the addresses that were judged, whatever the name would resolve to now."""

    def __init__(self, addresses: list[str]) -> None:
        self._addresses = addresses
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,  # noqa: ARG002  # the name was resolved and judged before
        port: int,
        timeout: float | None = None,  # httpcore's own signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        error: Exception | None = None
        for address in self._addresses:
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as failed:
                error = failed
        raise error or httpcore.ConnectError("no address")

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


class GuardedClient:
    """Sends requests for others. `allowed` holds `host:port` entries of the server's operator.

    `variable` is where the operator names them, for what people are told.
    """

    def __init__(
        self,
        allowed: Iterable[str] = (),
        *,
        timeout_s: float = 10.0,
        ca_file: str = "",
        variable: str = ALLOW_VARIABLE,
    ) -> None:
        self._allowed = frozenset(entry.lower() for entry in allowed)
        self._variable = variable
        self._timeout_s = timeout_s
        self._tls = read_trusted(ca_file)

    def check_url(self, url: str) -> SplitResult:
        """Return the parts of `url` if its form is acceptable; raises `TargetRefused`. Resolves nothing."""
        try:
            parts = urlsplit(url)
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError as error:
            raise TargetRefused("This is no address of the form https://host/path.") from error
        host = parts.hostname or ""
        if parts.scheme not in {"http", "https"} or not host or not url.isascii() or not url.isprintable():
            raise TargetRefused("This is no address of the form https://host/path.")
        if " " in url or parts.username is not None or parts.password is not None:
            raise TargetRefused("An address holds neither credentials nor spaces.")
        if parts.scheme == "http" and not is_named(host, port, self._allowed):
            raise TargetRefused(
                "Only https leaves this server; its operator can allow http to this target with"
                f" {self._variable}={host}:{port}."
            )
        return parts

    async def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        timeout_s: float | None = None,
        answer_bytes_max: int = ANSWER_BYTES_MAX,
    ) -> Answer:
        """POST `body`: `request` for those who know no other method."""
        return await self.request(
            "POST", url, headers, body, timeout_s=timeout_s, answer_bytes_max=answer_bytes_max
        )

    async def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes = b"",
        *,
        timeout_s: float | None = None,
        answer_bytes_max: int = ANSWER_BYTES_MAX,
        redirects_max: int = 0,
    ) -> Answer:
        """Send a request; raises `TargetRefused` or `SendFailed`. A status is an answer, whichever it is.

        `timeout_s` is for all of it, by default this client's; more than `answer_bytes_max` is not read. Only
        GET and HEAD follow redirects; to another origin they go without the caller's headers.
        """
        check_headers(headers)
        within_s = self._timeout_s if timeout_s is None else timeout_s
        host = ""
        try:
            async with asyncio.timeout(within_s):
                for left in range(redirects_max, -1, -1):
                    parts = self.check_url(url)
                    host, port = _host_of(parts)
                    found = await _resolve(host, port)
                    addresses = check_addresses(host, port, found, self._allowed, self._variable)
                    answer = await self._send(method, parts, addresses, body, headers, answer_bytes_max)
                    target = answer.header("location")
                    if answer.status not in REDIRECTS or method not in {"GET", "HEAD"} or not target:
                        return answer
                    if redirects_max and not left:
                        raise TargetRefused(f"{host} redirects more than {redirects_max} times.")
                    if not redirects_max:
                        return answer
                    url = _join(url, target)
                    after = self.check_url(url)
                    if (after.scheme, *_host_of(after)) != (parts.scheme, *_host_of(parts)):
                        headers = {}
                raise AssertionError("the last round returns or raises")
        except TimeoutError:
            raise SendFailed(f"{host} did not answer within {within_s:g} s.") from None
        except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
            reason = str(error) or type(error).__name__
            raise SendFailed(f"{host} could not be reached: {reason}", reached=False) from error
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as error:
            reason = str(error) or type(error).__name__
            raise SendFailed(f"{host} could not be reached: {reason}") from error

    async def _send(
        self,
        method: str,
        parts: SplitResult,
        addresses: list[str],
        body: bytes,
        headers: Mapping[str, str],
        bytes_max: int,
    ) -> Answer:
        sent: list[tuple[bytes | str, bytes | str]] = [("user-agent", "Omium"), ("connection", "close")]
        sent += headers.items()
        async with httpcore.AsyncConnectionPool(
            ssl_context=self._tls, max_connections=1, retries=0, network_backend=_Pinned(addresses)
        ) as pool:
            url = parts._replace(fragment="").geturl()
            async with pool.stream(method, url, headers=sent, content=body) as response:
                taken, complete, broken = bytearray(), True, False
                try:
                    async for chunk in response.aiter_stream():
                        complete = len(taken) + len(chunk) <= bytes_max
                        taken += chunk[: bytes_max - len(taken)]
                        if len(taken) >= bytes_max:
                            break  # more is not read; leaving the block closes the connection
                except httpcore.RemoteProtocolError:
                    broken = True
                told = [
                    (key.decode("latin-1").lower(), each.decode("latin-1")) for key, each in response.headers
                ]
                return Answer(response.status, tuple(told), bytes(taken), complete, broken)


def check_headers(headers: Mapping[str, str]) -> None:
    """Raise `TargetRefused` where a header is not the caller's to set, or would end its line."""
    for name, value in headers.items():
        if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}", name) or name.lower() in OWN_HEADERS:
            raise TargetRefused(f"The header {name[:100]!r} cannot be set.")
        if not value.isascii() or not all(each.isprintable() or each == "\t" for each in value):
            raise TargetRefused(f"The header {name} has a value with characters that no header has.")


def _join(url: str, target: str) -> str:
    try:
        return urljoin(url, target)
    except ValueError as error:
        raise TargetRefused("A redirect leads to no address of the form https://host/path.") from error


def _host_of(parts: SplitResult) -> tuple[str, int]:
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


async def _resolve(host: str, port: int) -> list[str]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        detail = error.strerror or error
        raise SendFailed(f"{host} cannot be resolved: {detail}.", reached=False) from error
    except UnicodeError as error:  # an empty part between two dots, or one of more than 63 characters
        raise TargetRefused(f"{host} is no name that a host can have.") from error
    return [cast("str", entry[4][0]) for entry in found]
