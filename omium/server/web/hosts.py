"""Hosts: which names the server answers to, which pages may call it, and where a request really comes from.

The Host list is what stops DNS rebinding (a page on evil.example that resolves to 127.0.0.1); the Origin
check stops pages of other sites. Forwarding headers count only from configured proxies.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping

from omium.errors import HostRefused
from omium.server.settings import IPNetwork, ServerSettings

_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")
_ALWAYS = ("localhost", "127.0.0.1", "::1")
_EVERY_ADDRESS = frozenset({"0.0.0.0", "::"})  # noqa: S104  # compared, not bound


class HostPolicy:
    """Checks Host and Origin, and reads X-Forwarded-For."""

    def __init__(self, settings: ServerSettings) -> None:
        names = [*_ALWAYS, settings.host, *settings.allowed_hosts, *settings.tls_names]
        if settings.listens_to_strangers:
            names += [socket.gethostname(), socket.getfqdn()] if settings.host in _EVERY_ADDRESS else []
        self._names = frozenset(name.lower().rstrip(".") for name in names)
        self._any_address = settings.host in _EVERY_ADDRESS
        self._origins = frozenset(origin.lower().rstrip("/") for origin in settings.allowed_origins)
        self._proxies = settings.proxies
        self._good: dict[str, bool] = {}

    def check(self, headers: Mapping[str, str]) -> None:
        """Raise `HostRefused` unless Host is one of ours and Origin, where there is one, is allowed."""
        host = headers.get("host", "")
        if not self._is_ours(host):
            raise HostRefused(
                "The Host header names another server; names of this one are added in OMIUM_ALLOWED_HOSTS."
            )
        origin = headers.get("origin")
        if origin is not None and origin.lower() not in self._origins and not self._is_same(origin, host):
            raise HostRefused(
                "Pages of this Origin may not call this server; allow it in OMIUM_ALLOWED_ORIGINS."
            )

    def _is_ours(self, host: str) -> bool:
        known = self._good.get(host)
        if known is None:
            known = self._decide(host)
            if len(self._good) < 1_000:
                self._good[host] = known
        return known

    def _decide(self, host: str) -> bool:
        name = _without_port(host.lower())
        if name is None:
            return False
        if name.rstrip(".") in self._names:
            return True
        # On a wildcard address any literal address is one of ours; rebinding needs a name.
        return self._any_address and _to_address(name) is not None

    def _is_same(self, origin: str, host: str) -> bool:
        return origin.lower() in {f"http://{host.lower()}", f"https://{host.lower()}"}

    def client_address(self, peer: str, headers: Mapping[str, str]) -> str:
        """Return the client's address: `peer`, or the last hop of X-Forwarded-For that is no proxy."""
        if not self._proxies or not self._is_proxy(peer):
            return peer
        address = peer
        for entry in reversed(headers.get("x-forwarded-for", "").split(",")):
            hop = entry.strip()
            if _to_address(hop) is None:
                break
            address = hop
            if not self._is_proxy(hop):
                break
        return address

    def _is_proxy(self, text: str) -> bool:
        address = _to_address(text)
        return address is not None and any(_contains(network, address) for network in self._proxies)


def is_loopback(peer: str) -> bool:
    """Say whether `peer` is an address of this machine itself."""
    address = _to_address(peer)
    return address is not None and address.is_loopback


def is_here(peer: str, address: str, headers: Mapping[str, str]) -> bool:
    """Say whether a request comes from the server's own machine, and by no proxy."""
    forwarded = any(name in headers for name in _FORWARDED)
    return not forwarded and is_loopback(peer) and is_loopback(address)


def _contains(network: IPNetwork, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return address.version == network.version and address in network


def _to_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _without_port(host: str) -> str | None:
    """Return the name in a Host header, or None if it is not one."""
    if host.startswith("["):
        name, bracket, rest = host[1:].partition("]")
        return name if bracket and (not rest or (rest[0] == ":" and rest[1:].isdigit())) else None
    name, colon, port = host.partition(":")
    return name if name and (not colon or port.isdigit()) else None
