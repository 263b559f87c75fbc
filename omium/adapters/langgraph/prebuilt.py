"""Prebuilt agents: the prompt and tools of `create_react_agent`, and the same agent with another prompt.

Owns what is known of LangGraph's own functions: where they keep their prompt. Nothing of an agent is changed:
the one with another prompt has functions of its own. LangChain's `create_agent` is langchain_agents.py; what
is asked here of any agent asks there, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import FunctionType
from typing import Any, Final

from langchain_core.messages import BaseMessage, SystemMessage
from langchain_core.runnables import RunnableLambda, RunnableSequence

from omium.adapters.langgraph.langchain_agents import (
    find_system_prompt,
    is_langchain_agent,
    why_no_prompt,
    with_cell,
    with_system_prompt,
)
from omium.adapters.langgraph.reading_code import Code

_MODULE: Final = "langgraph.prebuilt.chat_agent_executor"
_CALLS: Final = ("create_react_agent.<locals>.call_model", "create_react_agent.<locals>.acall_model")
_MODEL: Final = "static_model"
_MESSAGES: Final = ("_system_message", "prompt", "message")  # of LangGraph for a text, for a message; of ours
PROMPT: Final = "Prompt"  # LangGraph's own name of the runnable that puts the prompt before the messages


def is_agent(runnable: Any) -> bool:
    """Say whether a node's runnable is the one of a prebuilt agent that calls the model."""
    function = Code.of(runnable).function
    own = function is not None and function.__module__ == _MODULE and function.__qualname__ in _CALLS
    return own or is_langchain_agent(runnable)


def list_tools(runnable: Any) -> Mapping[str, Any]:
    """Return the tools of a `ToolNode` by name; nothing for any other node."""
    tools = getattr(runnable, "tools_by_name", None)
    return dict(tools) if isinstance(tools, Mapping) else {}


def find_prompt(runnable: Any) -> str | Code | None:
    """Return the prompt of an agent's node: a text, the code that makes one, or None."""
    if is_langchain_agent(runnable):
        return find_system_prompt(runnable)
    sequence = _sequence(runnable)
    if sequence is None or sequence.first.name != PROMPT:
        return None
    for function in _functions(sequence.first):
        names = _cells(function)
        message = next((names[each] for each in _MESSAGES if each in names), None)
        if isinstance(message, BaseMessage):
            return message.content if isinstance(message.content, str) else None
        if function.__module__ not in (_MODULE, __name__):
            return Code.of(function)
    return None


def has_model(runnable: Any) -> bool:
    """Say whether the agent's model stands fast; else the user's function chooses one in each turn."""
    return is_langchain_agent(runnable) or _sequence(runnable) is not None


def why_not_edited(runnable: Any) -> str:
    """Say why the prompt of an agent cannot be edited; empty where it can."""
    if not has_model(runnable) or isinstance(find_prompt(runnable), Code):
        return "a function of the agent chooses its model or prompt"
    return why_no_prompt(runnable) if is_langchain_agent(runnable) else ""


def with_prompt(runnable: Any, prompt: str) -> Any:
    """Return the runnable of an agent's node with another prompt, or none; the given one is not changed."""
    if is_langchain_agent(runnable):
        return with_system_prompt(runnable, prompt)
    sequence = _sequence(runnable)
    assert sequence is not None, "asked only where there is a prompt, or room for one"
    message = SystemMessage(content=prompt) if prompt else None

    def put_first(state: Any) -> list[Any]:
        messages = state["messages"] if isinstance(state, Mapping) else state.messages
        return [*messages] if message is None else [message, *messages]

    rest = [*sequence.middle, sequence.last]
    changed: RunnableSequence[Any, Any] = RunnableSequence(RunnableLambda(put_first, name=PROMPT), *rest)
    made = runnable.__class__.__new__(runnable.__class__)
    made.__dict__.update(runnable.__dict__)
    for name in ("func", "afunc"):
        function = getattr(runnable, name, None)
        if isinstance(function, FunctionType):
            setattr(made, name, with_cell(function, _MODEL, changed))
    return made


def _sequence(runnable: Any) -> RunnableSequence[Any, Any] | None:
    for function in _functions(runnable):
        found = _cells(function).get(_MODEL)
        if isinstance(found, RunnableSequence):
            return found
    return None


def _functions(runnable: Any) -> list[FunctionType]:
    found = [getattr(runnable, name, None) for name in ("func", "afunc")]
    return [each for each in found if isinstance(each, FunctionType)]


def _cells(function: FunctionType) -> dict[str, Any]:
    found = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # not set yet
            continue
    return found
