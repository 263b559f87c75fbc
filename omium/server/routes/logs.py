"""Captured logs of steps."""

from __future__ import annotations

from omium.errors import InvalidRequest, NotFound
from omium.models.log import StepLogLine
from omium.models.wire import Page, Path
from omium.server.engine import logs
from omium.server.web.endpoint import Call, endpoint
from omium.server.web.pagination import PageQuery, decode_cursor, encode_cursor
from omium.states import Scope


class LogsQuery(PageQuery):
    """Of one step, or of all; a page holds whole chunks of lines, whatever `limit` says."""

    path: Path | None = None


@endpoint(
    "GET",
    "/v1/executions/{execution_id}/logs",
    scope=Scope.READ,
    query=LogsQuery,
    reply=Page[StepLogLine],
    problems=(InvalidRequest, NotFound),
    summary="List what steps wrote to stdout, stderr and logging",
    tags=("executions",),
)
async def list_logs(call: Call[None, LogsQuery]) -> Page[StepLogLine]:
    query, after = call.query, logs.BEGINNING
    if query.after is not None:
        path, attempt, chunk = decode_cursor(query.after, str, int, int)
        after = (str(path), int(attempt), int(chunk))
    lines, following = await call.read(
        lambda tx: logs.list_lines(tx, call.principal.tenant_id, call.path["execution_id"], query.path, after)
    )
    return Page[StepLogLine](items=lines, next=encode_cursor(*following) if following else None)


ENDPOINTS = [list_logs]
