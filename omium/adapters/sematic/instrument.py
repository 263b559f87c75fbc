"""`instrument(pipeline)`: a pipeline of Sematic's as an execution, which goes on where it was cut off.

Owns the pipeline that users hold instead of their own, and the runner for those who call runners. A call
gives a future, as in Sematic; `run` runs it. Each function is a step (machine.py), an error fails the
execution into the inbox.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from sematic.abstract_future import AbstractFuture
from sematic.function import Function
from sematic.runners.silent_runner import SilentRunner

from omium.adapters.recorded import StepPolicy
from omium.adapters.sematic.caching import CacheNamespace
from omium.adapters.sematic.context import between_functions, refuse_inside
from omium.adapters.sematic.machine import PipelineMachine
from omium.adapters.sematic.subjects import find_cache_namespace, find_policies, get_function
from omium.adapters.sematic.values import make_future
from omium.adapters.workflows import find_calling_module
from omium.errors import ConfigError
from omium.retry import RetryPolicy
from omium.sdk.calling import find_active_frame
from omium.sdk.decorators import workflow
from omium.sdk.frames import shorten
from omium.sdk.registry import find_workflow
from omium.sdk.run import run_workflow


def instrument(
    pipeline: Any,
    *,
    name: str | None = None,
    nodes: Mapping[str, StepPolicy] | None = None,
    retry: RetryPolicy | int | None = None,
    timeout_s: float | None = None,
    breaker: str | None = None,
    durability: Literal["strict", "relaxed"] | None = None,
    takeover: Literal["never", "auto"] = "never",
    queue: str = "default",
    cache_namespace: CacheNamespace = None,
) -> InstrumentedPipeline:
    """Return `pipeline`, a function under `@sematic.func`, as a durable workflow; its object stays as it is.

    `name` is the workflow's name, by default the function's. `nodes` gives single functions their policy by
    their place (`square-2`, inside another function `total/square`; the pipeline's own is empty); `retry`,
    `timeout_s` and `breaker` hold for all others. A `retry` replaces Sematic's own `retry=`, its
    `timeout_mins` always holds. `durability`, `takeover` and `queue` are those of `@omium.workflow`. Under a
    `cache_namespace`, a text or a function of the pipeline's future, executions share what functions with
    `cache=True` returned. Raises `ConfigError` for what is no function of Sematic's.
    """
    function = get_function(pipeline)
    return InstrumentedPipeline(
        function,
        name or function.__name__,
        {**find_policies(pipeline), **(nodes or {})},
        StepPolicy(retry=retry, timeout_s=timeout_s, breaker=breaker),
        {"durability": durability, "takeover": takeover, "queue": queue},
        module=find_calling_module(),
        cache_namespace=find_cache_namespace(pipeline) if cache_namespace is None else cache_namespace,
    )


class InstrumentedPipeline:
    """A pipeline under Omium. What is not named here is the function's own: `input_types`, `func`, ..."""

    takes_by_name = True
    """Its workflow's arguments are the pipeline's own (omium/adapters/native.py)."""

    def __init__(
        self,
        function: Function,
        name: str,
        nodes: Mapping[str, StepPolicy],
        default: StepPolicy,
        options: Mapping[str, Any],
        *,
        module: str,
        cache_namespace: CacheNamespace = None,
    ) -> None:
        self.name = name
        self.source = function
        self.nodes = nodes
        self.cache_namespace = cache_namespace
        signature = function.__signature__()

        def run(*args: Any, **kwargs: Any) -> Any:
            frame = find_active_frame()
            assert frame is not None, "a workflow runs inside an execution"
            with between_functions():
                future = make_future(function, signature.bind(*args, **kwargs).arguments)
            machine = PipelineMachine(frame, lambda node_id: nodes.get(node_id, default), cache_namespace)
            return machine.run(future)

        run.__module__, run.__name__, run.__qualname__ = module, function.__name__, ""
        run.__doc__, run.__signature__ = function.__doc__, signature  # type: ignore[attr-defined]
        self._run = workflow(name=name, **options)(run)
        self.__omium_workflow__ = find_workflow(self._run)

    def __getattr__(self, name: str) -> Any:
        if name == "source":  # not set yet: a half-made copy must not recurse
            raise AttributeError(name)
        return getattr(self.source, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the future of a call, as Sematic does: for `OmiumRunner().run`, or for another function."""
        return self.source(*args, **kwargs)

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Run the pipeline as an execution and return its value; inside an execution, as a part of it."""
        refuse_inside()
        try:
            return self._run(*args, **kwargs)
        except BaseException as error:
            shorten(error)
            raise


class OmiumRunner(SilentRunner):  # type: ignore[misc]  # Sematic has no types
    """A runner for `OmiumRunner().run(pipeline(3))`: the pipeline's function decides the workflow's name.

    It takes what `instrument` takes. The future's tags are the execution's. Another process goes on with such
    an execution where it knows the pipeline under `instrument`.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self._options = options

    def run(self, future: AbstractFuture) -> Any:
        """Run the future of a pipeline as an execution, and return its value."""
        refuse_inside()
        if any(isinstance(value, AbstractFuture) for value in future.kwargs.values()):
            raise ConfigError("All arguments of the pipeline's own function must be values, not futures.")
        pipeline = instrument(future.function, **self._options)
        if find_active_frame() is not None:
            return pipeline.run(**future.kwargs)
        try:
            return run_workflow(pipeline, future.kwargs, tags=future.props.tags or None)
        except BaseException as error:
            shorten(error)
            raise
