"""Traces: spans of OpenTelemetry's exporters, over HTTP."""

from __future__ import annotations

from omium.errors import InvalidRequest, UnsupportedMediaType
from omium.models.traces import ExportedTraces
from omium.server.traces.body import INFLATED_BYTES_MAX
from omium.server.traces.ingest import ingest
from omium.server.web.endpoint import Answer, Call, Idempotency, endpoint
from omium.states import Scope

TAGS = ("traces",)


@endpoint(
    "POST",
    "/v1/traces",
    scope=Scope.INGEST,
    idempotent=Idempotency.NATURAL,  # a span has its own id; the same one again changes nothing
    raw_body=True,
    body_bytes_max=INFLATED_BYTES_MAX,
    reply=ExportedTraces,
    problems=(InvalidRequest, UnsupportedMediaType),
    summary="Take spans as OTLP (protobuf or JSON, gzip or not); they are stored before the answer",
    tags=TAGS,
)
async def export_traces(call: Call[None]) -> Answer:
    server, headers = call.server, call.headers
    body, media_type = await ingest(
        server.db,
        server.known_secrets,
        call.principal,
        call.raw_body,
        media_type=headers.get("content-type", ""),
        encoding=headers.get("content-encoding", ""),
        now_us=server.clock.now_us(),
    )
    return Answer(body, media_type=media_type)


ENDPOINTS = [export_traces]
