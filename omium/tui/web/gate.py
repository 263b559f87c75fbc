"""Who may come in: under which names, from which pages, with which one-time link or cookie, and how many.

Pure: it sees header values and says yes or why not; the server asks it before anything else happens. Nothing
is stored on disk: when the process ends, every link and cookie ends with it.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

COOKIE: Final = "__Host-omium-dashboard"
"""How cookies' names begin: browsers take them only with Secure, for this host alone and its whole path."""
_PORTS: Final = {"http": 80, "https": 443}
LINK_S: Final = 600.0
SESSION_S: Final = 12 * 3600.0
SESSIONS_MAX: Final = 100
DASHBOARDS_MAX: Final = 16
DASHBOARDS_PER_SESSION_MAX: Final = 4


class Refused(Exception):
    """A request that is not let in; the text is for whoever sent it."""

    def __init__(self, sentence: str, status: int = 403) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass(frozen=True, slots=True)
class Credential:
    """What a dashboard logs in with; never in an argument, an address or the environment of a process."""

    base_url: str
    api_key: str = field(repr=False)
    ca_file: str | None = None
    tls_pin: str | None = None
    is_session: bool = False
    """Whether `api_key` is a session that was opened for this browser, and ends when it leaves."""


@dataclass(slots=True)
class Visitor:
    """A browser that was let in."""

    credential: Credential
    ends_at_s: float
    dashboards: int = 0
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when it logs out: what it has open ends."""


class Gate:
    """Lets browsers in that come under one of `origins` (such as `http://localhost:8730`).

    `now_s` is a monotonic clock in seconds. Raises `ValueError` for what is no origin.
    """

    def __init__(self, origins: Iterable[str], now_s: Callable[[], float]) -> None:
        self._origins = frozenset(map(make_origin, origins))
        # What a name is served as; of both, https: a proxy that ends TLS is what people see.
        self._hosts = {host: origin for origin in sorted(self._origins) for host in _hosts_of(origin)}
        self._now_s = now_s
        self._links: dict[str, tuple[Credential, float]] = {}
        self._visitors: dict[str, Visitor] = {}
        self.dashboards = 0

    def check_address(self, hosts: Sequence[str], origins: Sequence[str], *, origin_needed: bool) -> None:
        """Raise `Refused` unless a request came under one of our names, from a page of ours.

        `hosts` and `origins` are the values of those headers, each of which a request has at most once.
        A browser sends `Origin` with every socket and every form; a page of somebody else cannot forge it.
        """
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            raise Refused("This dashboard is not served under that name.")
        if not origins and origin_needed:
            raise Refused("A page has to ask for this, and it has to say which one it is.")
        if origins and (len(origins) > 1 or origins[0] not in self._origins):
            raise Refused("Another page asked for this; only the dashboard's own may.")

    def origin_under(self, host: str) -> str:
        """Return the origin whose name a request came under; that of a proxy is the one people see."""
        return self._hosts[host.lower()]

    def cookie_under(self, host: str) -> str:
        """Return the cookie's name under a name that was checked.

        Browsers give a cookie to every port of a host: with the port in its name, two dashboards of one
        machine do not log each other out.
        """
        parts = urlsplit(self.origin_under(host))
        return f"{COOKIE}-{parts.port or _PORTS[parts.scheme]}"

    def new_link(self, credential: Credential) -> str:
        """Return the secret of a link that lets one browser in, within `LINK_S`."""
        secret = secrets.token_urlsafe(32)
        self._links[secret] = (credential, self._now_s() + LINK_S)
        return secret

    def use_link(self, secret: str) -> str:
        """Return a cookie's value for a link, which ends with it. Raises `Refused`."""
        credential, ends_at_s = self._links.pop(secret, (None, 0.0))
        if credential is None or ends_at_s < self._now_s():
            raise Refused("This link was used, or is too old. Start the dashboard again for another.")
        return self.admit(credential)

    def admit(self, credential: Credential) -> str:
        """Return the cookie's value for somebody who has shown who they are. Raises `Refused`."""
        self._forget_ended()
        if len(self._visitors) >= SESSIONS_MAX:
            raise Refused("Too many people are logged in here; try again later.", 503)
        value = secrets.token_urlsafe(32)
        self._visitors[value] = Visitor(credential, self._now_s() + SESSION_S)
        return value

    def find_visitor(self, cookie: str | None) -> Visitor | None:
        """Return who a cookie belongs to, or None."""
        visitor = self._visitors.get(cookie or "")
        return visitor if visitor is not None and visitor.ends_at_s > self._now_s() else None

    def get_visitor(self, cookie: str | None) -> Visitor:
        """Return who a cookie belongs to. Raises `Refused`."""
        visitor = self.find_visitor(cookie)
        if visitor is None:
            raise Refused("Nobody is logged in with this browser.")
        return visitor

    def leave(self, visitor: Visitor) -> None:
        """Forget a browser, and have what it has open end. Twice is once."""
        self._visitors = {value: each for value, each in self._visitors.items() if each is not visitor}
        visitor.left.set()

    def begin(self, visitor: Visitor) -> None:
        """Count a dashboard that opens. Raises `Refused` where there are too many, or it has left."""
        if visitor.left.is_set():
            raise Refused("Nobody is logged in with this browser.")
        if self.dashboards >= DASHBOARDS_MAX or visitor.dashboards >= DASHBOARDS_PER_SESSION_MAX:
            raise Refused("Too many dashboards are open; close one, and load this page again.", 503)
        self.dashboards += 1
        visitor.dashboards += 1

    def end(self, visitor: Visitor) -> None:
        """Count a dashboard that has closed."""
        self.dashboards -= 1
        visitor.dashboards -= 1

    def _forget_ended(self) -> None:
        now_s = self._now_s()
        self._visitors = {value: each for value, each in self._visitors.items() if each.ends_at_s > now_s}
        self._links = {secret: each for secret, each in self._links.items() if each[1] > now_s}


def make_origin(address: str) -> str:
    """Return an address as browsers write it in `Origin`: small letters, no usual port.

    Raises `ValueError` for what is no origin.
    """
    wrong = f"{address!r} is no origin; write it as https://dashboard.example.com"
    try:
        parts = urlsplit(address)
        scheme, port, name = parts.scheme, parts.port, parts.hostname or ""
        name = name if name.isascii() else name.encode("idna").decode()
    except ValueError:  # a port that is none, brackets that do not close, a name that cannot be written
        raise ValueError(wrong) from None
    more = (parts.username, parts.password, parts.query, parts.fragment, parts.path.strip("/"))
    if scheme not in _PORTS or not name or any(more):
        raise ValueError(wrong)
    host = f"[{name}]" if ":" in name else name
    return f"{scheme}://{host}" if port in (None, _PORTS[scheme]) else f"{scheme}://{host}:{port}"


def _hosts_of(origin: str) -> tuple[str, ...]:
    """Return what `Host` may say for an origin; a proxy may also name the usual port."""
    parts = urlsplit(origin)
    return (parts.netloc,) if parts.port else (parts.netloc, f"{parts.netloc}:{_PORTS[parts.scheme]}")
