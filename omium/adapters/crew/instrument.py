"""`instrument(crew or flow)`: one that runs as an Omium execution, and goes on where it was cut off.

Owns the objects that users hold instead of their own: every kickoff begins an execution, or is a scope of the
current one. What is recorded inside is runs.py and its neighbours; CrewAI's own objects are not changed.
"""

from __future__ import annotations

import asyncio
import copy
import inspect
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from crewai import Crew, Flow
from crewai.flow.async_feedback import HumanFeedbackPending

from omium.adapters.crew.applied import Applied
from omium.adapters.crew.applying_copies import Texts, copy_for_run, read_texts
from omium.adapters.crew.codec import register_codecs
from omium.adapters.crew.flow_copies import Blank, NotCopied, read_blank
from omium.adapters.crew.naming import make_id, name_nodes
from omium.adapters.crew.policy import TaskPolicy
from omium.adapters.crew.quiet import keep_quiet
from omium.adapters.crew.runs import Run, running
from omium.adapters.crew.subjects import get_subject
from omium.adapters.crew.turns import Ticket, Turns
from omium.adapters.crew.wrapping import install
from omium.errors import ConfigError
from omium.retry import RetryPolicy
from omium.sdk.calling import find_active_frame
from omium.sdk.context import Frame
from omium.sdk.decorators import workflow
from omium.sdk.flows import Flow as Steps
from omium.sdk.flows import drive_async, drive_sync
from omium.sdk.frames import shorten
from omium.sdk.registry import find_workflow
from omium.sdk.session import current_session

_IGNORED = ("options",)  # files and the like: they belong to a process, not to the execution
_WAYS = {
    "kickoff": False,
    "kickoff_for_each": False,
    "kickoff_async": True,
    "akickoff": True,
    "kickoff_for_each_async": True,
    "akickoff_for_each": True,
}
"""The ways to start, and which of them are awaited."""
_UNSAID: Final[dict[str, Any]] = {
    "durability": None,
    "takeover": "never",
    "queue": "default",
    "max_credits": None,
}
"""Options of which nothing was said."""
_log = logging.getLogger("omium.crew")


def instrument(
    subject: Any,
    *,
    name: str | None = None,
    nodes: Mapping[str, TaskPolicy] | None = None,
    retry: RetryPolicy | int | None = None,
    timeout_s: float | None = None,
    breaker: str | None = None,
    effects: Iterable[str] = (),
    durability: str | None = None,
    takeover: str = "never",
    queue: str = "default",
    max_credits: float | str | None = None,
) -> Any:
    """Return a crew or a flow as a durable workflow; use it as your own.

    `subject` is a crew, a flow or its class, a `@CrewBase` class, or a function that makes one. `name` is
    the workflow's name, by default the crew's or the flow's. `nodes` gives single tasks or methods their
    policy, by the ids that `name_nodes` gives them; `retry`, `timeout_s` and `breaker` hold for all others.
    `effects` names tools that change the world outside: they are announced before they run and never
    repeated unasked. `durability`, `takeover`, `queue` and `max_credits` are those of `@omium.workflow`.
    What `apply_spec` returned has the policies of its spec, and the other settings of what was instrumented
    before. Raises `ConfigError` for a node that there is not, and for what streams.
    """
    keep_quiet()
    install()
    found = get_subject(subject)
    ids = tuple(name_nodes(found))
    chosen = dict(subject.policies if isinstance(subject, Applied) else nodes or {})
    if unknown := sorted(set(chosen) - set(ids)):
        raise ConfigError(f"There is no node {unknown[0]!r}; the nodes are {', '.join(sorted(ids))}.")
    refuse_stream(found)
    default = TaskPolicy(retry=retry, timeout_s=timeout_s, breaker=breaker)
    tools = frozenset(make_id(each) for each in effects)

    def begin(owner: Any) -> Run:
        return Run(owner, ids, chosen, default, tools)

    options = {"durability": durability, "takeover": takeover, "queue": queue, "max_credits": max_credits}
    former = subject.origin if isinstance(subject, Applied) else subject
    if isinstance(former, _Instrumented):
        tools |= former.effects
        options = {
            **former.options,
            **{key: given for key, given in options.items() if given != _UNSAID[key]},
        }
    kind = InstrumentedCrew if isinstance(found, Crew) else InstrumentedFlow
    made = kind(found, name or _name_of(found), begin, options, module=_calling_module())
    made.policies, made.effects = {id_: chosen.get(id_, default) for id_ in ids}, tools
    return made


def refuse_stream(subject: Any) -> None:
    """Raise `ConfigError` for a crew or a flow that streams; of a flow's class only its objects tell."""
    if getattr(subject, "stream", False) is True:
        raise ConfigError("What streams ends after its kickoff has returned: set stream=False on it.")


def _name_of(found: Any) -> str:
    name = getattr(found, "name", None)
    if isinstance(name, str) and name:
        return name
    return found.__name__ if isinstance(found, type) else type(found).__name__


