"""A flow as a document: its methods as nodes, what listens to what as edges.

CrewAI describes a flow itself (`flow_definition()`), and this only retells it. What follows a router is not
in there: a name that somebody listens to and that is no method is an event, and the routers that may give it
are those that say so, and those that do not say what they give.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from omium.adapters.crew.export_llms import export_llm
from omium.adapters.crew.export_refs import find_source, unwrap
from omium.adapters.crew.export_schemas import make_schema
from omium.adapters.crew.naming import find_definition, make_ids
from omium.jsonvalue import JsonValue


def export_flow(flow: Any) -> dict[str, JsonValue]:
    """Return the parts of a native document that come from a flow, its class or an instance."""
    methods = dict(find_definition(flow).methods)
    ids = dict(zip(methods, make_ids(methods, otherwise="method"), strict=True))
    edges = list(_list_edges(flow, methods, ids))
    leaving = {edge["from"] for edge in edges}
    state = _find_state(flow)
    return {
        "inputs": _make_inputs(state),
        "nodes": [
            _export_method(flow, name, method, ids[name], has_followers=ids[name] in leaving)
            for name, method in methods.items()
        ],
        "edges": list[JsonValue](edges),
        "state": _export_state(state),
    }


def _export_method(
    flow: Any, name: str, method: Any, id_: str, *, has_followers: bool
) -> dict[str, JsonValue]:
    node: dict[str, JsonValue] = {
        "id": id_,
        "type": "decision" if method.router and has_followers else "function",
        "ref": _make_ref(flow, name, method),
    }
    if name != id_:
        node["name"] = name
    if method.description:
        node["description"] = str(method.description)
    if method.start is True:
        node["start"] = True
    if method.router:
        node["dynamic"] = True
    for condition in (method.listen, None if isinstance(method.start, bool) else method.start):
        if isinstance(condition, dict):
            node["join"] = "all_fired" if "and" in condition else "any"
            node["x-listen"] = condition
    if method.emit:
        node["x-emit"] = [str(event) for event in method.emit]
    asked = method.human_feedback
    if asked is not None:
        llm = asked.llm
        exported = export_llm(llm.get("model") if isinstance(llm, dict) else llm)
        node["x-human-feedback"] = {
            "message": asked.message,
            **({"emit": [str(event) for event in asked.emit]} if asked.emit else {}),
            **({"default_outcome": asked.default_outcome} if asked.default_outcome else {}),
            **({"llm": exported} if exported else {}),
        }
    if method.persist is not None and method.persist.enabled:
        node["x-persist"] = True
    return node


def _make_ref(flow: Any, name: str, method: Any) -> dict[str, JsonValue]:
    action = method.do
    ref = getattr(action, "ref", None) or getattr(action, "from_declaration", None) or action.call
    code = getattr(flow, name, None) if action.call == "code" else None
    source = find_source(unwrap(code)) if code is not None else str(getattr(action, "expr", "") or "")
    return {"ref": str(ref)[:500], **({"source": source} if source else {})}


def _list_edges(flow: Any, methods: dict[str, Any], ids: dict[str, str]) -> Iterator[dict[str, JsonValue]]:
    for name, method in methods.items():
        heard = dict.fromkeys(_list_names(method.listen))
        if not isinstance(method.start, bool):
            heard.update(dict.fromkeys(_list_names(method.start)))
        events = [event for event in heard if event not in methods]
        for source in (each for each in heard if each in methods):
            yield {"from": ids[source], "to": ids[name]}
        for router in (each for each in methods if events and methods[each].router):
            given = _list_events(methods[router])
            matching = [event for event in events if not given or event in given]
            if matching:
                yield {
                    "from": ids[router],
                    "to": ids[name],
                    "when": _make_ref(flow, router, methods[router]),
                    "x-kind": "router",
                    "x-events": list[JsonValue](matching),
                }


def _list_names(condition: Any) -> Iterator[str]:
    """Yield the methods and events that a condition names, in its order."""
    if isinstance(condition, str):
        yield condition
    elif isinstance(condition, dict):
        for part in (*condition.get("and", ()), *condition.get("or", ())):
            yield from _list_names(part)


def _list_events(method: Any) -> list[str]:
    """Return the events that a router says it gives; none where it does not say."""
    asked = method.human_feedback
    return [str(event) for event in (method.emit or (asked.emit if asked is not None else None) or ())]


def _find_state(flow: Any) -> Any:
    """Return the class of the state, or a dict that it begins with; None where the flow says nothing."""
    field = getattr(flow, "model_fields", {}).get("initial_state")  # of a class, pydantic keeps it there
    default = field.get_default() if field is not None else None
    for given in (getattr(flow, "initial_state", None), default, getattr(flow, "_initial_state_t", None)):
        if isinstance(given, type | dict):
            return given
        if given is not None and callable(getattr(type(given), "model_json_schema", None)):
            return type(given)
    return None


def _make_inputs(state: Any) -> dict[str, JsonValue]:
    """Return the schema of a kickoff's inputs: fields of the state, none of them required.

    A name that the state does not have is refused where CrewAI would drop its value without a word.
    """
    schema = make_schema(state)
    schema.pop("required", None)
    fields, known = schema.get("properties"), getattr(state, "model_fields", {})
    drops = getattr(state, "model_config", {}).get("extra") in (None, "ignore")
    if isinstance(fields, dict) and drops and fields.keys() <= known.keys():  # or else by other names, too
        # CrewAI's own: the `id` of a persisted state, and what a trigger hands to the first methods.
        schema["properties"] = {"id": {"type": "string"}, "crewai_trigger_payload": {}, **fields}
        schema["additionalProperties"] = False
    return schema or {"type": "object"}


def _export_state(state: Any) -> dict[str, JsonValue]:
    if isinstance(state, dict):
        return {"type": "dict", "keys": list[JsonValue](sorted(str(key) for key in state))}
    if isinstance(state, type) and state is not dict:
        schema = make_schema(state)
        return {
            "type": "pydantic",
            "ref": f"{state.__module__}:{state.__qualname__}",
            **({"schema": schema} if schema else {}),
        }
    return {"type": "dict"}
