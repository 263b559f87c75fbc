"""Placeholders: what a pipeline's own body calls, found without running what it calls.

Owns the one call that tells it: the body of the pipeline, and no other, is called with a placeholder for
each argument. Its functions give futures that nobody runs. A body that looks into an argument, counts with it
or loops over it cannot be called like that: then a run has to tell, and `Expansion.reason` says so.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sematic.abstract_future import AbstractFuture
from sematic.function import Function, _convert_lists, _convert_tuples
from sematic.future import Future

from omium.adapters.sematic.context import between_functions, in_function


@dataclass(frozen=True, slots=True)
class Expansion:
    """A pipeline that was called with placeholders, and what its body then did."""

    future: AbstractFuture
    """The pipeline, called with placeholders."""
    result: AbstractFuture | None = None
    """What its body returned."""
    created: list[AbstractFuture] = field(default_factory=list)
    """In the order in which the body made them."""
    inputs: dict[str, str] = field(default_factory=dict)
    """The names of the pipeline's arguments, by Sematic's id of their placeholder."""
    reason: str = ""
    """Why a run has to tell what the body calls; empty too where it calls nothing."""


def expand(function: Function) -> Expansion:
    """Return what the body of `function` calls. A body that names no function of Sematic's is not called."""
    placeholders = {name: _make_placeholder(name, type_) for name, type_ in function.input_types.items()}
    names = {placeholder.id: name for name, placeholder in placeholders.items()}
    with between_functions():
        future: AbstractFuture = function(**placeholders)
    if not any(_list_functions(function.func)):
        return Expansion(future)
    try:
        with in_function("placeholders", "placeholders", __name__) as created:
            output = function.func(**placeholders)
            if isinstance(output, list):
                output = _convert_lists(output)
            elif isinstance(output, tuple):
                output = _convert_tuples(output, function.output_type)
    except Exception as error:  # whatever user code raises when it is given a placeholder for a value
        return Expansion(future, reason=_explain(function, error))
    if not isinstance(output, AbstractFuture):
        return Expansion(future, reason=f"{function.__name__} returned a value without calling a function.")
    return Expansion(future, output, created, names)


def is_placeholder(future: AbstractFuture) -> bool:
    """Say whether the future stands for an argument of the pipeline."""
    return bool(future.function.__module__ == __name__)


def _explain(function: Function, error: Exception) -> str:
    said = str(error).partition(" Find a workaround")[0]
    return (
        f"{function.__name__} decides by the values of its inputs what it calls: with placeholders it raised "
        f"{type(error).__name__}: {said[:200]}"
    )


def _make_placeholder(name: str, type_: Any) -> Future:
    def placeholder() -> None:
        """Stand for an argument; nothing ever calls it."""

    placeholder.__name__ = name
    return Future(Function(placeholder, input_types={}, output_type=type_), {}, standalone=False)


def _list_functions(body: Any) -> Iterator[Function]:
    """Yield the functions of Sematic's that a body names: globals, in its closure, of modules."""
    found = inspect.getclosurevars(body)
    values = [*found.globals.values(), *found.nonlocals.values()]
    names = set(body.__code__.co_names)
    for value in values:
        if isinstance(value, Function):
            yield value
        elif inspect.ismodule(value):
            yield from (each for name, each in vars(value).items() if name in names and _is_function(each))


def _is_function(value: Any) -> bool:
    return isinstance(value, Function)
