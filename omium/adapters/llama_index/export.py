"""Export: a workflow of LlamaIndex as a Workflow Spec.

Owns which node a step becomes, and the edges between them: an event that one step gives and another takes.
Which event comes is the step's own decision, so an edge says which one it stands for. Events that a step's
code sends with `ctx.send_event` are read out of that code.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any, TypeAlias

from workflows.events import Event, HumanResponseEvent, InputRequiredEvent, StepFailedEvent, StopEvent

from omium.adapters.documents import make_document, make_ref, make_schema, read_source, without_empty
from omium.adapters.llama_index.naming import find_ids, find_steps, make_workflow, name_workflow
from omium.jsonvalue import JsonValue

Given: TypeAlias = dict[type[Event], bool]
"""The events that a step gives, and whether its code sends them past what it returns."""


def export_workflow(
    workflow: Any, *, name: str | None = None, entrypoint: str | None = None
) -> dict[str, JsonValue]:
    """Return the workflow as a document; `entrypoint` is what a worker serves.

    Takes a class that is made without arguments, and what `instrument` returned, too. The document is the
    same in every process.
    """
    root = make_workflow(workflow)
    steps, ids = find_steps(root), find_ids(root)
    gives = {step: _list_given(function) for step, function in steps.items()}
    nodes = [
        _node(ids[step], step, function, gives[step], root.start_event_class)
        for step, function in steps.items()
    ]
    because = [
        "LlamaIndex hands events from step to step; a step decides while it runs which events it gives."
    ]
    if any(_is_asking(each) for given in gives.values() for each in given):
        because.append("The workflow asks a person, and goes on with what is sent into it.")
    if any(function._step_config.role == "catch_error" for function in steps.values()):  # noqa: SLF001
        because.append("What a step raises is taken by a handler of the workflow's own.")
    return make_document(
        name or name_workflow(root),
        "llama_index",
        inputs=make_schema(root.start_event_class.model_json_schema()),
        nodes=nodes,
        edges=_edges(steps, ids, gives),
        because=because,
        entrypoint=entrypoint,
    )


def _node(id_: str, step: str, function: Any, given: Given, start: type[Event]) -> dict[str, Any]:
    config = function._step_config  # noqa: SLF001  # what `@step` leaves on a function
    leads_on = [each for each in given if not issubclass(each, StopEvent)]
    return without_empty(
        {
            "id": id_,
            "type": "function",
            "name": step if step != id_ else "",
            "ref": make_ref(function),
            "start": True if start in config.accepted_events else None,
            "dynamic": True if len(given) > 1 or any(given[each] for each in leads_on) else None,
            "x-takes": sorted(each.__name__ for each in _list_taken(config)),
            "x-gives": sorted(each.__name__ for each in given),
            "x-workers": config.num_workers,
            "x-retries": None if config.retry_policy is None else True,
            "x-role": None if config.role == "step" else config.role,
        }
    )


def _list_taken(config: Any) -> list[type[Event]]:
    return [each for each in config.accepted_events if isinstance(each, type)]


def _list_given(function: Any) -> Given:
    """Return the events that a step gives, and whether its code sends them past what it returns."""
    config = function._step_config  # noqa: SLF001  # what `@step` leaves on a function
    given = {
        each: False for each in config.return_types if isinstance(each, type) and issubclass(each, Event)
    }
    own = getattr(function, "__globals__", {})
    for name in _list_sent(read_source(function)):
        found = own.get(name)
        if isinstance(found, type) and issubclass(found, Event):
            given[found] = True
    return given


def _list_sent(source: str) -> Iterator[str]:
    """Yield the names of the classes that `ctx.send_event(Name(...))` in the code of a step makes."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if node.func.attr == "send_event":
            yield from (
                argument.func.id
                for argument in [*node.args, *(each.value for each in node.keywords)]
                if isinstance(argument, ast.Call) and isinstance(argument.func, ast.Name)
            )


def _is_asking(event: type[Event]) -> bool:
    return issubclass(event, InputRequiredEvent)


def _edges(steps: dict[str, Any], ids: dict[str, str], gives: dict[str, Given]) -> Iterator[dict[str, Any]]:
    """Yield one edge for two steps, with all events that lead from the one to the other."""
    for source in steps:
        for target, function in steps.items():
            config = function._step_config  # noqa: SLF001  # what `@step` leaves on a function
            events = sorted(
                each.__name__
                for each in gives[source]
                if any(_leads(each, taken, config.accept_event_subclasses) for taken in _list_taken(config))
            )
            if events:
                yield {"from": ids[source], "to": ids[target], "x-events": events}
            elif _is_handler_of(config, source, steps):
                yield {"from": ids[source], "to": ids[target], "x-kind": "error"}


def _leads(given: type[Event], taken: type[Event], subclasses: bool) -> bool:
    """Say whether a step that takes `taken` is run by `given`, or by a person's answer to it."""
    if _is_asking(given) and issubclass(taken, HumanResponseEvent):
        return True
    return issubclass(given, taken) if subclasses else given is taken


def _is_handler_of(config: Any, source: str, steps: dict[str, Any]) -> bool:
    if config.role != "catch_error" or StepFailedEvent not in config.accepted_events:
        return False
    if steps[source]._step_config.role == "catch_error":  # noqa: SLF001  # what `@step` leaves on a function
        return False
    return config.catch_error_for_steps is None or source in config.catch_error_for_steps
