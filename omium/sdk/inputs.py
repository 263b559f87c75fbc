"""Inputs: from what is recorded of a workflow's arguments back to a call.

Owns the way from a grant's `input` to the arguments of the function, and the words for an input that was not
recorded because it has no JSON form.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any

from omium.errors import Undecodable
from omium.jsonvalue import JsonValue, TypeRegistry, decode
from omium.sdk.calling import find_signature
from omium.sdk.calls import Call

OPAQUE_KEY = "$opaque"


def restore_call(
    function: Callable[..., Any], recorded: object, types: TypeRegistry, ignore: Collection[str] = ()
) -> Call:
    """Return the call of `function` with its recorded arguments; parameters to `ignore` are never recorded.

    Raises `Undecodable` naming a parameter that was not recorded, or that the function does not have (any
    more).
    """
    arguments = {name: _restore(name, form, types) for name, form in _members(recorded).items()}
    signature = find_signature(function)
    if signature is None:
        return Call(function, (), arguments)
    bound = inspect.BoundArguments(signature, arguments)
    kinds = {name: parameter.kind for name, parameter in signature.parameters.items()}
    variable = next((name for name, kind in kinds.items() if kind is inspect.Parameter.VAR_KEYWORD), None)
    unknown = [name for name in arguments if name not in kinds]
    if unknown and variable is None:
        raise Undecodable(
            _refuse_parameter(function, unknown[0], [each for each in kinds if each not in ignore])
        )
    if variable is not None:
        extra = {name: arguments.pop(name) for name in unknown}
        collected = arguments.pop(variable, {})
        if not isinstance(collected, Mapping):  # it was started with one of that name, not with all in one
            collected = {variable: collected}
        arguments[variable] = {**collected, **extra}
    return Call(function, bound.args, bound.kwargs)


def _refuse_parameter(function: Callable[..., Any], unknown: str, known: list[str]) -> str:
    named = function.__qualname__ or "What is served"  # an object of a framework has no name of its own
    return (
        f"{named} has no parameter {unknown!r}, which this execution was started with. It has: "
        f"{', '.join(known) or 'none'}. Start a new execution with what it has, or rename it back if it was "
        "called so."
    )


def _restore(name: str, form: JsonValue, types: TypeRegistry) -> Any:
    if isinstance(form, dict) and len(form) == 1 and OPAQUE_KEY in form:
        raise Undecodable(
            f"The input {name!r} is a {form[OPAQUE_KEY]}, which cannot be recorded, so this execution cannot "
            "be taken up without the program that started it. Pass plain data, and make the object inside.",
            type_name=str(form[OPAQUE_KEY]),
            path=f"$.{name}",
        )
    return decode(form, types=types)


def _members(recorded: object) -> Mapping[str, JsonValue]:
    if recorded is None:
        return {}
    if not isinstance(recorded, dict):
        raise Undecodable("The recorded input is not an object with the parameters by name.")
    return recorded
