"""Spans for tests: said in a few words, sent as an exporter sends them."""

import gzip
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from omium.server.traces.ingest import derived_id
from tests.serverfixture import AppClient

TRACE = "0af7651916cd43dd8448eb211c80319c"
PROTOBUF = "application/x-protobuf"


@dataclass
class S:
    """One span; times are milliseconds before and after `at_us`."""

    id: int
    parent: int = 0
    name: str = "span"
    start_ms: int = 0
    end_ms: int = 100
    scope: str = "tests"
    attributes: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    exception: dict[str, str] | None = None
    trace: str = TRACE


def value(given: Any) -> AnyValue:
    if isinstance(given, bool):
        return AnyValue(bool_value=given)
    if isinstance(given, int):
        return AnyValue(int_value=given)
    if isinstance(given, float):
        return AnyValue(double_value=given)
    if isinstance(given, list):
        return AnyValue(array_value=ArrayValue(values=[value(each) for each in given]))
    return AnyValue(string_value=str(given))


def pairs(given: dict[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=name, value=value(each)) for name, each in given.items()]


def to_span(span: S, at_us: int) -> Span:
    events = []
    if span.exception is not None:
        attributes = pairs({f"exception.{name}": text for name, text in span.exception.items()})
        events.append(Span.Event(name="exception", attributes=attributes))
    failed = bool(span.error or span.exception)
    return Span(
        trace_id=bytes.fromhex(span.trace),
        span_id=span.id.to_bytes(8, "big"),
        parent_span_id=span.parent.to_bytes(8, "big") if span.parent else b"",
        name=span.name,
        start_time_unix_nano=(at_us + span.start_ms * 1000) * 1000,
        end_time_unix_nano=(at_us + span.end_ms * 1000) * 1000,
        attributes=pairs(span.attributes),
        events=events,
        status=Status(code=2 if failed else 1, message=span.error),
    )


def request(
    spans: Iterable[S], at_us: int, resource: dict[str, Any] | None = None
) -> ExportTraceServiceRequest:
    made = ExportTraceServiceRequest()
    for span in spans:
        of_resource = ResourceSpans(scope_spans=[ScopeSpans(spans=[to_span(span, at_us)])])
        of_resource.resource.attributes.extend(
            pairs({"service.name": "shop"} if resource is None else resource)
        )
        of_resource.scope_spans[0].scope.name = span.scope
        made.resource_spans.append(of_resource)
    return made


async def send(
    app: AppClient, spans: Iterable[S], *, at_us: int | None = None, zipped: bool = False, **how: Any
) -> ExportTraceServiceResponse:
    """Send spans as protobuf, and return what the answer says."""
    at_us = app.clock.now_us() - 1_000_000 if at_us is None else at_us
    body = request(spans, at_us, **how).SerializeToString()
    headers = {"content-type": PROTOBUF}
    if zipped:
        body, headers["content-encoding"] = gzip.compress(body), "gzip"
    answer = await app.post("/v1/traces", content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == PROTOBUF
    return ExportTraceServiceResponse.FromString(answer.content)


def llm(id_: int, parent: int, tokens: tuple[int, int] = (10, 5), **more: Any) -> S:
    """Return a call of a model as OpenTelemetry's conventions describe it."""
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.response.model": "gpt-small",
        "gen_ai.usage.input_tokens": tokens[0],
        "gen_ai.usage.output_tokens": tokens[1],
        **more.pop("attributes", {}),
    }
    return S(id_, parent, more.pop("name", "chat gpt-small"), attributes=attributes, **more)


def kind(name: str, **more: Any) -> dict[str, Any]:
    """Return the attributes of a span of OpenInference's."""
    return {"openinference.span.kind": name, **more}


def execution_id(app: AppClient, trace: str = TRACE) -> str:
    tenant_id = app.key.tenant_id
    return derived_id("ex", "trace", tenant_id, app.key.environment.value, trace)
