"""Addresses of servers: what `base_url` may be, and its parts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from omium.errors import ConfigError

DEFAULT_BASE_URL: Final = "http://127.0.0.1:8720"

_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of a server's address; `prefix` is a path before every path, without a slash at its end."""

    scheme: str
    host: str
    port: int
    netloc: str
    prefix: str

    @property
    def base_url(self) -> str:
        """The address in one form, so that two ways to write it compare equal."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.prefix}"


def parse_base_url(base_url: str) -> Address:
    """Return the parts of `base_url`; `ConfigError` unless it is http(s)://host[:port][/prefix]."""
    try:
        parts = urlsplit(base_url)
        host, port = parts.hostname, parts.port
    except ValueError as error:  # an odd port, or a bracket that is not closed
        raise _refusal(base_url) from error
    more = parts.query or parts.fragment or parts.username is not None or parts.password is not None
    odd = not base_url.isascii() or not base_url.isprintable() or " " in base_url
    if not host or parts.scheme not in _PORTS or more or odd:
        raise _refusal(base_url)
    return Address(parts.scheme, host, port or _PORTS[parts.scheme], parts.netloc, parts.path.rstrip("/"))


def _refusal(base_url: str) -> ConfigError:
    shown = re.sub(r"//[^/]*@", "//…@", base_url)  # a password that was put there is not repeated
    return ConfigError(f"{shown!r} is not the address of a server; it looks like {DEFAULT_BASE_URL}.")