def _calling_module() -> str:
    """Return the module that calls `instrument`: its code is what runs, and a worker loads it."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__") == __name__:
        frame = frame.f_back
    return str(frame.f_globals.get("__name__", __name__)) if frame is not None else __name__


class _Instrumented:
    """What an instrumented crew and an instrumented flow have in common: the workflow behind them."""

    def __init__(
        self,
        subject: Any,
        name: str,
        begin: Callable[[Any], Run],
        options: Mapping[str, Any],
        *,
        module: str,
    ) -> None:
        self.subject = subject
        self.workflow_name = name
        self.options = options
        self.policies: Mapping[str, TaskPolicy] = {}
        self.effects: frozenset[str] = frozenset()
        self._begin = begin
        register_codecs(current_session().link.types)  # a worker reads records before it calls anything
        run, arun = self._make_functions()
        for function in (run, arun):
            function.__module__, function.__qualname__ = module, ""
        decorate = workflow(name=name, ignore=_IGNORED, **options)
        # What is decorated last is what a worker finds under the name: a coroutine serves sync callers, too.
        self._run, self._arun = decorate(run), decorate(arun)
        self.__omium_workflow__ = find_workflow(self._arun)

    def __getattr__(self, name: str) -> Any:
        if name == "subject":  # not set yet: a half-made copy must not recurse
            raise AttributeError(name)
        return getattr(self.subject, name)

    def _ask(self, frame: Frame) -> Steps[Any]:  # noqa: ARG002  # a flow's waits in it
        """Wait until this run may have what it works with; a crew's need not."""
        yield from ()
        return None

    @contextmanager
    def _taken(self, given: Any) -> Iterator[Any]:  # noqa: ARG002  # what `_ask` returned
        """Give what this run works with, for it alone."""
        yield self.subject

    def _make_functions(self) -> tuple[Callable[..., Any], Callable[..., Any]]:
        """Return the workflow's function, sync and async; parameters other than the ignored are recorded."""

        def run(inputs: Any = None, way: str = "kickoff", options: Mapping[str, Any] | None = None) -> Any:
            frame = _get_frame()
            given = drive_sync(self._ask(frame), frame.driving.link.ports)
            with self._taken(given) as taken, running(self._begin(taken)) as current:
                output = getattr(taken, way)(inputs, **(options or {}))
                return _check(current, output)

        async def arun(
            inputs: Any = None, way: str = "kickoff", options: Mapping[str, Any] | None = None
        ) -> Any:
            frame = _get_frame()
            given = await drive_async(self._ask(frame), frame.driving.link.async_ports())
            with self._taken(given) as taken, running(self._begin(taken)) as current:
                method = getattr(taken, way)
                if _WAYS[way]:
                    output = await method(inputs, **(options or {}))
                else:
                    output = await asyncio.to_thread(method, inputs, **(options or {}))
                return _check(current, output)

        return run, arun

    def _call(self, way: str, inputs: Any, options: Mapping[str, Any]) -> Any:
        self._prepare(options)
        try:
            return self._run(inputs, way, options)
        except BaseException as error:
            shorten(error)
            raise

    async def _acall(self, way: str, inputs: Any, options: Mapping[str, Any]) -> Any:
        self._prepare(options)
        try:
            return await self._arun(inputs, way, options)
        except BaseException as error:
            shorten(error)
            raise

    def _prepare(self, options: Mapping[str, Any]) -> None:
        register_codecs(current_session().link.types)
        if options.get("from_checkpoint") is not None:
            raise ConfigError("Omium goes on by itself (`omium resume ID`): leave `from_checkpoint` out.")


def _check(run: Run, output: Any) -> Any:
    """Return a run's output, unless a branch of it was stopped and CrewAI went on without it."""
    if run.stopped is not None:
        raise run.stopped
    if isinstance(output, HumanFeedbackPending):
        raise ConfigError(
            "The flow asks for feedback through a provider that answers later, which Omium cannot wait for; "
            "let the provider answer at once, or wait outside of the flow."
        )
    return output


