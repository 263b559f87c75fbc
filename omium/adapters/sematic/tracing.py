"""Tracing: the whole graph of a pipeline, nested functions too, by running it once.

Owns the run that tells it. It is a real run with Sematic's own loop and no execution of Omium's: what the
functions do is done, and nothing is recorded. What the graph says is drawing.py's.
"""

from __future__ import annotations

from typing import Any

from sematic.abstract_future import AbstractFuture, FutureState, clone_future
from sematic.runners.silent_runner import SilentRunner
from sematic.utils.exceptions import PipelineRunError, format_exception_for_run

from omium.adapters.sematic.context import in_function
from omium.adapters.sematic.steps import unwrap
from omium.errors import ConfigError


class Tracer(SilentRunner):  # type: ignore[misc]  # Sematic has no types
    """Runs a pipeline in memory and keeps which futures each body made, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.created: dict[str, list[AbstractFuture]] = {}
        self.failure = ""
        """What went wrong last, for people."""

    def _register_signal_handlers(self) -> None:
        """Leave signals to the process."""

    def _run_inline(self, future: AbstractFuture) -> None:
        self._set_future_state(future, FutureState.SCHEDULED)
        try:
            with in_function(future.id, self._root_future.id, self.classpath()) as made:
                value = future.function.execute(**future.resolved_kwargs)
            self.created[future.id] = made
            self._update_future_with_value(future, value)
        except PipelineRunError:
            raise
        except Exception as error:
            cause = unwrap(error)
            self.failure = f"{future.function.__name__}: {type(cause).__name__}: {cause}"
            self._handle_future_failure(future, format_exception_for_run(cause))


def trace(subject: Any) -> tuple[AbstractFuture, Tracer]:
    """Run the future `subject`, or a function that needs no argument; return it as it ran, and the tracer."""
    future = subject if isinstance(subject, AbstractFuture) else _call(subject)
    copied, tracer = clone_future(future), Tracer()
    try:
        tracer.run(copied)
    except PipelineRunError as error:
        raise ConfigError(
            f"The pipeline {future.function.__name__} failed while it was traced, in {tracer.failure}"
        ) from error
    return copied, tracer


def _call(function: Any) -> AbstractFuture:
    try:
        function.__signature__().bind()
    except TypeError:
        name = function.__name__
        raise ConfigError(
            f"A trace runs the pipeline, and {name} needs arguments. Call it where it is defined, such as "
            f"`example = {name}(...)`, and name that: PATH.py:example."
        ) from None
    called = function()
    assert isinstance(called, AbstractFuture)
    return called
