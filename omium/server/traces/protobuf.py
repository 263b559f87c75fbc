"""OTLP as protobuf: bytes to raw spans, and the answer's bytes.

The messages are those of OpenTelemetry's own package (docs/decisions/235-spans-are-the-truth.md says why
that one).
"""

from __future__ import annotations

import base64
import itertools
import math
from collections.abc import Iterable, Iterator
from typing import Any, Final

from omium.jsonvalue import JsonValue
from omium.later import later
from omium.safetext import safe_text
from omium.server.traces.structure import check_structure
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

MEDIA_TYPE: Final = "application/x-protobuf"
SAID_MAX: Final = 500
"""Characters of what a collector says that go into the log."""
_service = later("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
_message = later("google.protobuf.message")


def read_spans(body: bytes) -> Iterator[RawSpan]:
    """Yield the spans of an ExportTraceServiceRequest; raises `NotOtlp` before the first."""
    check_structure(body)
    request = _service().ExportTraceServiceRequest()
    try:
        request.ParseFromString(body)
    except _message().DecodeError as error:
        raise NotOtlp(f"The body is no ExportTraceServiceRequest: {error}.") from None
    for of_resource in request.resource_spans:
        resource = _read_attributes(of_resource.resource.attributes)
        for of_scope in of_resource.scope_spans:
            origin = Origin(resource, of_scope.scope.name)
            for span in of_scope.spans:
                yield _read_span(span, origin)


def write_reply(rejected: int, message: str) -> bytes:
    """Return the ExportTraceServiceResponse; without `message` nothing is said about partial success."""
    reply = _service().ExportTraceServiceResponse()
    if message:
        reply.partial_success.rejected_spans = rejected
        reply.partial_success.error_message = message
    return bytes(reply.SerializeToString())


def read_reply(body: bytes) -> tuple[int, str]:
    """Return how many spans a collector refused, and what it says; nothing where that is not OTLP."""
    reply = _service().ExportTraceServiceResponse()
    try:
        reply.ParseFromString(body)
    except _message().DecodeError:
        return 0, ""
    said = safe_text(reply.partial_success.error_message)[:SAID_MAX]
    return max(int(reply.partial_success.rejected_spans), 0), said


def _read_span(span: Any, origin: Origin) -> RawSpan:
    return RawSpan(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        name=span.name,
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        failed=span.status.code == STATUS_ERROR,
        status_message=span.status.message,
        attributes=_read_attributes(span.attributes),
        exceptions=[_read_attributes(event.attributes) for event in span.events if event.name == "exception"],
        origin=origin,
        attributes_cut=max(len(span.attributes) - ATTRIBUTES_MAX, 0),
    )


def _read_attributes(pairs: Iterable[Any]) -> Attributes:
    found: Attributes = {}
    for pair in itertools.islice(pairs, ATTRIBUTES_MAX):
        found[pair.key] = _read_value(pair.value, 0)
    return found


def _read_value(value: Any, depth: int) -> JsonValue:
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return str(value.string_value)
    if kind == "int_value":
        return int(value.int_value)
    if kind == "double_value":
        number = float(value.double_value)
        return number if math.isfinite(number) else str(number)
    if kind == "bool_value":
        return bool(value.bool_value)
    if kind is None:
        return None
    if depth >= VALUES_DEPTH_MAX:
        return CUT
    if kind == "array_value":
        return [_read_value(each, depth + 1) for each in value.array_value.values]
    if kind == "kvlist_value":
        return {pair.key: _read_value(pair.value, depth + 1) for pair in value.kvlist_value.values}
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    return None
