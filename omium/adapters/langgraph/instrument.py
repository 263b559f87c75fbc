"""`instrument(graph)`: a LangGraph graph that runs as an Omium execution, and goes on where it was cut off.

Owns the graph that users hold instead of their own: `invoke`, `ainvoke`, `stream` and `astream` begin an
execution, or are a scope of the current one. Nodes are steps (wrapping.py), the thread's state is on the
server (saver.py), an interrupt makes the execution wait (runs.py), an error fails it into the inbox.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import StateGraph
from langgraph.pregel import Pregel

from omium.adapters.langgraph.applied import AppliedGraph, Place
from omium.adapters.langgraph.codec import register_codecs
from omium.adapters.langgraph.nodes import NodePolicy
from omium.adapters.langgraph.runs import GraphWaits, begin_run, end_run, find_waiting
from omium.adapters.langgraph.saver import OmiumSaver
from omium.adapters.langgraph.taking import atake_thread, take_thread
from omium.adapters.langgraph.wrapping import needs_async, wrap_graph
from omium.errors import ConfigError
from omium.retry import RetryPolicy
from omium.sdk import runner
from omium.sdk.calling import find_active_frame
from omium.sdk.calls import Call
from omium.sdk.decorators import workflow
from omium.sdk.execution import start_execution
from omium.sdk.flows import drive_sync
from omium.sdk.frames import shorten
from omium.sdk.registry import Workflow, find_workflow
from omium.sdk.session import current_session
from omium.sdk.starting import make_driving, take_up

_IGNORED = ("config", "options")  # callbacks and the like: they belong to a process, not to the execution


def instrument(
    graph: Pregel[Any, Any, Any, Any] | StateGraph[Any, Any, Any, Any] | AppliedGraph,
    *,
    name: str | None = None,
    nodes: Mapping[str, NodePolicy] | None = None,
    retry: RetryPolicy | int | None = None,
    timeout_s: float | None = None,
    breaker: str | None = None,
    durability: str | None = None,
    takeover: str = "never",
    queue: str = "default",
) -> InstrumentedGraph:
    """Return `graph` as a durable workflow; the given graph is not changed.

    The graph may be one that `apply_spec` returned: then the spec's policies win over those given here.
    `name` is the workflow's name, by default the graph's. `nodes` gives single nodes their policy; `retry`,
    `timeout_s` and `breaker` hold for all others. `durability`, `takeover` and `queue` are those of
    `@omium.workflow`. Raises `ConfigError` for a name of a node that the graph does not have.
    """
    applied = graph if isinstance(graph, AppliedGraph) else AppliedGraph(_compile(graph), {})
    compiled = applied.graph
    chosen = dict(nodes or {})
    if unknown := sorted(set(chosen) - set(_names(compiled))):
        raise ConfigError(
            f"The graph has no node {unknown[0]!r}; its nodes are {', '.join(sorted(_names(compiled)))}."
        )
    default = NodePolicy(retry=retry, timeout_s=timeout_s, breaker=breaker)

    def policy_of(place: Place, node: str) -> NodePolicy:
        return applied.policies.get(place) or chosen.get(node, default)

    options = applied.options or {"durability": durability, "takeover": takeover, "queue": queue}
    return InstrumentedGraph(
        compiled, policy_of, name or compiled.get_name(), options, module=_calling_module()
    )


def _compile(
    graph: Pregel[Any, Any, Any, Any] | StateGraph[Any, Any, Any, Any],
) -> Pregel[Any, Any, Any, Any]:
    return graph.compile() if isinstance(graph, StateGraph) else graph


def _calling_module() -> str:
    """Return the module that calls `instrument`: its code is what runs, and a worker loads it."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__") == __name__:
        frame = frame.f_back
    return str(frame.f_globals.get("__name__", __name__)) if frame is not None else __name__


def _names(graph: Pregel[Any, Any, Any, Any]) -> Iterator[str]:
    for name, node in graph.nodes.items():
        yield name
        if isinstance(node.bound, Pregel):
            yield from _names(node.bound)


