"""Wrapping: where CrewAI's own classes let Omium in, once per process.

Owns the list of methods that are wrapped: what runs a task, a flow's method, a model's call and a tool's.
Each wrapper asks whether the caller belongs to an instrumented run and does nothing else where it does not,
so that other crews in the process run as without Omium. Classes of models and tools that are made later are
wrapped when they are made.
"""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

from crewai import Crew, Flow, Task
from crewai.core.providers.human_input import SyncHumanInputProvider
from crewai.flow.async_feedback.providers import ConsoleProvider
from crewai.llms.base_llm import BaseLLM
from crewai.tools.base_tool import BaseTool
from crewai.tools.structured_tool import CrewStructuredTool

from omium.adapters.crew.answers import (
    wrap_answer,
    wrap_async_answer,
    wrap_async_feedback,
    wrap_feedback,
    wrap_flow_feedback,
    wrap_flow_input,
)
from omium.adapters.crew.methods import run_method
from omium.adapters.crew.model_calls import wrap_acall, wrap_call, wrap_tracking
from omium.adapters.crew.runs import find_place
from omium.adapters.crew.tasks import arun_task, run_task
from omium.adapters.crew.tool_calls import wrap_arun, wrap_run
from omium.errors import ConfigError

Wrap = Callable[[Callable[..., Any]], Callable[..., Any]]
MODEL_METHODS: dict[str, Wrap] = {
    "call": wrap_call,
    "acall": wrap_acall,
    "_track_token_usage_internal": wrap_tracking,
}
TOOL_METHODS: dict[str, Wrap] = {"run": wrap_run, "arun": wrap_arun}
INVOKE_METHODS: dict[str, Wrap] = {"invoke": wrap_run, "ainvoke": wrap_arun}
_MARK = "__omium_wrapped__"
_lock = threading.Lock()
_state = {"installed": False}


def install() -> None:
    """Wrap CrewAI's classes. Called again, from any thread, it changes nothing."""
    with _lock:
        if _state["installed"]:
            return
        _wrap_own(Task, "_execute_core", _wrap_execute)
        _wrap_own(Task, "_aexecute_core", _wrap_aexecute)
        _wrap_own(Task, "_execute_task_async", _wrap_thread)
        _wrap_own(Crew, "copy", _wrap_copy)
        _wrap_own(Flow, "_execute_method", _wrap_flow_method)
        _wrap_static(SyncHumanInputProvider, "_prompt_input", wrap_answer)
        _wrap_static(SyncHumanInputProvider, "_prompt_input_async", wrap_async_answer)
        _wrap_method(SyncHumanInputProvider, "handle_feedback", wrap_feedback)
        _wrap_method(SyncHumanInputProvider, "handle_feedback_async", wrap_async_feedback)
        _wrap_own(Flow, "_request_human_feedback", wrap_flow_feedback)
        _wrap_method(ConsoleProvider, "request_input", wrap_flow_input)
        _wrap_tree(BaseLLM, MODEL_METHODS)
        _wrap_tree(BaseTool, TOOL_METHODS)
        _wrap_class(CrewStructuredTool, INVOKE_METHODS)
        _state["installed"] = True


def _wrap_own(class_: type, name: str, wrap: Wrap) -> None:
    """Wrap a method where it is defined; without it nothing would be durable, so that is no detail."""
    definer = next((each for each in class_.__mro__ if name in each.__dict__), None)
    if definer is None:
        raise ConfigError(
            f"This CrewAI's {class_.__name__} has no {name}, so Omium cannot make it durable; "
            "install the version that `omium-os[crewai]` asks for."
        )
    _wrap_method(definer, name, wrap)


def _wrap_method(class_: type, name: str, wrap: Wrap) -> None:
    method = class_.__dict__.get(name)
    if method is None or getattr(method, _MARK, False):
        return
    wrapped = wrap(method)
    setattr(wrapped, _MARK, True)
    setattr(class_, name, wrapped)


def _wrap_static(class_: type, name: str, wrap: Wrap) -> None:
    method = inspect.getattr_static(class_, name, None)
    if isinstance(method, staticmethod):
        setattr(class_, name, staticmethod(wrap(method.__func__)))


def _wrap_class(class_: type, methods: dict[str, Wrap]) -> None:
    for name, wrap in methods.items():
        if not getattr(class_.__dict__.get(name), "__isabstractmethod__", False):
            _wrap_method(class_, name, wrap)


def _wrap_tree(root: Any, methods: dict[str, Wrap]) -> None:
    """Wrap the methods of a class and of all that derive from it, now or later."""
    for class_ in _walk(root):
        _wrap_class(class_, methods)
    own = root.__dict__.get("__init_subclass__")

    def __init_subclass__(cls: Any, /, **kwargs: Any) -> None:  # noqa: N807  # it takes that one's place
        if own is None:
            super(root, cls).__init_subclass__(**kwargs)
        else:
            own.__func__(cls, **kwargs)
        _wrap_class(cls, methods)

    root.__init_subclass__ = classmethod(__init_subclass__)


def _walk(root: type) -> Iterator[type]:
    seen: set[type] = set()
    left = [root]
    while left:
        class_ = left.pop()
        if class_ not in seen:
            seen.add(class_)
            yield class_
            left += class_.__subclasses__()


def _wrap_execute(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def execute(self: Any, agent: Any = None, context: str | None = None, tools: Any = None) -> Any:
        return run_task(method, self, agent, context, tools)

    return execute


def _wrap_aexecute(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    async def aexecute(self: Any, agent: Any = None, context: str | None = None, tools: Any = None) -> Any:
        return await arun_task(method, self, agent, context, tools)

    return aexecute


def _wrap_thread(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def execute(self: Any, agent: Any, context: Any, tools: Any, future: Future[Any]) -> None:
        try:
            method(self, agent, context, tools, future)
        except BaseException as error:
            # CrewAI sets only an `Exception`: for a pause or a cancel the crew would wait for ever.
            if find_place() is None:
                raise
            future.set_exception(error)

    return execute


def _wrap_copy(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def copy(self: Any) -> Any:
        copied = method(self)
        if (place := find_place()) is not None:
            place[0].note_copy(self, copied, place[1].scope.path)
        return copied

    return copy


def _wrap_flow_method(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    async def execute(self: Any, method_name: Any, function: Any, *args: Any, **kwargs: Any) -> Any:
        return await run_method(method, self, method_name, function, args, kwargs)

    return execute
