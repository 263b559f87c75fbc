"""OTLP as JSON: bytes to raw spans, and the answer's bytes.

Names are in lowerCamelCase, ids hexadecimal, 64-bit numbers are text or numbers; fields that are not known
are left out, as OTLP demands. Structure is bounded as everywhere (omium/jsonvalue).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from omium.errors import InvalidJson
from omium.jsonvalue import JsonValue, json_bytes, parse_json
from omium.server.traces.wire import (
    ATTRIBUTES_MAX,
    CUT,
    STATUS_ERROR,
    VALUES_DEPTH_MAX,
    Attributes,
    NotOtlp,
    Origin,
    RawSpan,
)

MEDIA_TYPE: Final = "application/json"
_ERRORS: Final = frozenset({STATUS_ERROR, "STATUS_CODE_ERROR"})


def read_spans(body: bytes) -> Iterator[RawSpan]:
    """Yield the spans of a request; raises `NotOtlp`, before the first for what is no JSON."""
    try:
        request = parse_json(body)
    except InvalidJson as error:
        raise NotOtlp(
            f"The body is no JSON that is read here: {error} (at {error.members.get('pointer')!r})."
        ) from None
    for of_resource in _objects(_object(request, "the body"), "resourceSpans"):
        resource = _read_attributes(_part(of_resource, "resource"))
        for of_scope in _objects(of_resource, "scopeSpans"):
            origin = Origin(resource, _text(_part(of_scope, "scope"), "name"))
            for span in _objects(of_scope, "spans"):
                yield _read_span(span, origin)


def write_reply(rejected: int, message: str) -> bytes:
    """Return the answer; without `message` nothing is said about partial success."""
    if not message:
        return b"{}"
    return json_bytes({"partialSuccess": {"rejectedSpans": str(rejected), "errorMessage": message}})


def _read_span(span: dict[str, JsonValue], origin: Origin) -> RawSpan:
    status = _part(span, "status")
    return RawSpan(
        trace_id=_text(span, "traceId").lower(),
        span_id=_text(span, "spanId").lower(),
        parent_id=_text(span, "parentSpanId").lower(),
        name=_text(span, "name"),
        start_ns=_number(span.get("startTimeUnixNano")),
        end_ns=_number(span.get("endTimeUnixNano")),
        failed=_is_error(status.get("code")),
        status_message=_text(status, "message"),
        attributes=_read_attributes(span),
        exceptions=[
            _read_attributes(event) for event in _objects(span, "events") if event.get("name") == "exception"
        ],
        origin=origin,
        attributes_cut=max(len(_objects(span, "attributes")) - ATTRIBUTES_MAX, 0),
    )


def _is_error(code: JsonValue) -> bool:
    return isinstance(code, (int, str)) and code in _ERRORS


def _read_attributes(owner: dict[str, JsonValue]) -> Attributes:
    found: Attributes = {}
    for pair in _objects(owner, "attributes")[:ATTRIBUTES_MAX]:
        found[_text(pair, "key")] = _read_value(pair.get("value"), 0)
    return found


def _read_value(value: JsonValue, depth: int) -> JsonValue:
    if not isinstance(value, dict):
        return None
    if depth >= VALUES_DEPTH_MAX:
        return CUT
    for kind, given in value.items():
        match kind:
            case "stringValue" | "bytesValue":
                return given if isinstance(given, str) else None
            case "intValue":
                return _number(given)
            case "doubleValue":
                return given if isinstance(given, (int, float, str)) else None
            case "boolValue":
                return given if isinstance(given, bool) else None
            case "arrayValue":
                values = _object(given, "an arrayValue").get("values", [])
                return [_read_value(each, depth + 1) for each in values] if isinstance(values, list) else None
            case "kvlistValue":
                pairs = _objects(_object(given, "a kvlistValue"), "values")
                return {_text(pair, "key"): _read_value(pair.get("value"), depth + 1) for pair in pairs}
            case _:  # a kind that is newer than this
                continue
    return None


def _object(value: JsonValue, what: str) -> dict[str, JsonValue]:
    if not isinstance(value, dict):
        raise NotOtlp(f"{what} is no object.")
    return value


def _part(owner: dict[str, JsonValue], name: str) -> dict[str, JsonValue]:
    value = owner.get(name)
    return {} if value is None else _object(value, name)


def _objects(owner: dict[str, JsonValue], name: str) -> list[dict[str, JsonValue]]:
    values = owner.get(name)
    if values is None:
        return []
    if not isinstance(values, list):
        raise NotOtlp(f"{name} is no list.")
    return [_object(each, f"an item of {name}") for each in values]


def _text(owner: dict[str, JsonValue], name: str) -> str:
    value = owner.get(name, "")
    if value is None:
        return ""
    if not isinstance(value, str):
        raise NotOtlp(f"{name} is no text.")
    return value


def _number(value: JsonValue) -> int:
    if isinstance(value, bool) or value is None:
        return 0
    if isinstance(value, int):
        return value
    if isinstance(value, str) and value.removeprefix("-").isdecimal() and len(value) <= 20:
        number = int(value)
        return number if -(2**63) <= number < 2**64 else 0
    return 0
