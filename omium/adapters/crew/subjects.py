"""What a name in a user's module stands for: a crew, a flow, a `@CrewBase` class, or what makes one."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from omium.adapters.crew.applied import Applied
from omium.adapters.crew.naming import is_flow
from omium.errors import ConfigError

if TYPE_CHECKING:
    from omium.adapters.crew.policy import TaskPolicy

_MADE_MAX: Final = 3
"""Factories that make factories, at most: `build` gives a `@CrewBase` object, and that gives a crew."""


def get_subject(obj: object) -> Any:
    """Return the crew or the flow that `obj` is or makes; a flow's class is returned as it is.

    Raises `ConfigError` where it is neither: it may be a class marked `@CrewBase`, an instance of one, or a
    function without arguments that returns one of all these.
    """
    found = unwrap_subject(obj)
    for _ in range(_MADE_MAX + 1):
        if is_flow(found) or is_crew(found):
            return found
        made = _make(found)
        if made is found:
            break
        found = made
    raise ConfigError(
        f"{_called(obj)} is neither a crew nor a flow of CrewAI: name one, a class marked @CrewBase,"
        " or a function without arguments that returns one."
    )


def unwrap_subject(obj: Any) -> Any:
    """Return the crew or flow inside of what `instrument` or `apply_spec` made; anything else as it is."""
    while isinstance(obj, Applied) or _is_ours(type(obj)):
        obj = obj.subject
    return obj


def find_policies(obj: Any) -> Mapping[str, TaskPolicy]:
    """Return what `instrument` or `apply_spec` was told to do for nodes; empty for anything else."""
    return obj.policies if isinstance(obj, Applied) or _is_ours(type(obj)) else {}


def _is_ours(kind: type) -> bool:
    """Say whether the class is one of `instrument`'s; by name, as its module loads CrewAI."""
    return any(each.__module__ == "omium.adapters.crew.instrument" for each in kind.__mro__)


def is_crew(obj: object) -> bool:
    """Say whether `obj` is a crew: by the name of its class's module, so that nothing is loaded for it."""
    classes = type(obj).__mro__
    return any(each.__name__ == "Crew" and each.__module__.partition(".")[0] == "crewai" for each in classes)


def _make(obj: Any) -> Any:
    if getattr(obj, "is_crew_class", False):
        made = obj() if isinstance(obj, type) else obj
        return made.crew()
    if isinstance(obj, type) or not callable(obj):
        return obj
    if inspect.iscoroutinefunction(obj):
        raise ConfigError(f"{_called(obj)} is async: name a crew, or a plain function that returns one.")
    try:
        inspect.signature(obj).bind()
    except (TypeError, ValueError):
        return obj
    return obj()


def _called(obj: object) -> str:
    return str(getattr(obj, "__qualname__", None) or f"This {type(obj).__name__}")
