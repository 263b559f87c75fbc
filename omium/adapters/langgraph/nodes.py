"""Nodes as steps: what a graph's node returns is durable before the graph goes on.

Owns the wrapper around each node's own runnable, and the key under which a node's result is recorded. The
key is LangGraph's task id, which follows from the checkpoint, the node and what triggered it: a resumed graph
asks for the same task and is given the recorded result. Which graph is wrapped is instrument.py.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.config import merge_configs, var_child_runnable_config
from langgraph.errors import GraphBubbleUp

from omium.adapters.langgraph.usage import UsageRecorder
from omium.adapters.recorded import StepPolicy
from omium.jsonvalue import input_record
from omium.sdk.async_calls import run_async
from omium.sdk.attempts import StepCall
from omium.sdk.calling import find_active_frame
from omium.sdk.calls import Call
from omium.sdk.context import Frame
from omium.sdk.flows import drive_async, drive_sync
from omium.sdk.identity import Scope
from omium.sdk.options import StepOptions
from omium.sdk.steps import run_step

Levels: TypeAlias = tuple[Mapping[str, str], ...]
"""The ids of nodes by their names: of the outermost graph first, of the one that holds the node last."""

_TASK_ID_LENGTH = 12  # of 32 hex digits: enough to tell the tasks of one node of one execution apart


@dataclass(frozen=True, slots=True)
class NodePolicy(StepPolicy):
    """As `StepPolicy`, for one node; LangGraph's own retry and cache policies stay as they are."""

    def options(self, name: str, *, match: Literal["name"] | None = "name") -> StepOptions:
        """Return the options of the step that stands for node `name`."""
        # The task id stands for the input: it follows from the checkpoint that holds it.
        return StepPolicy.options(self, name, match=match)


class NodeStep(Runnable[Any, Any]):
    """A node's runnable, run as a step of the current execution; outside of one, just the node."""

    def __init__(self, name: str, bound: Runnable[Any, Any], policy: NodePolicy, levels: Levels = ()) -> None:
        self.name: str = name
        self.bound = bound
        self._levels = levels
        self._options = policy.options(name)

    def invoke(
        self,
        input: Any,  # noqa: A002  # LangChain's own name
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> Any:
        """Return the node's recorded result, or run it and record what it returns."""
        frame = find_active_frame()
        if frame is None or config is None:
            return self.bound.invoke(input, config, **kwargs)
        observed = _observed(config)

        def node(state: Any) -> Any:
            try:
                with current_config(observed):
                    return self.bound.invoke(state, observed, **kwargs)
            except GraphBubbleUp as error:
                raise _NoFailure(error) from error

        call = Call(node, (input,))
        invoke = _Invoke(call, self._options)
        try:
            return drive_sync(run_step(self._step(frame, config, input, invoke)), frame.driving.link.ports)
        except _NoFailure as carried:
            raise carried.error from None

    async def ainvoke(
        self,
        input: Any,  # noqa: A002  # LangChain's own name
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> Any:
        """As `invoke`."""
        frame = find_active_frame()
        if frame is None or config is None:
            return await self.bound.ainvoke(input, config, **kwargs)
        observed = _observed(config)

        async def node(state: Any) -> Any:
            try:
                with current_config(observed):
                    return await self.bound.ainvoke(state, observed, **kwargs)
            except GraphBubbleUp as error:
                raise _NoFailure(error) from error

        invoke = _AsyncInvoke(Call(node, (input,)), self._options)
        try:
            ports = frame.driving.link.async_ports()
            return await drive_async(run_step(self._step(frame, config, input, invoke)), ports)
        except _NoFailure as carried:
            raise carried.error from None

    def _step(
        self, frame: Frame, config: RunnableConfig, state: Any, invoke: Callable[[Frame], object]
    ) -> StepCall:
        types = frame.driving.link.types
        # A scope of its own for every call: LangGraph's retries ask for the same task again.
        identity = Scope(frame.scope.path, frame.scope.depth).allot(
            str(self.name), task_key(config, self._levels)
        )
        frame.driving.book.offer(identity.path)
        return StepCall(
            frame,
            self._options,
            identity,
            input_record({"state": state, "graph": _place(config)}, types=types),
            frame.in_order,
            types,
            invoke,
        )


def task_key(config: RunnableConfig, levels: Levels = ()) -> str:
    """Return the key of the task that `config` belongs to, such as `research:4b114dcf2f28`.

    Inside a subgraph the way to it comes first: `team:9a66869ec2d8|write:e7e0fcab0643`. `levels` has the ids
    of the nodes of each graph on the way, the innermost last; a graph that a function calls has none.
    """
    parts = str(config["configurable"]["checkpoint_ns"]).split("|")
    known: list[Mapping[str, str]] = [{}] * (len(parts) - len(levels)) + list(
        levels[max(len(levels) - len(parts), 0) :]
    )
    return "|".join(_short(part, ids) for part, ids in zip(parts, known, strict=True))


def _short(part: str, ids: Mapping[str, str]) -> str:
    name, _, task_id = part.rpartition(":")
    if not name:
        return ids.get(part, part)
    return f"{ids.get(name, name)}:{task_id.replace('-', '')[:_TASK_ID_LENGTH]}"


def _place(config: RunnableConfig) -> dict[str, str]:
    """Return where in its thread a task stands: what a replay needs to start just before it."""
    conf = config["configurable"]
    namespace, _, _ = str(conf["checkpoint_ns"]).rpartition("|")
    checkpoints: Mapping[str, str] = conf.get("checkpoint_map") or {}
    return {
        "thread_id": str(conf.get("thread_id", "")),
        "namespace": namespace,
        "checkpoint_id": checkpoints.get(namespace, ""),
        "task_id": str(conf.get("__pregel_task_id", "")),
    }


@contextmanager
def current_config(config: RunnableConfig) -> Iterator[None]:
    """Let what a node calls without a configuration find this one, as LangChain's own runnables do."""
    token = var_child_runnable_config.set(config)
    try:
        yield
    finally:
        var_child_runnable_config.reset(token)


def _observed(config: RunnableConfig) -> RunnableConfig:
    return merge_configs(config, {"callbacks": [UsageRecorder()]})


class _NoFailure(BaseException):
    """Carries LangGraph's own control flow (an interrupt, say) past what a step does when it fails."""

    def __init__(self, error: GraphBubbleUp) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(frozen=True, slots=True)
class _Invoke:
    call: Call
    options: StepOptions

    def __call__(self, frame: Frame) -> Any:
        return self.call.run(frame, self.options.timeout_s, self.options.name)


@dataclass(frozen=True, slots=True)
class _AsyncInvoke:
    call: Call
    options: StepOptions

    def __call__(self, frame: Frame) -> Coroutine[Any, Any, Any]:
        return run_async(self.call, frame, self.options.timeout_s, self.options.name)
