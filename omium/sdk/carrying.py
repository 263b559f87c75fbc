"""Carrying: threads that an execution starts belong to it, those of a node's handler to the node.

Context variables reach tasks by themselves, but not the threads of a pool. A step called in such a thread
would run unrecorded, and nobody would notice before a resume paid for it again; a handler's usage would be of
nobody. So as long as an execution or a handler is active in this process, `ThreadPoolExecutor.submit` and
`Thread.start` take the caller's context along when the caller is inside one; everything else goes the usual
way (docs/decisions/021-threads-carry-context.md).
"""

from __future__ import annotations

import contextvars
import functools
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from omium.sdk.context import is_inside, outside

T = TypeVar("T")

_lock = threading.Lock()
_active = 0
_original_submit: Callable[..., Future[Any]] | None = None
_original_start: Callable[[threading.Thread], None] | None = None


def begin() -> None:
    """Carry contexts into threads from now on; counted, so that executions can overlap."""
    global _active, _original_submit, _original_start  # noqa: PLW0603  # the patched classes are process-wide too
    with _lock:
        _active += 1
        if _active > 1:
            return
        original_submit, original_start = ThreadPoolExecutor.submit, threading.Thread.start
        _original_submit, _original_start = original_submit, original_start

        @functools.wraps(original_submit)  # type: ignore[arg-type]  # typeshed's ParamSpec is the Executor's
        def submit(self: ThreadPoolExecutor, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
            if not is_inside():
                return original_submit(self, fn, *args, **kwargs)
            carried = contextvars.copy_context()
            with outside():  # the pool's own threads outlive the execution and serve others
                return original_submit(self, carried.run, fn, *args, **kwargs)

        @functools.wraps(original_start)
        def start(self: threading.Thread) -> None:
            if is_inside():
                self.run = functools.partial(contextvars.copy_context().run, self.run)  # type: ignore[method-assign]
            original_start(self)

        ThreadPoolExecutor.submit = submit  # type: ignore[method-assign,assignment]
        threading.Thread.start = start  # type: ignore[method-assign]


def end() -> None:
    """Undo one `begin`; after the last, both classes are as they were."""
    global _active  # noqa: PLW0603  # see begin
    with _lock:
        _active -= 1
        if _active == 0:
            # Somebody who wrapped them after us stays in place, and calls ours, which then only passes on.
            if getattr(ThreadPoolExecutor.submit, "__wrapped__", None) is _original_submit:
                ThreadPoolExecutor.submit = _original_submit  # type: ignore[method-assign,assignment]
            if getattr(threading.Thread.start, "__wrapped__", None) is _original_start:
                threading.Thread.start = _original_start  # type: ignore[method-assign,assignment]
