"""Sematic's context: which function of which run is being called, as `sematic.context()` tells it.

Owns that it is one per process. Sematic keeps it in a variable of a module, so a process calls one function
of a pipeline at a time; other pipelines of the process wait for their turn between functions.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from contextvars import ContextVar

from sematic.abstract_future import AbstractFuture
from sematic.future_context import PrivateContext, SematicContext, set_context

from omium.errors import ConfigError

_ONE_FUNCTION = threading.Lock()
_INSIDE: ContextVar[bool] = ContextVar("omium_sematic_inside", default=False)


@contextlib.contextmanager
def in_function(run_id: str, root_id: str, class_path: str) -> Iterator[list[AbstractFuture]]:
    """Be in a function of a pipeline; yields the list of the futures that are made meanwhile, in order."""
    refuse_inside()
    with _ONE_FUNCTION:
        token = _INSIDE.set(True)
        private = PrivateContext(runner_class_path=class_path, is_standalone=False)
        try:
            with set_context(SematicContext(run_id=run_id, root_id=root_id, private=private)):
                yield private.created_futures
        finally:
            _INSIDE.reset(token)


@contextlib.contextmanager
def between_functions() -> Iterator[None]:
    """Keep other pipelines from calling a function meanwhile: it would take what is made here for its own."""
    refuse_inside()
    with _ONE_FUNCTION:
        yield


def refuse_inside() -> None:
    """Raise `ConfigError` inside a function of a pipeline: Sematic runs no pipeline there."""
    if _INSIDE.get():
        raise ConfigError(
            "A pipeline cannot be run inside a function of a pipeline. Return its future, or hand it to the "
            "function that needs its value: Sematic runs it first."
        )
