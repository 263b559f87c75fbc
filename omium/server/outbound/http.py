"""GuardedClient: one HTTP POST to an address that somebody else chose.

    refused before anything is sent: other schemes, credentials in the address, addresses.py's verdict
    pinned: the name is resolved once, what was judged is what is connected to; TLS still asks for the name
    bounded: time in all, the answer's size; redirects are not followed, proxies of the environment not used

Each request has a connection of its own: what one target does cannot reach another.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, cast
from urllib.parse import SplitResult, urlsplit

import httpcore

from omium.server.outbound.addresses import TargetRefused, check_addresses, is_named

ANSWER_BYTES_MAX: Final = 64 * 1024
EXCERPT_BYTES: Final = 200


class SendFailed(Exception):
    """It was not sent, or not taken; the message says why. Another attempt may succeed.

    `reached` False: there was no connection, so the target certainly knows nothing of it.
    """

    def __init__(self, message: str, *, reached: bool = True) -> None:
        super().__init__(message)
        self.reached = reached


@dataclass(frozen=True, slots=True)
class Taken:
    """What the target answered: its status, the beginning of what it said, and all of it as far as was read.

    `complete` False: it said more than was wanted.
    """

    status: int
    excerpt: str
    body: bytes = b""
    retry_after: str = ""
    """The header of that name, as it was sent."""
    complete: bool = True


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
    """Sends requests for others. `allowed` holds `host:port` entries of the server's operator."""

    def __init__(self, allowed: Iterable[str] = (), *, timeout_s: float = 10.0, ca_file: str = "") -> None:
        self._allowed = frozenset(entry.lower() for entry in allowed)
        self._timeout_s = timeout_s
        self._tls = ssl.create_default_context(cafile=ca_file or None)

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
                f" OMIUM_OUTBOUND_ALLOW={host}:{port}."
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
    ) -> Taken:
        """POST `body`; raises `TargetRefused` or `SendFailed`. A status is an answer, whichever it is.

        `timeout_s` is for all of it, by default this client's; more than `answer_bytes_max` is not read.
        """
        within_s = self._timeout_s if timeout_s is None else timeout_s
        parts = self.check_url(url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        try:
            async with asyncio.timeout(within_s):
                addresses = check_addresses(host, port, await _resolve(host, port), self._allowed)
                return await self._send(parts, addresses, body, headers, answer_bytes_max)
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
        parts: SplitResult,
        addresses: list[str],
        body: bytes,
        headers: Mapping[str, str],
        bytes_max: int,
    ) -> Taken:
        sent: list[tuple[bytes | str, bytes | str]] = [("user-agent", "Omium"), ("connection", "close")]
        sent += headers.items()
        async with httpcore.AsyncConnectionPool(
            ssl_context=self._tls, max_connections=1, retries=0, network_backend=_Pinned(addresses)
        ) as pool:
            url = parts._replace(fragment="").geturl()
            async with pool.stream("POST", url, headers=sent, content=body) as response:
                taken, complete = bytearray(), True
                with contextlib.suppress(httpcore.RemoteProtocolError):  # the status is what counts
                    async for chunk in response.aiter_stream():
                        complete = len(taken) + len(chunk) <= bytes_max
                        taken += chunk[: bytes_max - len(taken)]
                        if len(taken) >= bytes_max:
                            break  # more is not read; leaving the block closes the connection
                return Taken(
                    status=response.status,
                    excerpt=taken[:EXCERPT_BYTES].decode("utf-8", "replace"),
                    body=bytes(taken),
                    retry_after=_find_header(response.headers, b"retry-after"),
                    complete=complete,
                )


def _find_header(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in headers if key.lower() == name), "")


async def _resolve(host: str, port: int) -> list[str]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        detail = error.strerror or error
        raise SendFailed(f"{host} cannot be resolved: {detail}.", reached=False) from error
    except UnicodeError as error:  # an empty part between two dots, or one of more than 63 characters
        raise TargetRefused(f"{host} is no name that a host can have.") from error
    return [cast("str", entry[4][0]) for entry in found]
