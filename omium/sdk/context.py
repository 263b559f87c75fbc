"""Context: in which execution and scope a piece of user code runs, whatever thread or task it is in.

Owns the frames that a context variable points to: one for the execution, one for each try of a step while its
function runs. Tasks inherit it by themselves; threads through carrying.py. Not owned: what the execution as a
whole is doing (driving.py). A handler of a spec's node has no frame: the node is the step, and what its
context knows of it is a `TaskContext` (task_context.py).
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from contextvars import Context, ContextVar, copy_context
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from omium.sdk.identity import Identity, Scope

T = TypeVar("T")


class Line(Protocol):
    """Where captured output of a step goes (capture.py)."""

    def add(self, stream: str, text: str, level: str | None = None) -> None:
        """Keep `text`, which the step wrote."""
        ...


@dataclass(slots=True, eq=False)
class Frame:
    """One place in which steps can be called. `driving` is the execution's `Driving`, which stands above."""

    driving: Any
    scope: Scope
    attempt: int = 0
    effect_key: str | None = None
    log: Line | None = None
    usage: list[dict[str, object]] = field(default_factory=list)
    closed: str | None = None
    """Why nothing that still runs in here counts any more: its try has ended without it."""
    still_running: threading.Event | None = None
    """Set when the try timed out in a thread that cannot be stopped; it's set when the function ends."""
    owner: tuple[int, int] = (0, 0)
    parent: Frame | None = None

    def find_closed(self) -> str | None:
        """Return why this place, or one around it, does not count any more; None if it does."""
        frame: Frame | None = self
        while frame is not None:
            if frame.closed is not None:
                return frame.closed
            frame = frame.parent
        return None

    def open(self, identity: Identity, attempt: int, *, effect_key: str | None = None) -> Frame:
        """Return the frame in which one try of the step `identity` runs."""
        return Frame(self.driving, self.scope.open(identity), attempt, effect_key, parent=self)

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Make this the current frame; the thread and task that enter run the scope's function."""
        self.owner = _here()
        token = _CURRENT.set(self)
        try:
            yield
        finally:
            _CURRENT.reset(token)

    def resume(self, context: Context, fn: Callable[..., T], *args: object) -> T:
        """Run a part of a generator's body in `context`, which has this as its current frame."""
        self.owner = _here()
        return context.run(fn, *args)

    def make_context(self) -> Context:
        """Return a copy of the caller's context in which this is the current frame."""
        context = copy_context()
        context.run(_CURRENT.set, self)
        return context

    @property
    def in_order(self) -> bool:
        """Say whether the program itself fixes when the call that is being made comes (book.py)."""
        return self.owner == _here()


class NodeTask(Protocol):
    """The node's task that a handler does, as other modules need it."""

    captured: Line | None

    @property
    def execution_id(self) -> str:
        """The execution that the node belongs to."""
        ...

    @property
    def effect_key(self) -> str | None:
        """The key of the node's effect, if it is one."""
        ...

    def usage(self, **counts: Any) -> None:
        """Note what a provider charged for."""
        ...


_CURRENT: ContextVar[Frame | None] = ContextVar("omium_frame", default=None)
_TASK: ContextVar[NodeTask | None] = ContextVar("omium_task", default=None)


def find_frame() -> Frame | None:
    """Return the frame that the calling code runs in, None outside any execution."""
    return _CURRENT.get()


def find_task() -> NodeTask | None:
    """Return the node's task that the calling code does, None outside handlers and inside an execution."""
    return _TASK.get() if _CURRENT.get() is None else None


def is_inside() -> bool:
    """Say whether the calling code runs in an execution, or does a node's task."""
    return _CURRENT.get() is not None or _TASK.get() is not None


def find_line() -> Line | None:
    """Return where the output of the calling code is kept, None if nobody keeps it."""
    frame = _CURRENT.get()
    if frame is not None:
        return frame.log
    task = _TASK.get()
    return None if task is None else task.captured


@contextlib.contextmanager
def doing(task: NodeTask) -> Iterator[None]:
    """Run a handler: what it records, prints and asks for belongs to `task`."""
    token = _TASK.set(task)
    try:
        yield
    finally:
        _TASK.reset(token)


@contextlib.contextmanager
def outside() -> Iterator[None]:
    """Run code that belongs to no execution, though an execution called it."""
    token, task = _CURRENT.set(None), _TASK.set(None)
    try:
        yield
    finally:
        _TASK.reset(task)
        _CURRENT.reset(token)


def _here() -> tuple[int, int]:
    """Return the ids of the running thread and task; task 0 is code outside any task."""
    asyncio = sys.modules.get("asyncio")  # not imported for scripts that do without
    if asyncio is None or asyncio._get_running_loop() is None:  # noqa: SLF001  # documented for such checks
        return threading.get_ident(), 0
    return threading.get_ident(), id(asyncio.current_task())