class InstrumentedGraph:
    """A graph under Omium. What is not named here is the graph's own: `get_state`, `get_graph`, ..."""

    def __init__(
        self,
        original: Pregel[Any, Any, Any, Any],
        policy_of: Callable[[Place, str], NodePolicy],
        name: str,
        options: Mapping[str, Any],
        *,
        module: str,
    ) -> None:
        self.name = name
        self.original = original
        self.policy_of = policy_of
        self.options, self.module = options, module
        self.saver = OmiumSaver()
        self.graph = wrap_graph(original, policy_of).copy(update={"checkpointer": self.saver})
        register_codecs(current_session().link.types)  # a worker reads records before it calls anything
        run, arun = _functions(self)
        for function in (run, arun):
            function.__module__, function.__qualname__ = module, ""
        decorate = workflow(name=name, ignore=_IGNORED, **options)
        # What is decorated last is what a worker finds under the name.
        if needs_async(original):
            self._run, self._arun = decorate(run), decorate(arun)
            self.__omium_workflow__ = find_workflow(self._arun)
        else:
            self._arun, self._run = decorate(arun), decorate(run)
            self.__omium_workflow__ = find_workflow(self._run)

    def __getattr__(self, name: str) -> Any:
        if name == "graph":  # not set yet: a half-made copy must not recurse
            raise AttributeError(name)
        return getattr(self.graph, name)

    def invoke(
        self,
        input: Any,  # noqa: A002  # LangChain's own name
        config: RunnableConfig | None = None,
        **options: Any,
    ) -> Any:
        """Run the graph and return its output, as LangGraph does.

        An interrupted graph returns with `__interrupt__`, and its execution waits;
        `invoke(Command(resume=...))` on the same thread goes on with that execution.
        """
        session = current_session()
        register_codecs(session.link.types)
        thread_id = _thread(config)
        try:
            waiting = find_waiting(self.saver, session, input, thread_id)
            if waiting is None:
                return self._run(input, thread_id, config, options)
            known = _known(self._run)
            driving = make_driving(
                drive_sync(take_up(waiting), session.link.ports), session.link, known.options
            )
            return runner.drive(
                session, driving, known, Call(known.function, (input, thread_id, config, options))
            )
        except GraphWaits as waits:
            return waits.output
        except BaseException as error:
            shorten(error)
            raise

    async def ainvoke(
        self,
        input: Any,  # noqa: A002  # LangChain's own name
        config: RunnableConfig | None = None,
        **options: Any,
    ) -> Any:
        """As `invoke`."""
        session = current_session()
        register_codecs(session.link.types)
        thread_id = _thread(config)
        try:
            waiting = await asyncio.to_thread(find_waiting, self.saver, session, input, thread_id)
            if waiting is None:
                return await self._arun(input, thread_id, config, options)
            known = _known(self._arun)
            granted = await session.drive_async(take_up(waiting))
            driving = make_driving(granted, session.link, known.options)
            call = Call(known.function, (input, thread_id, config, options))
            return await runner.adrive(session, driving, known, call)
        except GraphWaits as waits:
            return waits.output
        except BaseException as error:
            shorten(error)
            raise

    def take_thread(self, source: BaseCheckpointSaver[Any], thread_id: str) -> int:
        """Copy a thread that another saver kept until now, so that `invoke` goes on with it as an execution.

        `source` is only read; nothing else may go on with the thread there. Returns how many checkpoints
        were copied, 0 if the thread has gone on here since. Raises `ConfigError` where there is no such
        thread, or Omium has another one under its id. `invoke(None, ...)` on the thread goes on in the nodes
        that had not finished, `invoke(Command(resume=...), ...)` answers an interrupt.
        """
        return take_thread(self.saver, source, str(thread_id))

    async def atake_thread(self, source: BaseCheckpointSaver[Any], thread_id: str) -> int:
        """As `take_thread`, for a saver whose methods are async."""
        return await atake_thread(self.saver, source, str(thread_id))

    def stream(
        self,
        input: Any,  # noqa: A002  # LangChain's own name
        config: RunnableConfig | None = None,
        **options: Any,
    ) -> Iterator[Any]:
        """Run the graph and yield what it streams; the execution ends when the stream is read to its end."""
        if find_active_frame() is not None:
            run = begin_run(self, input, _thread(config), config, options)
            yield from self.graph.stream(run.input, run.config, **run.options)
            return
        register_codecs(current_session().link.types)
        # The execution is current only while the graph works, not in the code that reads the stream.
        context = contextvars.copy_context()
        execution = start_execution(self._run, {"input": input, "thread_id": _thread(config)})
        context.run(execution.__enter__)
        try:
            run = context.run(begin_run, self, input, _thread(config), config, options)
            chunks = context.run(functools.partial(self.graph.stream, run.input, run.config, **run.options))
            while (chunk := context.run(next, chunks, _END)) is not _END:
                yield chunk
            context.run(execution.complete, context.run(end_run, self, run))
        except BaseException as error:
            context.run(execution.__exit__, type(error), error, error.__traceback__)
            if not isinstance(error, GraphWaits):
                shorten(error)
                raise
        else:
            context.run(execution.__exit__, None, None, None)

    async def astream(
        self,
        input: Any,  # noqa: A002  # LangChain's own name
        config: RunnableConfig | None = None,
        **options: Any,
    ) -> AsyncIterator[Any]:
        """As `stream`."""
        if find_active_frame() is not None:
            run = await asyncio.to_thread(begin_run, self, input, _thread(config), config, options)
            async for chunk in self.graph.astream(run.input, run.config, **run.options):
                yield chunk
            return
        register_codecs(current_session().link.types)
        context = contextvars.copy_context()

        async def inside(work: Coroutine[Any, Any, Any]) -> Any:
            return await asyncio.get_running_loop().create_task(work, context=context)

        execution = start_execution(self._arun, {"input": input, "thread_id": _thread(config)})
        await inside(execution.__aenter__())
        try:
            begin = functools.partial(begin_run, self, input, _thread(config), config, options)
            run = await inside(asyncio.to_thread(begin))
            chunks = context.run(functools.partial(self.graph.astream, run.input, run.config, **run.options))
            while (chunk := await inside(_next(chunks))) is not _END:
                yield chunk
            output = await inside(asyncio.to_thread(end_run, self, run))
            await inside(asyncio.to_thread(execution.complete, output))
        except BaseException as error:
            await inside(execution.__aexit__(type(error), error, error.__traceback__))
            if not isinstance(error, GraphWaits):
                shorten(error)
                raise
        else:
            await inside(execution.__aexit__(None, None, None))


