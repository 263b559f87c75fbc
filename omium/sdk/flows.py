"""Flows: the SDK's protocol logic as generators without I/O, and the two small drivers that run them.

A flow yields what it wants done and is sent the result; what goes wrong is thrown into it. So retry,
memoised steps and effects are written once for sync and async code alike, and are tested without a server.
Owns the four effects and the drivers; where the I/O happens is behind `Ports` (transport.py, batching.py).

    def save(lease: Lease, name: str) -> Flow[int | None]:
        outcome = yield from write(lease, {"type": "checkpoint.saved", "name": name, ...})
        return outcome.seq

    drive_sync(save(lease, "draft"), ports)
    await drive_async(save(lease, "draft"), async_ports)
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, TypeVar

from omium.sdk.lease import Lease

__all__ = [
    "AsyncPorts",
    "Effect",
    "Flow",
    "Http",
    "HttpAnswer",
    "Invoke",
    "Lease",
    "Ports",
    "Sleep",
    "Write",
    "WriteOutcome",
    "drive_async",
    "drive_sync",
    "http",
    "invoke",
    "sleep",
    "write",
]

T = TypeVar("T")


@dataclass(slots=True)
class Http:
    """One request, sent once: no retry, any status is an answer; no answer raises `ConnectionLost`."""

    method: str
    path: str
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    idempotency_key: str | None = None
    timeout_s: float = 30.0


@dataclass(slots=True)
class HttpAnswer:
    """What came back. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    sent_us: int
    """Boot clock when the request was sent: what a lease in the answer counts from."""


@dataclass(slots=True)
class Write:
    """One driver write (a `models.driver` type as a plain dict), travelling with others of this process.

    With `wait` False it goes along with the next write or heartbeat and nothing is answered. `within_s` is
    how long the server may be away before `ConnectionLost`; None is the connection's `unavailable_after_s`.
    """

    lease: Lease
    write: Mapping[str, object]
    wait: bool = True
    within_s: float | None = None


@dataclass(slots=True)
class Sleep:
    """Wait. In async code other tasks go on meanwhile."""

    seconds: float


@dataclass(slots=True)
class Invoke:
    """Call the user's function; in async code what it returns is awaited if it can be."""

    fn: Callable[..., object]
    args: tuple[object, ...] = ()
    kwargs: Mapping[str, object] = field(default_factory=dict)


@dataclass(slots=True)
class WriteOutcome:
    """The answer to one accepted write; a refused one raises its problem instead.

    `result` is a `models.driver.WriteResult` as JSON, `group` a `GroupResult` without its results. Both are
    empty for what went to the spool or was not waited for.
    """

    result: Mapping[str, Any] = field(default_factory=dict)
    group: Mapping[str, Any] = field(default_factory=dict)
    spooled: bool = False

    @property
    def seq(self) -> int | None:
        """Number of the event that the write made, if it made one."""
        return self.result.get("seq")

    @property
    def effect(self) -> Mapping[str, Any] | None:
        """The `EffectAnswer` to an `effect.intended`."""
        return self.result.get("effect")

    @property
    def cancel_requested(self) -> bool:
        """Somebody asked that the execution be cancelled."""
        return bool(self.group.get("cancel_requested"))

    @property
    def suspend(self) -> str | None:
        """Why the driver has to stop before its next step, or None."""
        return self.group.get("suspend")


Effect: TypeAlias = Http | Write | Sleep | Invoke
Flow: TypeAlias = Generator[Effect, Any, T]


class Ports(Protocol):
    """Where a sync flow's effects happen."""

    def http(self, request: Http, /) -> HttpAnswer:
        """Send `request` once."""
        ...

    def write(self, request: Write, /) -> WriteOutcome:
        """Send or spool one driver write."""
        ...

    def sleep(self, seconds: float, /) -> None:
        """Block this thread."""
        ...


class AsyncPorts(Protocol):
    """Where an async flow's effects happen."""

    async def http(self, request: Http, /) -> HttpAnswer:
        """Send `request` once."""
        ...

    async def write(self, request: Write, /) -> WriteOutcome:
        """Send or spool one driver write."""
        ...

    async def sleep(self, seconds: float, /) -> None:
        """Let other tasks run."""
        ...


def drive_sync(flow: Flow[T], ports: Ports) -> T:
    """Run `flow` to its end in this thread and return what it returns.

    Whatever an effect raises, also BaseException, is thrown into the flow, which may catch it.
    """
    try:
        effect = next(flow)
        while True:
            try:
                result = _perform(effect, ports)
            except BaseException as error:  # the flow decides what it means
                effect = flow.throw(error)
            else:
                effect = flow.send(result)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]  # a generator's return value, T by Flow's definition


def _perform(effect: Effect, ports: Ports) -> object:
    match effect:
        case Invoke():
            return effect.fn(*effect.args, **effect.kwargs)
        case Write():
            return ports.write(effect)
        case Http():
            return ports.http(effect)
        case Sleep():
            ports.sleep(effect.seconds)
            return None


async def drive_async(flow: Flow[T], ports: AsyncPorts) -> T:
    """Run `flow` to its end in this task and return what it returns; cancellation is thrown into it too."""
    try:
        effect = next(flow)
        while True:
            try:
                result: object
                match effect:  # here and not in a coroutine of its own, which would change a StopIteration
                    case Invoke():
                        result = effect.fn(*effect.args, **effect.kwargs)
                        if inspect.isawaitable(result):
                            result = await result
                    case Write():
                        result = await ports.write(effect)
                    case Http():
                        result = await ports.http(effect)
                    case Sleep():
                        result = None
                        await ports.sleep(effect.seconds)
            except BaseException as error:  # the flow decides what it means
                effect = flow.throw(error)
            else:
                effect = flow.send(result)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]  # a generator's return value, T by Flow's definition


def http(
    method: str,
    path: str,
    body: bytes | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    idempotency_key: str | None = None,
    timeout_s: float = 30.0,
) -> Flow[HttpAnswer]:
    """Yield an `Http` effect and return its answer, typed."""
    answer = yield Http(method, path, body, headers or {}, idempotency_key, timeout_s)
    assert isinstance(answer, HttpAnswer)
    return answer


def write(
    lease: Lease, body: Mapping[str, object], *, wait: bool = True, within_s: float | None = None
) -> Flow[WriteOutcome]:
    """Yield a `Write` effect and return its outcome, typed."""
    outcome = yield Write(lease, body, wait, within_s)
    assert isinstance(outcome, WriteOutcome)
    return outcome


def sleep(seconds: float) -> Flow[None]:
    """Yield a `Sleep` effect."""
    yield Sleep(seconds)


def invoke(fn: Callable[..., object], *args: object, **kwargs: object) -> Flow[Any]:
    """Yield an `Invoke` effect and return what the user's function returned.

    A `StopIteration` that the function raises becomes a RuntimeError on its way through this generator, as it
    does in any; a flow that must see it yields the `Invoke` itself.
    """
    return (yield Invoke(fn, args, kwargs))
