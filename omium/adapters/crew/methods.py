"""Methods of a flow as steps: what a method returned, and what it changed in the flow's state, is durable.

Owns the record of a method and what is put back into the flow where the record stands for the work. The state
is kept as changes, not as a whole: methods may run side by side, and each puts back what it changed, the
latest last. CrewAI itself decides again what listens to what; it does so from the same results.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from crewai.flow.human_feedback import HumanFeedbackResult
from pydantic import BaseModel

from omium.adapters.crew.naming import make_id
from omium.adapters.crew.plain import make_plain
from omium.adapters.crew.runs import Part, Run, arecord, find_place
from omium.errors import Unserialisable
from omium.jsonvalue import JsonValue, TypeRegistry, encode, json_bytes, plain

Execute = Callable[..., Coroutine[Any, Any, tuple[Any, str | None]]]
_MISSING = object()


@dataclass(slots=True)
class _Done:
    """What a method did: CrewAI's own answer, and what is recorded of it."""

    answer: tuple[Any, str | None]
    form: dict[str, Any]


async def run_method(
    original: Execute, flow: Any, method_name: str, method: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Any, str | None]:
    """Run a flow's method as a step of the current run; outside of one, just the method."""
    place = find_place()
    if place is None or _is_crewais_own(type(flow)):
        return await original(flow, method_name, method, *args, **kwargs)
    run, frame = place
    types = frame.driving.link.types
    before = read_state(flow, types)
    feedback_before = getattr(flow, "last_human_feedback", None)

    async def node() -> _Done:
        answer = await original(flow, method_name, method, *args, **kwargs)
        order, changes = run.take_order(), _find_changes(flow, before, types)
        form: dict[str, Any] = {"result": answer[0], "order": order, "changes": changes}
        run.note_written(flow, changes, order)
        feedback = getattr(flow, "last_human_feedback", None)
        if feedback is not None and feedback is not feedback_before:
            form["feedback"] = _dump_feedback(feedback)
        return _Done(answer, form)

    def load(recorded: Any) -> _Done:
        form = (
            dict(recorded) if isinstance(recorded, Mapping) and "result" in recorded else {"result": recorded}
        )
        _put_back(run, flow, method_name, form)
        return _Done((form["result"], None), form)

    name = _name(run, flow, str(method_name))
    # By its name and number: what it is given follows from the methods before it, and may hold random ids.
    options = run.policy_of(name).options(name, match="name")
    given = {"arguments": make_plain([*args, *kwargs.values()])}
    part = Part(options, given, _dump, load, judged=_list_returned)
    done: _Done = await arecord(place, part, node)
    return done.answer


def _is_crewais_own(class_: type) -> bool:
    """Say whether the flow is machinery of CrewAI's, such as what executes an agent."""
    if getattr(class_, "is_crewai_internal", False):
        return True
    # Those of older versions do not tell.
    return class_.__module__.startswith("crewai.") and not class_.__module__.startswith("crewai.flow")


def _dump(done: _Done) -> dict[str, Any]:
    return done.form


def _list_returned(recorded: JsonValue) -> list[JsonValue]:
    """Return what the method itself returned."""
    return [plain(recorded["result"])] if isinstance(recorded, dict) else []


def read_state(flow: Any, types: TypeRegistry) -> dict[str, bytes]:
    """Return the state as it can be compared; a value that cannot be recorded counts as changed."""
    found = {}
    for name, value in _items(flow).items():
        try:
            found[name] = json_bytes(encode(value, types=types))
        except Unserialisable:
            continue
    return found


def _find_changes(flow: Any, before: Mapping[str, bytes], types: TypeRegistry) -> dict[str, Any]:
    """Return the values that are new or differ, and under `$gone` the names that are no more."""
    now = read_state(flow, types)
    items = _items(flow)
    changes = {name: value for name, value in items.items() if before.get(name) != now.get(name, _MISSING)}
    gone = [name for name in before if name not in items]
    return {**changes, "$gone": gone} if gone else changes


def _items(flow: Any) -> dict[str, Any]:
    state = flow._state  # noqa: SLF001  # `state` is a proxy that copies
    if isinstance(state, dict):
        return dict(state)
    extra = getattr(state, "__pydantic_extra__", None) or {}
    return {**{name: getattr(state, name) for name in type(state).model_fields}, **extra}


def _put_back(run: Run, flow: Any, method_name: str, form: Mapping[str, Any]) -> None:
    """Leave the flow as the method left it: its state, its output, and that it is complete."""
    order = int(form.get("order") or 0)
    changes = dict(form.get("changes") or {})
    gone = changes.pop("$gone", [])
    run.skip_to(order)
    newest = run.take_newest(flow, [*changes, *gone], order)
    _write_state(flow, {name: value for name, value in changes.items() if name in newest})
    if isinstance(flow._state, dict):  # noqa: SLF001  # as above
        for name in newest.intersection(gone):
            flow._state.pop(name, None)  # noqa: SLF001  # as above
    output: dict[str, Any] = {"method": str(method_name), "output": form["result"]}
    if "feedback" in form:
        feedback = HumanFeedbackResult(**form["feedback"])
        flow.last_human_feedback = feedback
        flow.human_feedback_history.append(feedback)
        if feedback.outcome is not None:
            output = {"method": str(method_name), "output": feedback.output, "human_feedback": feedback}
    flow._method_outputs.append(output)  # noqa: SLF001  # CrewAI has no other way to say that a method ran
    counts = flow._method_execution_counts  # noqa: SLF001  # as above
    counts[method_name] = counts.get(method_name, 0) + 1
    flow._completed_methods.add(method_name)  # noqa: SLF001  # as above


def _write_state(flow: Any, changes: Mapping[str, Any]) -> None:
    state = flow._state  # noqa: SLF001  # `state` is a proxy that copies
    if isinstance(state, dict):
        state.update(changes)
    elif isinstance(state, BaseModel) and changes:
        for name, value in changes.items():
            setattr(state, name, value)


def _dump_feedback(feedback: HumanFeedbackResult) -> dict[str, Any]:
    names = ("output", "feedback", "outcome", "timestamp", "method_name", "metadata")
    return {name: getattr(feedback, name) for name in names}


def _name(run: Run, flow: Any, method_name: str) -> str:
    nodes = run.nodes_of(flow)
    return next((id_ for id_, method in nodes.items() if str(method) == method_name), None) or make_id(
        method_name
    )