_END = object()


async def _next(chunks: AsyncIterator[Any]) -> Any:
    return await anext(chunks, _END)


def _functions(graph: InstrumentedGraph) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return the workflow's function, sync and async; parameters other than the ignored ones are recorded."""

    def run(
        input: Any,  # noqa: A002  # LangChain's own name
        thread_id: str | None = None,
        config: RunnableConfig | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> Any:
        begun = begin_run(graph, input, thread_id, config, options or {})
        output = graph.graph.invoke(begun.input, begun.config, **begun.options)
        end_run(graph, begun, output)
        return output

    async def arun(
        input: Any,  # noqa: A002  # LangChain's own name
        thread_id: str | None = None,
        config: RunnableConfig | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> Any:
        begun = await asyncio.to_thread(begin_run, graph, input, thread_id, config, options or {})
        output = await graph.graph.ainvoke(begun.input, begun.config, **begun.options)
        await asyncio.to_thread(end_run, graph, begun, output)
        return output

    return run, arun


def _thread(config: RunnableConfig | None) -> str | None:
    thread_id = (config or {}).get("configurable", {}).get("thread_id")
    return None if thread_id is None else str(thread_id)


def _known(function: Callable[..., Any]) -> Workflow:
    found = find_workflow(function)
    assert found is not None, "both functions are workflows"
    return found
