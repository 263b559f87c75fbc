"""The registry: which workflows and compensations this process knows by name.

Owns the tables that the decorators fill when a module is imported, and nothing else finds code by name: a
name that comes from the server is only ever looked up here, never imported. Handlers of nodes are looked up
among those of the module that a worker serves (handlers.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from omium.jsonvalue import JsonValue
from omium.sdk.options import WorkflowOptions


@dataclass(frozen=True, slots=True)
class PinnedVersion:
    """A version of a stored native workflow, with its document."""

    workflow: str
    number: int
    digest: str
    document: JsonValue


class Versions(Protocol):
    """What makes a framework's object run as a version of its stored spec says."""

    @property
    def entrypoints(self) -> frozenset[str]:
        """How the command line named the object, such as `crew.py:crew`."""
        ...

    def find(self, digest: str) -> Workflow | None:
        """Return what was made for a version before."""
        ...

    def make(self, version: PinnedVersion) -> Workflow:
        """Return the object as `version` says; `ConfigError` for an edit that it cannot follow."""
        ...


@dataclass(frozen=True, slots=True)
class Workflow:
    """A function under `@omium.workflow`: the user's own, and `call`, what the decorator returned."""

    options: WorkflowOptions
    function: Callable[..., Any]
    call: Callable[..., Any]
    versions: Versions | None = None
    """Of a framework's object; None for a function, which no stored spec changes."""

    @property
    def name(self) -> str:
        """The name under which it is started."""
        return self.options.name


@dataclass(slots=True)
class Registry:
    """What can be run by name."""

    workflows: dict[str, Workflow] = field(default_factory=dict)
    compensations: dict[str, Callable[..., Any]] = field(default_factory=dict)

    def add_compensation(self, function: Callable[..., Any] | str) -> str:
        """Note the function that undoes an effect, and return the name that is recorded for it."""
        if isinstance(function, str):
            return function
        name = getattr(function, "__qualname__", None) or type(function).__name__
        self.compensations[name] = function
        return str(name)


REGISTRY = Registry()
"""Of this process: decorators run at import time, when there is nothing to hand them another one."""

ATTRIBUTE = "__omium_workflow__"


def find_workflow(target: object) -> Workflow | None:
    """Return the workflow that a decorated function belongs to, None for anything else."""
    found = getattr(target, ATTRIBUTE, None)
    return found if isinstance(found, Workflow) else None
