"""Copies of a flow's object: for a run that may not share anything with the run beside it.

Owns which objects can be copied surely. A copy is a flow of the same class, made anew by CrewAI, so locks,
bound methods and what a run notes are its own; it gets the settings that the object was made with and what
the user's class keeps in it, as both were when it was instrumented. Memories, persistence and models are
shared, as they are with the agents of one crew. An object that holds anything else, such as a client or a
crew, is not copied: nobody knows whether two runs may share it.
"""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
import decimal
import enum
import pathlib
import types
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from crewai import BaseLLM, Flow
from pydantic import BaseModel

_OF_RUNS: Final = {
    *("human_feedback_history", "last_human_feedback", "execution_context", "persistence"),
    *("checkpoint_completed_methods", "checkpoint_method_outputs", "checkpoint_method_counts"),
    *("checkpoint_state", "initial_state", "entity_type"),
}
"""CrewAI's fields that a run writes, or that do not say how the object was made; the state is kept apart."""
_PLAIN: Final = (
    *(type(None), bool, int, float, complex, str, bytes, enum.Enum, decimal.Decimal, uuid.UUID),
    *(dt.date, dt.time, dt.timedelta, dt.tzinfo, pathlib.PurePath),
    *(type, types.FunctionType, types.BuiltinFunctionType, types.ModuleType, BaseLLM),
)


class NotCopied(Exception):
    """The object holds what two runs cannot be given; the message names it."""


@dataclass(frozen=True, slots=True)
class Blank:
    """What copies of a flow's object are made from."""

    kind: type[Flow[Any]]
    settings: Mapping[str, Any]
    """CrewAI's own fields."""
    kept: Mapping[str, Any]
    """What the user's class keeps in its objects, by attribute."""
    private: Mapping[str, Any]
    state: Any

    def make(self) -> Flow[Any]:
        """Return a new object; raises what the user's class raises, where it wants to be made otherwise."""
        flow = object.__new__(self.kind)
        fields = {name: value for name, value in self.kept.items() if name in self.kind.model_fields}
        # Not the class's own `__init__`: what that was given is not known, and what it left is put in below.
        Flow.__init__(flow, **self.settings, **fields)
        flow.__dict__.update(_copy(self.kept))
        if flow.__pydantic_private__ is not None:
            flow.__pydantic_private__.update(_copy(self.private))
        flow._state = copy.deepcopy(self.state)
        return flow


def read_blank(flow: Flow[Any], state: Any) -> Blank:
    """Return what copies of `flow` are made from, with `state`; raises `NotCopied`."""
    kind = type(flow)
    declared = {str(name) for name in kind.flow_definition().methods}
    if {str(name) for name in flow._methods} != declared:  # noqa: SLF001  # CrewAI does not tell otherwise
        raise NotCopied("its methods are not those of its class")
    settings = {
        name: getattr(flow, name)
        for name in Flow.model_fields
        if name in flow.model_fields_set and name not in _OF_RUNS
    }
    if flow._instance_persistence:  # noqa: SLF001  # else it is the class's, which makes its own
        settings["persistence"] = flow.persistence
    own = {name: value for name, value in vars(flow).items() if name not in Flow.model_fields}
    inside = flow.__pydantic_private__ or {}
    private = {name: value for name, value in inside.items() if name not in Flow.__private_attributes__}
    for name, value in {**own, **private}.items():
        if not is_plain(value):
            raise NotCopied(f"its attribute {name} is a {type(value).__name__}")
    return Blank(kind, settings, _copy(own), _copy(private), state)


def is_plain(value: Any) -> bool:
    """Say whether a deep copy of `value` has nothing in common with it that a run could change."""
    try:
        return _is_plain(value)
    except RecursionError:  # it holds itself
        return False


def _is_plain(value: Any) -> bool:
    if isinstance(value, _PLAIN):
        return True
    if type(value) in {list, tuple, set, frozenset}:
        return all(_is_plain(each) for each in value)
    if type(value) is dict:
        return all(_is_plain(each) for pair in value.items() for each in pair)
    if type(value).__module__.partition(".")[0] == "crewai":
        return False
    return (isinstance(value, BaseModel) or _is_dataclass(value)) and all(
        _is_plain(each) for each in _list_parts(value)
    )


def _list_parts(value: Any) -> list[Any]:
    """Return what a model or a dataclass holds."""
    if isinstance(value, BaseModel):
        return [vars(value), value.__pydantic_extra__, value.__pydantic_private__]
    return [getattr(value, field.name) for field in dataclasses.fields(value)]


def _is_dataclass(value: Any) -> bool:
    return dataclasses.is_dataclass(value) and set(getattr(value, "__dict__", ())) <= {
        field.name for field in dataclasses.fields(value)
    }


def _copy(values: Mapping[str, Any]) -> dict[str, Any]:
    return copy.deepcopy(dict(values), _find_shared(values))


def _find_shared(value: Any) -> dict[int, Any]:
    """Return the memo that lets a deep copy keep the models that `value` holds, and the modules."""
    found: dict[int, Any] = {}
    stack = [value]
    while stack:
        each = stack.pop()
        if isinstance(each, BaseLLM | types.ModuleType):
            found[id(each)] = each
        elif isinstance(each, Mapping):
            stack += each.values()
        elif isinstance(each, list | tuple | set | frozenset):
            stack += each
        elif not isinstance(each, _PLAIN) and (isinstance(each, BaseModel) or _is_dataclass(each)):
            stack += _list_parts(each)
    return found
