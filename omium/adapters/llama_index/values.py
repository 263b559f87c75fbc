"""Values: what a step gave, as it is recorded, and back.

Owns the form of events, which is LlamaIndex's own (JSON with the name of the class), and the check that what
comes back is what went in. Names never import: they are looked up among the workflow's events and in modules
that are loaded already. What is done with what was recorded is steps.py's.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import BaseModel, Discriminator, TypeAdapter
from workflows import Workflow
from workflows.context.serializers import JsonSerializer, _framework_types
from workflows.context.state_store import infer_state_type
from workflows.events import Event
from workflows.runtime.types.results import AddWaiter, SentEvent, StepFunctionResult, StepWorkerFailed
from workflows.runtime.types.ticks import TickAddEvent

from omium.errors import Undecodable, Unserialisable
from omium.jsonvalue import JsonValue

_RESULTS: Final[TypeAdapter[list[Any]]] = TypeAdapter(
    list[Annotated[StepFunctionResult, Discriminator("type")]]
)
_TICK: Final[TypeAdapter[TickAddEvent]] = TypeAdapter(TickAddEvent)
_TOLD_OF_TICKS: Final = {"event", "step_id", "recovery_counts", "emission"}
_SENDS: Final[TypeAdapter[list[SentEvent]]] = TypeAdapter(list[SentEvent])


class EventCodec(JsonSerializer):  # type: ignore[misc]  # the framework is not installed where types are checked
    """LlamaIndex's own JSON, for the classes of one workflow and those that are loaded."""

    def __init__(self, workflow: Workflow) -> None:
        super().__init__(allowed_types=())
        known = [*workflow.events, infer_state_type(workflow)]
        self._known = {each.__name__: each for each in known}

    def resolve_class(self, qualified_name: str) -> type[Any]:
        """Return the class of that name; `Undecodable` for one that is not loaded here."""
        name = qualified_name.rpartition(".")[2]
        own = self._known.get(name)  # a script's own are in `__main__` once, and in its module when resumed
        found = own or _framework_types.get(qualified_name) or _find_loaded(qualified_name)
        if found is None:
            raise Undecodable(
                f"What is recorded is a {qualified_name}, which is not loaded here. Import its module where"
                " the workflow is defined, or name it in the annotation of a step."
            )
        return found

    def dump_event(self, event: Event) -> JsonValue:
        """Return an event as JSON with the name of its class."""
        told: JsonValue = self.serialize_value(event)
        return told

    def load_event(self, told: JsonValue) -> Event:
        """Return the event that `dump_event` told."""
        found = self.deserialize_value(told)
        if not isinstance(found, Event):
            raise Undecodable("What is recorded as an event of the workflow is none.")
        return found

    def dump_outputs(self, step: str, outputs: list[Any]) -> dict[str, Any]:
        """Return what a step gave and sent; `Unserialisable` for what would not come back as it is."""
        results = [each for each in outputs if not isinstance(each, SentEvent)]
        sends = [each for each in outputs if isinstance(each, SentEvent)]
        try:
            told = {
                "results": _RESULTS.dump_python(results, warnings=False),
                "sends": _SENDS.dump_python(sends),
            }
            for each, waits in zip(told["results"], results, strict=True):
                if isinstance(waits, AddWaiter):  # which LlamaIndex itself leaves out
                    each["requirements"] = self.serialize_value(waits.requirements)
            again = self.load_outputs(told)
        except Exception as error:  # a boundary: events hold whatever a user puts into them
            raise Unserialisable(
                f"Step {step} gave an event that cannot be recorded: {error}. Give its fields values that "
                "pydantic writes as JSON and reads back."
            ) from error
        if not all(_is_same(*pair) for pair in zip([*results, *sends], again, strict=True)):
            raise Unserialisable(
                f"Step {step} gave an event that would come back as something else from its record (a tuple"
                " as a list, an object as a dict). Declare that field in the event's class, with its type."
            )
        return told

    def load_outputs(self, told: Mapping[str, Any]) -> list[Any]:
        """Return what was recorded of a step."""
        with self.validation_context():
            results = _RESULTS.validate_python(told["results"])
            return [*map(self._load_result, results), *_SENDS.validate_python(told["sends"])]

    def dump_tick(self, tick: TickAddEvent) -> JsonValue:
        """Return an event on its way as JSON."""
        told: JsonValue = _TICK.dump_python(tick, include=_TOLD_OF_TICKS)
        return told

    def load_tick(self, told: JsonValue) -> TickAddEvent:
        """Return the event on its way that `dump_tick` told."""
        with self.validation_context():
            return _TICK.validate_python(told)

    def _load_result(self, result: Any) -> Any:
        if isinstance(result, AddWaiter):
            return result.model_copy(update={"requirements": self.deserialize_value(result.requirements)})
        return result


def show_event(event: Event) -> dict[str, object]:
    """Return an event as people read it: its class, and what it holds."""
    fields = {name: getattr(event, name) for name in type(event).model_fields}
    return {"event": type(event).__name__, **fields, **event.to_dict()}


def _is_same(given: Any, again: Any) -> bool:
    if isinstance(given, StepWorkerFailed):  # of an error its class and its words are kept
        return True
    if isinstance(given, AddWaiter):  # its class has a parameter, which is not told
        return dict(given) == dict(again)
    return bool(given == again)


def _find_loaded(name: str) -> type[Any] | None:
    """Return a model's class by its name, from modules that are loaded; nothing is imported."""
    parts = name.split(".")
    for at in range(len(parts) - 1, 0, -1):
        found: Any = sys.modules.get(".".join(parts[:at]))
        if found is None:
            continue
        for part in parts[at:]:
            found = vars(found).get(part) if hasattr(found, "__dict__") else None
        is_model = isinstance(found, type) and (
            issubclass(found, BaseModel | BaseException) or _is_component(found)
        )
        return found if is_model else None
    return None


def _is_component(found: type[Any]) -> bool:
    return callable(getattr(found, "class_name", None)) and callable(getattr(found, "from_dict", None))
