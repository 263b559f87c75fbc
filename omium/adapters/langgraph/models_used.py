"""Models: which chat models a node's function holds, without anything that could be a key.

Owns the walk from a function to the models in its closures, globals and LangChain's wrappers. Only the
provider, the model's name and a few numbers are taken: headers, addresses and keys are never looked at.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from types import FunctionType, ModuleType
from typing import Any, Final

from langchain_core.language_models import BaseLanguageModel
from langchain_core.runnables import Runnable

from omium.adapters.langgraph.reading_code import Code, list_referenced
from omium.jsonvalue import JsonValue

_FOUND_MAX = 20
_MEMBERS_MAX = 100  # of a container: what holds more holds data
_LOOKED_AT_MAX = 2_000
_PARTS: Final = ("bound", "first", "middle", "last", "steps", "runnable", "fallbacks")
_NUMBERS: Final = {"ls_temperature": "temperature", "ls_max_tokens": "max_tokens"}


def find_models(target: Any) -> list[dict[str, JsonValue]]:
    """Return provider, model and parameters of each model that `target` holds, in a fixed order."""
    found: list[dict[str, JsonValue]] = []
    for model in _walk([target]):
        described = describe_model(model)
        if described not in found:
            found.append(described)
        if len(found) == _FOUND_MAX:
            break
    return found


def describe_model(model: BaseLanguageModel[Any]) -> dict[str, JsonValue]:
    """Return a model as a spec's `llm`."""
    facts = _facts(model)
    provider = facts.get("ls_provider") or type(model).__name__.lower()
    described: dict[str, JsonValue] = {"provider": str(provider)[:200]}
    name = facts.get("ls_model_name")
    if isinstance(name, str) and name:
        described["model"] = name[:300]
    numbers: dict[str, JsonValue] = {
        _NUMBERS[key]: value
        for key, value in facts.items()
        if key in _NUMBERS and isinstance(value, int | float) and not isinstance(value, bool)
    }
    if numbers:
        described["parameters"] = dict(sorted(numbers.items()))
    return described


def _facts(model: Any) -> Mapping[str, Any]:
    try:
        facts = model._get_ls_params()  # noqa: SLF001  # what LangChain itself writes into traces
    except Exception:  # a model of somebody else's: what it is asked for must not spoil an export
        facts = {}
    known = dict(facts) if isinstance(facts, Mapping) else {}
    name = getattr(model, "model_name", None) or getattr(model, "model", None)
    if isinstance(name, str):
        known.setdefault("ls_model_name", name)
    return known


def _walk(waiting: Iterable[Any]) -> Iterator[BaseLanguageModel[Any]]:
    left, seen = list(waiting), set[int]()
    for _ in range(_LOOKED_AT_MAX):
        if not left:
            return
        value = left.pop(0)
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, BaseLanguageModel):
            yield value
        else:
            left = [*_inside(value), *left]


def _inside(value: Any) -> Iterator[Any]:
    """Yield what may hold a model: parts of runnables, what functions name, members of containers."""
    if isinstance(value, list | tuple | set | frozenset):
        yield from itertools.islice(value, _MEMBERS_MAX) if not isinstance(value, set | frozenset) else ()
    elif isinstance(value, dict):
        yield from itertools.islice(value.values(), _MEMBERS_MAX)
    elif isinstance(value, Runnable):
        yield from _parts(value)
        if getattr(value, "func", None) is not None or getattr(value, "afunc", None) is not None:
            yield from _of_function(Code.of(value))
    elif isinstance(value, FunctionType) or (callable(value) and not isinstance(value, type | ModuleType)):
        yield from _of_function(Code.of(value))


def _parts(value: Runnable[Any, Any]) -> Iterator[Any]:
    for name in _PARTS:
        part = getattr(value, name, None)
        if isinstance(part, Runnable | list | tuple | dict):
            yield part


def _of_function(code: Code) -> Iterator[Any]:
    own = None if code.function is None else code.function.__module__
    for value in list_referenced(code):
        if isinstance(value, FunctionType) and value.__module__ != own:
            continue  # somebody else's: what a library holds is not what this node uses
        if isinstance(value, ModuleType | type):
            continue
        if isinstance(value, FunctionType | list | tuple | dict | Runnable) or hasattr(value, "__wrapped__"):
            yield value
