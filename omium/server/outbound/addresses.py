"""Addresses: which ones the server connects to for somebody else, decided after names were resolved.

Public addresses are fine. Private and loopback ones only if the operator has named exactly this `host:port`.
Link-local ones never: clouds keep credentials there. An IPv4 address inside of an IPv6 one (mapped, NAT64,
6to4, Teredo) is judged as what it leads to. The ranges are Python's own (`ipaddress`).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Final

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64: Final = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))


class TargetRefused(Exception):
    """This server does not connect there."""


def check_addresses(
    host: str,
    port: int,
    addresses: Iterable[str],
    allowed: frozenset[str],
    variable: str = "OMIUM_OUTBOUND_ALLOW",
) -> list[str]:
    """Return `addresses`, to which `host` resolves, if every one may be connected to on `port`.

    `allowed` holds the operator's `host:port` entries, which `variable` names. Raises `TargetRefused`, also
    where there is none.
    """
    found = list(dict.fromkeys(addresses))
    if not found:
        raise TargetRefused(f"{host} has no address.")
    named = is_named(host, port, allowed)
    for text in found:
        for address in _meanings(ipaddress.ip_address(text.partition("%")[0])):
            if address.is_link_local or address.is_multicast or address.is_unspecified:
                raise TargetRefused(f"{host} leads to {text}, where this server never connects.")
            if not named and (not address.is_global or _is_site_local(address)):
                raise TargetRefused(
                    f"{host} leads to the private address {text}; the server's operator can allow it with"
                    f" {variable}={host}:{port}."
                )
    return found


def is_named(host: str, port: int, allowed: frozenset[str]) -> bool:
    """Say whether the operator has named exactly this target."""
    return f"{host}:{port}".lower() in allowed or f"[{host}]:{port}".lower() in allowed


def _is_site_local(address: IPAddress) -> bool:
    """Say whether it's of the deprecated private range of IPv6, which Python takes for a global one."""
    return isinstance(address, ipaddress.IPv6Address) and address.is_site_local


def _meanings(address: IPAddress) -> list[IPAddress]:
    """Return `address` and the IPv4 addresses that it stands for."""
    found: list[IPAddress] = [address]
    if isinstance(address, ipaddress.IPv6Address):
        inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if any(address in network for network in _NAT64) or int(address) >> 32 == 0:
            inner.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        judged = [each for each in inner if each is not None]
        if address.ipv4_mapped is not None:  # is what it maps, and nothing else
            return list(judged)
        found += judged
    return found
