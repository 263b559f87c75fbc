"""Handlers: functions that do the nodes of a spec, under the name that the spec calls them by.

Owns `@omium.handler` and finding handlers in a module. A decorated function stays what it was: calling it
just calls it, so that it's tested like any other. A worker runs it for a node (task_running.py).
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, TypeVar, overload

from omium.errors import ConfigError, Undecodable
from omium.jsonvalue import TypeRegistry
from omium.sdk.calls import Call
from omium.sdk.coroutines import is_async
from omium.sdk.identity import clean_name
from omium.sdk.inputs import restore_call
from omium.sdk.options import function_name
from omium.sdk.task_context import TaskContext

F = TypeVar("F", bound=Callable[..., Any])
ATTRIBUTE = "__omium_handler__"


@dataclass(frozen=True, slots=True)
class Handler:
    """A function under `@omium.handler`; `context` names the parameter that takes the `TaskContext`."""

    name: str
    function: Callable[..., Any]
    context: str | None = None

    @property
    def is_async(self) -> bool:
        """Whether it runs in the worker's event loop."""
        return is_async(self.function)

    def restore(self, context: TaskContext, types: TypeRegistry) -> Call:
        """Return the call with the node's inputs; `Undecodable` where the function does not take them."""
        call = restore_call(self.function, context.grant.get("inputs"), types)
        kwargs = dict(call.kwargs)
        if self.context is not None:
            if self.context in kwargs or len(call.args) > self._position(self.context):
                raise Undecodable(
                    f"The node {context.path} has an input {self.context!r}, which is the handler "
                    f"{self.name}'s own parameter for its context. Rename one of them."
                )
            kwargs[self.context] = context
        try:
            inspect.signature(self.function).bind(*call.args, **kwargs)
        except TypeError as error:
            raise Undecodable(
                f"The handler {self.name} does not take the inputs of the node {context.path}: {error}."
            ) from error
        return Call(self.function, call.args, kwargs)

    def _position(self, name: str) -> int:
        return list(inspect.signature(self.function).parameters).index(name)


@overload
def handler(function: F, /) -> F: ...
@overload
def handler(name: str | None = None, /) -> Callable[[F], F]: ...
def handler(target: F | str | None = None, /) -> F | Callable[[F], F]:
    """Let a worker do the nodes of a spec that call this handler, by the function's name or the given one.

    The node's inputs are the arguments, by name; what is returned is the node's output and must have a JSON
    form. A parameter annotated with `omium.TaskContext` takes the context. Retries, timeout and effects are
    the spec's to say: raise `omium.EffectNotApplied` where an effect certainly did not happen.
    """
    if target is not None and not isinstance(target, str):
        return _declare(target, None)
    name = target

    def decorate(function: F) -> F:
        return _declare(function, name)

    return decorate


def _declare(function: F, name: str | None) -> F:
    chosen = clean_name(name or function_name(function))
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise ConfigError(f"Handler {chosen} is a generator; return a list, which can be recorded.")
    setattr(function, ATTRIBUTE, Handler(chosen, function, _find_context(function)))
    return function


def _find_context(function: Callable[..., Any]) -> str | None:
    """Return the parameter that is annotated with `TaskContext`; annotations may be text."""
    annotations: dict[str, Any] = dict(getattr(function, "__annotations__", {}))
    try:
        annotations = typing.get_type_hints(function)
    except Exception:  # a boundary: what annotations name is the user's, and may not be there at run time
        annotations = {name: _resolve_own(each) for name, each in annotations.items()}
    found = [name for name, each in annotations.items() if _means_context(each) and name != "return"]
    if len(found) > 1:
        raise ConfigError(f"Handler {function_name(function)} takes its context twice: {', '.join(found)}.")
    return found[0] if found else None


def _resolve_own(annotation: object) -> object:
    own = ("omium.TaskContext", "TaskContext")
    return TaskContext if annotation in own else annotation


def _means_context(annotation: object) -> bool:
    return annotation is TaskContext or TaskContext in typing.get_args(annotation)


def find_handler(target: object) -> Handler | None:
    """Return the handler that a decorated function is, None for anything else."""
    found = getattr(target, ATTRIBUTE, None)
    return found if isinstance(found, Handler) else None


def find_handlers(found: object) -> dict[str, Handler]:
    """Return the handlers by name that `found` is, or holds if it's a module.

    Raises `ConfigError` where two functions of a module have one name.
    """
    single = find_handler(found)
    if single is not None:
        return {single.name: single}
    handlers: dict[str, Handler] = {}
    for value in vars(found).values() if isinstance(found, ModuleType) else ():
        each = find_handler(value)
        if each is None:
            continue
        if (other := handlers.get(each.name)) is not None and other.function is not each.function:
            raise ConfigError(
                f"Two handlers in {getattr(found, '__name__', found)} are named {each.name!r}: "
                f"{function_name(other.function)} and {function_name(each.function)}. Rename one."
            )
        handlers[each.name] = each
    return handlers