class InstrumentedCrew(_Instrumented):
    """A crew under Omium. What is not named here is the crew's own: `tasks`, `agents`, ..."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._busy = threading.Lock()
        self._copying = threading.Lock()
        self._texts: Texts = {}
        super().__init__(*args, **kwargs)

    def kickoff(self, inputs: dict[str, Any] | None = None, **options: Any) -> Any:
        """Run the crew and return its output, as CrewAI does."""
        return self._call("kickoff", inputs, options)

    def kickoff_for_each(self, inputs: list[dict[str, Any]], **options: Any) -> Any:
        """Run the crew for each item, all in one execution."""
        return self._call("kickoff_for_each", inputs, options)

    async def kickoff_async(self, inputs: dict[str, Any] | None = None, **options: Any) -> Any:
        """As `kickoff`, in a thread."""
        return await self._acall("kickoff_async", inputs, options)

    async def akickoff(self, inputs: dict[str, Any] | None = None, **options: Any) -> Any:
        """As `kickoff`, awaiting its models and tools."""
        return await self._acall("akickoff", inputs, options)

    async def kickoff_for_each_async(self, inputs: list[dict[str, Any]], **options: Any) -> Any:
        """Run the crew for all items at once, each in a thread."""
        return await self._acall("kickoff_for_each_async", inputs, options)

    async def akickoff_for_each(self, inputs: list[dict[str, Any]], **options: Any) -> Any:
        """Run the crew for all items at once, awaiting."""
        return await self._acall("akickoff_for_each", inputs, options)

    @contextmanager
    def _taken(self, given: Any) -> Iterator[Any]:  # noqa: ARG002  # a flow's matters
        """Give the crew itself, or a copy while it works: one crew cannot do two things at a time.

        A worker's executions have nothing to do with each other, so each of them has a copy.
        """
        with self._copying:
            is_mine = not _is_served() and self._busy.acquire(blocking=False)
            if is_mine or not self._busy.locked():
                self._texts = read_texts(self.subject)
            taken = self.subject if is_mine else copy_for_run(self.subject, self._texts)
        try:
            yield taken
        finally:
            if is_mine:
                self._busy.release()


class InstrumentedFlow(_Instrumented):
    """A flow under Omium. What is not named here is the flow's own: `state`, `plot`, ...

    Of a class each run makes an object of its own; `subject` is that of the latest run. Of an object a run
    has the object itself while it is free, and otherwise, or on a worker, a copy of its own, from the state
    that it had when it was instrumented. Where it cannot be copied surely, its runs wait for one another.
    """

    def __init__(self, subject: Any, *args: Any, **kwargs: Any) -> None:
        self._class = subject if isinstance(subject, type) else None
        self._state_at_first = None if self._class else copy.deepcopy(subject._state)  # noqa: SLF001  # `state` is a proxy
        self._turns = Turns()
        self._blank: Blank | None = None
        self._uncopied = ""
        if self._class is None:
            try:
                self._blank = read_blank(subject, self._state_at_first)
            except NotCopied as error:
                self._uncopied = str(error)
        super().__init__(subject, *args, **kwargs)

    def kickoff(self, inputs: dict[str, Any] | None = None, **options: Any) -> Any:
        """Run the flow and return its output, as CrewAI does."""
        return self._call("kickoff", inputs, options)

    async def kickoff_async(self, inputs: dict[str, Any] | None = None, **options: Any) -> Any:
        """As `kickoff`, awaiting."""
        return await self._acall("kickoff_async", inputs, options)

    async def akickoff(self, inputs: dict[str, Any] | None = None, **options: Any) -> Any:
        """As `kickoff_async`."""
        return await self._acall("akickoff", inputs, options)

    def _ask(self, frame: Frame) -> Steps[Ticket | Flow[Any]]:
        """Return an object for this run alone, or its turn with the one that there is."""
        if self._class is not None:
            self.subject = self._class()
            refuse_stream(self.subject)
            return self.subject
        ticket = self._turns.take() if self._blank is None or not _is_served() else None
        if ticket is not None:
            return ticket
        copied = self._copy()
        if copied is not None:
            return copied
        name = type(self.subject).__name__
        _log.info("A run of %s waits for its turn, as %s; runs of its class do not.", name, self._uncopied)
        return (yield from self._turns.wait(frame, f"This {name}"))

    @contextmanager
    def _taken(self, given: Ticket | Flow[Any]) -> Iterator[Flow[Any]]:
        if not isinstance(given, Ticket):
            _stamp(given)
            yield given
            return
        with self._turns.held(given):
            self.subject._state = copy.deepcopy(self._state_at_first)  # noqa: SLF001  # `state` is a proxy
            _stamp(self.subject)
            yield self.subject

    def _copy(self) -> Flow[Any] | None:
        """Return a copy of the object as it was instrumented; None where there can be none."""
        if self._blank is None:
            return None
        try:
            return self._blank.make()
        except Exception as error:  # a boundary: a class may want to be made otherwise
            self._blank, self._uncopied = None, f"a copy cannot be made ({type(error).__name__}: {error})"
            return None


def _get_frame() -> Frame:
    frame = find_active_frame()
    assert frame is not None, "a workflow runs inside an execution"
    return frame


def _is_served() -> bool:
    """Say whether this is a worker's execution of what is instrumented, and no part of a larger workflow."""
    frame = find_active_frame()
    return frame is not None and frame.driving.on_worker and frame.scope.path == ""


def _stamp(flow: Any) -> None:
    """Give the flow's state an id that is the same each time this execution is taken up."""
    frame = find_active_frame()
    if frame is not None:
        seed = f"omium:{frame.driving.execution_id}/{frame.scope.path}"
        id_, state = str(uuid5(NAMESPACE_URL, seed)), flow._state  # noqa: SLF001  # `state` is a proxy
        if isinstance(state, dict):
            state["id"] = id_
        else:
            state.id = id_
