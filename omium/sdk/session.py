"""The session: this process's tie to one server, made by `omium.init` or at the first use.

Owns what is one per process: settings, connections, the writer, the heartbeat, the types that recorded values
may name, and the hooks that are in place while an execution is active. Holds no protocol (flows) and no state
of an execution (driving.py).
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar

from omium.config import Settings, load_settings, require_environment, warn_about_other_distribution
from omium.jsonvalue import TypeRegistry
from omium.sdk import capture, carrying
from omium.sdk.breakers import Breakers
from omium.sdk.driving import Driving, Link
from omium.sdk.flows import AsyncPorts, Flow, drive_async
from omium.sdk.heartbeat import BeatPorts, Heart
from omium.sdk.lease import Lease
from omium.sdk.transport import Transport
from omium.states import Durability

T = TypeVar("T")


class Carrier(BeatPorts, Protocol):
    """What a session reaches its server through; the one that there is is `Transport`."""

    def async_ports(self) -> AsyncPorts:
        """Return the ports of the running event loop."""
        ...

    def start_offline(self, lease: Lease, body: bytes, /) -> None:
        """Record a start that the server will be told of when it is back."""
        ...

    def send_leftovers(self, execution_id: str, /) -> bool:
        """Send what this host holds of an execution; say whether there was anything."""
        ...

    def adopt(self, execution_id: str, /) -> list[tuple[str, dict[str, Any]]] | None:
        """Take over what a dead process began and recorded here while the server was away."""
        ...

    def hurry(self, within_s: float, /) -> None:
        """Let no write that is under way wait longer than `within_s` for a server that is away."""
        ...

    def close(self) -> None:
        """Close what is open."""
        ...


class Session:
    """One per process and server."""

    def __init__(
        self, settings: Settings, *, capture_output: bool = True, transport: Carrier | None = None
    ) -> None:
        require_environment(settings)
        self.settings = settings
        self.transport = transport or Transport(settings)
        self.link = Link(
            ports=self.transport,
            async_ports=self.transport.async_ports,
            types=TypeRegistry(),
            breakers=Breakers(),
            capture=capture_output,
            effect_wait_s=settings.effect_wait_s,
        )
        self.heart = Heart(self.transport)
        if (own_name := find_own_name()) is not None:
            self.link.types.alias_module(own_name, "__main__")

    @property
    def durability(self) -> Durability:
        """How safe a record is by default before its step returns."""
        return self.settings.durability

    async def drive_async(self, flow: Flow[T]) -> T:
        """Run a flow in the running event loop."""
        return await drive_async(flow, self.link.async_ports())

    def prepare(self, execution_id: str) -> bool:
        """Send what is recorded of an execution on this host, before it's taken up (joining.py)."""
        return self.transport.send_leftovers(execution_id)

    async def aprepare(self, execution_id: str) -> bool:
        """Do what `prepare` does, beside the running event loop."""
        import asyncio  # noqa: PLC0415  # there is a loop, so it is loaded

        return await asyncio.to_thread(self.transport.send_leftovers, execution_id)

    @contextlib.contextmanager
    def active(self, driving: Driving) -> Iterator[None]:
        """Keep the lease, carry contexts into threads and capture output, as long as `driving` runs."""
        carrying.begin()
        if self.link.capture:
            capture.begin()
        self.heart.add(driving)
        try:
            yield
        finally:
            self.heart.remove(driving)
            if self.link.capture:
                capture.end()
            carrying.end()

    def close(self) -> None:
        """Close the connections; what still waits in the spool is sent by the next process."""
        self.transport.close()


def find_own_name() -> str | None:
    """Return the name that a worker imports this script under, None if this is no script.

    What a worker recorded names its classes after that module; here they stand in `__main__`.
    """
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    name = Path(file).stem if file else ""
    return name if name.isidentifier() and name not in sys.modules else None


_lock = threading.Lock()
_current: Session | None = None


def init(
    *,
    api_key: str | None = None,
    base_url: str | None = None,
    environment: str | None = None,
    durability: str | None = None,
    profile: str | None = None,
    capture: bool = True,
) -> None:
    """Choose the server and the key of this process; all optional: argument, then environment, then profile.

    Needed only to say something other than the environment and the configuration file do: without it the
    first workflow reads them. `capture=False` leaves stdout, stderr and logging alone. Raises `ConfigError`.
    """
    settings = load_settings(
        api_key=api_key, base_url=base_url, environment=environment, durability=durability, profile=profile
    )
    use_session(Session(settings, capture_output=capture))


def use_session(session: Session) -> None:
    """Make `session` the one of this process; executions that run keep the one that they began with."""
    global _current  # noqa: PLW0603  # one per process is what it is
    with _lock:
        _current = session


def current_session() -> Session:
    """Return this process's session; the first use makes it from the environment and the profile."""
    global _current  # noqa: PLW0603  # see use_session
    with _lock:
        if _current is None:
            warn_about_other_distribution()
            _current = Session(load_settings())
        return _current
