"""What a served object is started with: the spec's inputs by name, whoever instrumented it.

Owns the ways of a framework's inputs into the function that `instrument` made, whose first parameter takes
all of them. An object that the user instrumented is also started by the user's own calls, which record that
parameter itself (`input`, `inputs`) beside others: such an execution goes on, and what was queued in that
form is run as it was meant.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from omium.sdk.coroutines import is_async
from omium.sdk.registry import Workflow

Declared = Callable[[], frozenset[str]]
"""What returns the names of the inputs that an object's document has; it may take a while."""


def take_inputs(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function`, whose first parameter takes all inputs, as one that takes them by name."""
    if is_async(function):

        async def arun(**inputs: Any) -> Any:
            return await function(inputs)

        return arun

    def run(**inputs: Any) -> Any:
        return function(inputs)

    return run


def take_either(own: Workflow, declared: Declared) -> Callable[..., Any]:
    """Return the function of an instrumented object, taking the inputs by name, or as it recorded them."""
    function = own.function
    names = [name for name in inspect.signature(function).parameters if name not in own.options.ignore]
    known = functools.cache(declared)

    def is_recorded(given: Mapping[str, Any]) -> bool:
        return names[0] in given and given.keys() <= set(names) and _is_call(given, names[0], known())

    # Not called `inputs`: a recorded call is restored by its parameters, and a crew's has one of that name.
    if is_async(function):

        async def arun(**given: Any) -> Any:
            return await (function(**given) if is_recorded(given) else function(given))

        return arun

    def run(**given: Any) -> Any:
        return function(**given) if is_recorded(given) else function(given)

    return run


def _is_call(given: Mapping[str, Any], first: str, declared: frozenset[str]) -> bool:
    """Say whether `given` are the parameters of an own call, not inputs that are called as those are."""
    if not given.keys() <= declared:
        return True
    inputs = given[first]
    if inputs is None:
        return len(given) > 1  # an own call records all parameters
    return isinstance(inputs, Mapping) and bool(inputs) and inputs.keys() <= declared
