"""LangChain's agents: model, prompt and middleware of `create_agent`, and the same agent with another prompt.

Owns what is known of the functions that `langchain.agents` puts into its graphs: what they hold of the
arguments of `create_agent`. LangChain is never imported here. LangGraph's own agents are prebuilt.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import CellType, CodeType, FunctionType
from typing import Any, Final

from langchain_core.language_models import BaseLanguageModel
from langchain_core.messages import SystemMessage

from omium.adapters.langgraph.reading_code import Code
from omium.jsonvalue import JsonValue

_MODULE: Final = "langchain.agents.factory"
_DECORATORS: Final = "langchain.agents.middleware.types"
_NODES: Final = ("create_agent.<locals>.model_node", "create_agent.<locals>.amodel_node")
_PROMPT: Final = "system_message"
_SETS: Final = {"system_message", "system_prompt"}
"""What a middleware sets, or reads, that gives the model another prompt."""
_NODE_HOOKS: Final = ("before_agent", "before_model", "after_model", "after_agent")
_LOOKED_AT_MAX: Final = 500


def is_langchain_agent(runnable: Any) -> bool:
    """Say whether a node's runnable is the one of `create_agent` that calls the model."""
    function = Code.of(runnable).function
    return function is not None and function.__module__ == _MODULE and function.__qualname__ in _NODES


def find_model(runnable: Any) -> BaseLanguageModel[Any] | None:
    """Return the model that was given to `create_agent`; middleware may ask another one."""
    found = Code.of(runnable).closure().get("model")
    return found if isinstance(found, BaseLanguageModel) else None


def find_system_prompt(runnable: Any) -> str | Code | None:
    """Return the prompt of an agent: a text, the middleware that makes one, or None."""
    for middleware, method in _wrapping_models(runnable):
        code = Code.of(method)
        own = _find_own(code)  # of a class, it is named after the class
        if _replaces_prompt(code if own is None else own, is_prompt=_is_dynamic_prompt(code)):
            return Code.of(middleware) if own is None else own
    message = Code.of(runnable).closure().get(_PROMPT)
    return (
        message.content if isinstance(message, SystemMessage) and isinstance(message.content, str) else None
    )


def why_no_prompt(runnable: Any) -> str:
    """Say why the agent can have no other prompt; empty where it can."""
    code = Code.of(runnable)
    if code.function is None or _PROMPT not in code.function.__code__.co_freevars:
        return "another version of LangChain keeps it elsewhere"
    message = code.closure().get(_PROMPT)
    if isinstance(message, SystemMessage) and not isinstance(message.content, str):
        return "it is made of blocks, which only the code can tell"
    return ""


def with_system_prompt(runnable: Any, prompt: str) -> Any:
    """Return the runnable of an agent's node with another prompt, or none; the given one is not changed."""
    message = SystemMessage(content=prompt) if prompt else None
    made = runnable.__class__.__new__(runnable.__class__)
    made.__dict__.update(runnable.__dict__)
    for name in ("func", "afunc"):
        function = getattr(runnable, name, None)
        if isinstance(function, FunctionType) and _PROMPT in function.__code__.co_freevars:
            setattr(made, name, with_cell(function, _PROMPT, message))
    return made


def list_middleware(graph: Any) -> list[JsonValue]:
    """Return the middleware of an agent's graph with the hooks that each has: those with nodes first."""
    found: dict[str, tuple[Any, list[str]]] = {}

    def note(middleware: Any, hook: str) -> None:
        name = str(middleware.name)
        hooks = found.setdefault(name, (middleware, []))[1]
        if hook not in hooks:
            hooks.append(hook)

    for spec in graph.builder.nodes.values():
        runnable = spec.runnable
        for name in ("func", "afunc"):
            method = getattr(runnable, name, None)
            if _is_middleware(owner := getattr(method, "__self__", None)):
                hook = str(getattr(method, "__name__", ""))
                note(owner, hook if hook in _NODE_HOOKS else hook.removeprefix("a"))
        if is_langchain_agent(runnable):
            for middleware, _ in _wrapping_models(runnable):
                note(middleware, "wrap_model_call")
        for name in ("_wrap_tool_call", "_awrap_tool_call"):
            for middleware, _ in _find_methods(getattr(runnable, name, None)):
                note(middleware, "wrap_tool_call")
    return [
        {
            "name": name[:200],
            "ref": f"{type(owner).__module__}:{type(owner).__qualname__}"[:500],
            "hooks": [*hooks],
        }
        for name, (owner, hooks) in found.items()
    ]


def with_cell(function: FunctionType, name: str, value: Any) -> FunctionType:
    """Return a function of the same code whose closure holds `value` as `name`."""
    cells = tuple(
        CellType(value) if each == name else cell
        for each, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    )
    made = FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, cells
    )
    made.__kwdefaults__ = function.__kwdefaults__
    made.__annotations__ = function.__annotations__
    made.__qualname__, made.__module__ = function.__qualname__, function.__module__
    return made


def _wrapping_models(runnable: Any) -> list[tuple[Any, Any]]:
    """Return the middleware around calls of the model with its method: the outermost first."""
    found: list[tuple[Any, Any]] = []
    for name, handler in (("func", "wrap_model_call_handler"), ("afunc", "awrap_model_call_handler")):
        function = getattr(runnable, name, None)
        if isinstance(function, FunctionType):
            found += _find_methods(Code(function, function).closure().get(handler))
    return found


def _find_methods(handler: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the middleware whose methods LangChain composed into `handler`."""
    left, seen = [handler], set[int]()
    for _ in range(_LOOKED_AT_MAX):
        if not left:
            return
        value = left.pop(0)
        if value is None or id(value) in seen:
            continue
        seen.add(id(value))
        if _is_middleware(owner := getattr(value, "__self__", None)):
            yield owner, value
        elif (wrapped := getattr(value, "__wrapped__", None)) is not None:
            left.insert(0, wrapped)
        elif isinstance(value, FunctionType) and value.__module__ == _MODULE:
            left = [each for each in Code(value, value).closure().values() if callable(each)] + left


def _is_middleware(value: Any) -> bool:
    return any(
        each.__name__ == "AgentMiddleware" and each.__module__ == _DECORATORS for each in type(value).__mro__
    )


def _replaces_prompt(code: Code, *, is_prompt: bool) -> bool:
    """Say whether a middleware sets the prompt and does not look at the one that the agent has."""
    if code.function is None:
        return False
    own = code.function.__code__
    reads = bool(_SETS & set(_attributes(own)))
    return is_prompt or (bool(_SETS & set(_keywords(own))) and not reads)


def _find_own(code: Code) -> Code | None:
    """Return the user's function of which one of LangChain's decorators made a middleware."""
    made = code.function is not None and code.function.__module__ == _DECORATORS
    return Code.of(code.closure()["func"]) if made and "func" in code.closure() else None


def _is_dynamic_prompt(code: Code) -> bool:
    """Say whether LangChain's `@dynamic_prompt` made it."""
    return code.function is not None and code.function.__qualname__.startswith("dynamic_prompt.")


def _keywords(code: CodeType) -> Iterator[str]:
    for value in code.co_consts:
        if isinstance(value, tuple):
            yield from (each for each in value if isinstance(each, str))
        elif isinstance(value, CodeType):
            yield from _keywords(value)


def _attributes(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for value in code.co_consts:
        if isinstance(value, CodeType):
            yield from _attributes(value)
