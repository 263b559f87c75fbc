"""Wrapping: a copy of a graph in which every node is a step, subgraphs included, and tasks of `@entrypoint`.

Owns which part of a graph is a step. The user's graph is copied, never changed. A subgraph is not a step
itself: its own nodes are, and LangGraph resumes inside it. Reducers, routing, sends and joins stay
LangGraph's own.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda
from langgraph.config import get_config
from langgraph.pregel import Pregel

from omium.adapters.langgraph.applied import Place
from omium.adapters.langgraph.naming import START, ids_of, make_id
from omium.adapters.langgraph.nodes import Levels, NodePolicy, NodeStep, current_config
from omium.sdk.coroutines import is_async

CALL = "__pregel_call"  # how the functional API reaches the graph that runs it

Policies = Callable[[Place, str], NodePolicy]
"""The policy of a node, by its place and LangGraph's name."""


def wrap_graph(
    graph: Pregel[Any, Any, Any, Any], policies: Policies, place: Place = (), levels: Levels = ()
) -> Pregel[Any, Any, Any, Any]:
    """Return a copy of `graph` whose nodes record what they return; `policies` gives each its policy.

    `place` and `levels` are those of the graph itself: the ids on the way to it, and the ids of the nodes of
    each graph around it.
    """
    within = (*levels, ids_of(graph))
    nodes = {
        name: _wrap_node(graph, name, node, policies, place, within) for name, node in graph.nodes.items()
    }
    return graph.copy(update={"nodes": nodes})


def _wrap_node(
    graph: Pregel[Any, Any, Any, Any], name: str, node: Any, policies: Policies, place: Place, levels: Levels
) -> Any:
    if name == START:
        return node
    here = (*place, levels[-1][name])
    if isinstance(node.bound, Pregel):
        inner = wrap_graph(node.bound, policies, here, levels)
        return node.copy({"bound": inner, "subgraphs": [inner]})
    if not hasattr(
        graph, "builder"
    ):  # the functional API: the entrypoint's tasks are the steps, not its body
        return node.copy({"bound": EntrypointBody(name, node.bound, policies, here, levels)})
    return node.copy({"bound": NodeStep(here[-1], node.bound, policies(here, name), levels)})


class EntrypointBody(Runnable[Any, Any]):
    """The function under `@entrypoint`: it runs again on resume, and its finished tasks return at once."""

    def __init__(
        self, name: str, bound: Runnable[Any, Any], policies: Policies, place: Place, levels: Levels
    ) -> None:
        self.name = name
        self.bound = bound
        self._policies = policies
        self._place = place
        self._levels = levels

    def invoke(
        self,
        input: Any,  # noqa: A002  # LangChain's own name
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> Any:
        """Run the body with tasks that are steps."""
        with_steps = self._with_steps(config)
        with current_config(with_steps):
            return self.bound.invoke(input, with_steps, **kwargs)

    async def ainvoke(
        self,
        input: Any,  # noqa: A002  # LangChain's own name
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> Any:
        """As `invoke`."""
        with_steps = self._with_steps(config)
        with current_config(with_steps):
            return await self.bound.ainvoke(input, with_steps, **kwargs)

    def _with_steps(self, config: RunnableConfig | None) -> RunnableConfig:
        assert config is not None, "LangGraph always passes its configuration to a node"
        conf = config["configurable"]
        call = conf[CALL]

        def call_as_step(function: Callable[..., Any], input: Any, **options: Any) -> Any:  # noqa: A002
            return call(self._as_step(function), input, **options)

        return {**config, "configurable": {**conf, CALL: call_as_step}}

    def _as_step(self, function: Callable[..., Any]) -> Callable[..., Any]:
        name = getattr(function, "__name__", type(function).__name__)
        id_ = make_id(name)
        policy = self._policies((*self._place, id_), name)
        return task_as_step(
            function, NodeStep(id_, _Arguments(function), policy, (*self._levels, {name: id_}))
        )


def task_as_step(function: Callable[..., Any], step: NodeStep) -> Callable[..., Any]:
    """Return `function`, a `@task`, as `step`; name and module stay, because task ids depend on them."""
    if is_async(function):

        @functools.wraps(function)
        async def call_async(*args: Any, **kwargs: Any) -> Any:
            return await step.ainvoke((args, kwargs), get_config())

        return call_async

    @functools.wraps(function)
    def call_sync(*args: Any, **kwargs: Any) -> Any:
        return step.invoke((args, kwargs), get_config())

    return call_sync


class _Arguments(Runnable[tuple[tuple[Any, ...], Mapping[str, Any]], Any]):
    """A function as a runnable whose input is its arguments."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def invoke(
        self,
        input: tuple[tuple[Any, ...], Mapping[str, Any]],  # noqa: A002  # LangChain's own name
        config: RunnableConfig | None = None,
        **_kwargs: Any,
    ) -> Any:
        args, kwargs = input
        return RunnableLambda(lambda _: self._function(*args, **kwargs)).invoke(None, config)

    async def ainvoke(
        self,
        input: tuple[tuple[Any, ...], Mapping[str, Any]],  # noqa: A002  # LangChain's own name
        config: RunnableConfig | None = None,
        **_kwargs: Any,
    ) -> Any:
        args, kwargs = input

        async def call(_: Any) -> Any:
            return await self._function(*args, **kwargs)

        return await RunnableLambda(call).ainvoke(None, config)


def needs_async(graph: Pregel[Any, Any, Any, Any]) -> bool:
    """Say whether some node of `graph` can only be awaited, so that the graph has to run with `ainvoke`."""
    return any(_only_async(node.bound) for name, node in graph.nodes.items() if name != START)


def _only_async(bound: Any) -> bool:
    if isinstance(bound, Pregel):
        return needs_async(bound)
    if isinstance(bound, NodeStep | EntrypointBody):
        return _only_async(bound.bound)
    first = getattr(bound, "first", None) or (getattr(bound, "steps", None) or [bound])[0]
    return getattr(first, "func", None) is None and getattr(first, "afunc", None) is not None
