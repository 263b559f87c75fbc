"""Factories: functions of the user's that make an object of a framework, called without arguments to see it.

Owns when such a function is called, and why not, in a sentence with the remedy. Which framework an object is
of is exporting.py's.
"""

from __future__ import annotations

import functools
import inspect

from omium.errors import ConfigError, OmiumError
from omium.sdk.load_errors import NotLoaded, say_raised


class NotAFactory(ConfigError):
    """A function that cannot be called without arguments, or whose result would have to be awaited."""


def is_factory(found: object) -> bool:
    """Say whether `found` is a function, which may make an object; a class stands for itself."""
    return inspect.isroutine(found) or isinstance(found, functools.partial)


def call_factory(found: object, target: str) -> object:
    """Return what the function `found` makes; anything else as it is. `target` is how it was named.

    Raises `NotAFactory` for one that needs arguments or is async, `NotLoaded` for what it raises.
    """
    if isinstance(found, type) or not callable(found):
        return found
    if inspect.iscoroutinefunction(found) or inspect.isasyncgenfunction(found):
        raise _refuse_async(target)
    if missing := _list_needed(found):
        if not is_factory(found):
            return found
        raise NotAFactory(
            f"{target} is a function that needs arguments ({', '.join(missing)}), and Omium calls it"
            " without any to see what it makes. Give them defaults, or name a function without arguments that"
            " calls it."
        )
    try:
        made = found()
    except OmiumError:
        raise
    except (Exception, SystemExit) as error:  # a boundary: anything at all may come out of the user's code
        raise NotLoaded(
            f"{target} makes nothing: {say_raised(error)} It was called without arguments to see what it"
            " makes; mend it, or name another one.",
            error,
        ) from error
    if inspect.iscoroutine(made):
        made.close()  # nobody awaits it, which Python would warn of
        raise _refuse_async(target)
    return made


def _refuse_async(target: str) -> NotAFactory:
    return NotAFactory(
        f"{target} is an async function, which Omium does not await to see what it makes. Name the object"
        " itself, or a function without `async` that makes it."
    )


def _list_needed(found: object) -> list[str]:
    """Return the parameters that have no default; none where it cannot be told."""
    assert callable(found), "the caller has looked"
    try:
        parameters = inspect.signature(found).parameters.values()
    except (TypeError, ValueError):  # some builtins have none
        return ["..."]
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [each.name for each in parameters if each.default is each.empty and each.kind not in kinds]
