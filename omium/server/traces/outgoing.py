"""Outgoing: an execution that Omium ran as OTLP spans. Pure.

Ids follow from the execution and the step, so that a collector that is told twice knows it is the same.
Inputs and outputs stay here: a collector is somebody else's, and they may hold anything.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from omium.server.store.executions import ExecutionRow
from omium.server.store.steps import StepRow
from omium.server.store.usage import PathUsage
from omium.states import ExecutionStatus

Said = Mapping[str, str | int | None]


def make_request(
    row: ExecutionRow,
    error: bytes | None,
    steps: Iterable[StepRow],
    usage: Iterable[PathUsage],
    *,
    most: int,
) -> bytes:
    """Return the execution, with `error` if it failed, as the body of a request to a collector.

    Of more than `most` steps the first are told, and that there are others.
    """
    steps = list(steps)
    cut, steps = len(steps) > most, steps[:most]
    paths = {step.path for step in steps}
    used: dict[str, list[PathUsage]] = {}
    for part in usage:
        used.setdefault(part.path, []).append(part)
    spans = [_root(row, error, used.get("", []))]
    if cut:
        spans[0].attributes.extend(_attributes({"omium.steps.cut_after": most}))
    spans += [_step(row, step, paths, used.get(step.path, [])) for step in steps]
    of_resource = ResourceSpans(scope_spans=[ScopeSpans(spans=spans)])
    of_resource.scope_spans[0].scope.name = "omium"
    named = {"service.name": row.workflow, "deployment.environment.name": row.environment}
    of_resource.resource.attributes.extend(_attributes(named))
    return bytes(ExportTraceServiceRequest(resource_spans=[of_resource]).SerializeToString())


def trace_id_of(execution_id: str) -> bytes:
    return hashlib.sha256(f"trace:{execution_id}".encode()).digest()[:16]


def span_id_of(execution_id: str, path: str) -> bytes:
    """Return the id of a step's span; the empty path is the execution itself."""
    return hashlib.sha256(f"span:{execution_id}\x00{path}".encode()).digest()[:8]


def _root(row: ExecutionRow, error: bytes | None, used: list[PathUsage]) -> Span:
    failed = row.status == ExecutionStatus.FAILED
    started_us = row.started_us if row.started_us is not None else row.created_us
    return _span(
        row,
        "",
        name=row.workflow,
        started_us=started_us,
        ended_us=max(row.ended_us or started_us, started_us),
        error=error if failed else None,
        failed=failed,
        said={
            "gen_ai.operation.name": "invoke_workflow",
            "gen_ai.workflow.name": row.workflow,
            "omium.execution.id": row.id,
            "omium.status": row.status,
            "omium.reason": row.reason,
            "omium.driver": row.driver,
            "omium.parent.id": row.parent_id,
            "omium.replay_of": row.replay_of,
            **_tokens(used),
        },
    )


def _step(row: ExecutionRow, step: StepRow, paths: set[str], used: list[PathUsage]) -> Span:
    above = step.path.rpartition("/")[0]
    while above and above not in paths:
        above = above.rpartition("/")[0]
    said: dict[str, str | int | None] = {
        "omium.step.path": step.path,
        "omium.step.status": step.status,
        "omium.step.attempt": step.attempt,
        "omium.step.reused_from": step.reused_from,
        "omium.execution.id": row.id,
    }
    if used:
        said |= {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": used[0].provider or None,
            "gen_ai.response.model": used[0].model or None,
            **_tokens(used),
        }
    return _span(
        row,
        step.path,
        above=above,
        name=step.name,
        started_us=step.started_us,
        ended_us=max(step.ended_us, step.started_us),
        error=step.error,
        failed=step.error is not None,
        said=said,
    )


def _tokens(used: list[PathUsage]) -> dict[str, int]:
    if not used:
        return {}
    return {
        "gen_ai.usage.input_tokens": sum(part.input_tokens for part in used),
        "gen_ai.usage.output_tokens": sum(part.output_tokens for part in used),
        "gen_ai.usage.cache_read.input_tokens": sum(part.cached_tokens for part in used),
        "gen_ai.usage.cache_creation.input_tokens": sum(part.cache_write_tokens for part in used),
    }


def _span(
    row: ExecutionRow,
    path: str,
    *,
    name: str,
    started_us: int,
    ended_us: int,
    error: bytes | None,
    failed: bool,
    said: Said,
    above: str | None = None,
) -> Span:
    made = Span(
        trace_id=trace_id_of(row.id),
        span_id=span_id_of(row.id, path),
        parent_span_id=b"" if above is None else span_id_of(row.id, above),
        name=name,
        kind=Span.SPAN_KIND_INTERNAL,
        start_time_unix_nano=started_us * 1000,
        end_time_unix_nano=ended_us * 1000,
        attributes=_attributes(said),
        status=Status(code=Status.STATUS_CODE_ERROR if failed else Status.STATUS_CODE_OK),
    )
    known = json.loads(error) if error is not None else None
    if isinstance(known, dict):
        told = {f"exception.{key}": str(known[key]) for key in ("type", "message") if key in known}
        made.status.message = told.get("exception.message", "")
        made.attributes.extend(_attributes({"error.type": told.get("exception.type", "Error")}))
        made.events.append(
            Span.Event(name="exception", time_unix_nano=ended_us * 1000, attributes=_attributes(told))
        )
    return made


def _attributes(said: Said) -> list[KeyValue]:
    return [
        KeyValue(
            key=name, value=AnyValue(int_value=each) if isinstance(each, int) else AnyValue(string_value=each)
        )
        for name, each in said.items()
        if each is not None
    ]
