"""Live streams: the events of one execution as they happen, and hints about all of a tenant's executions.

The first is complete and resumable: each event's id is its sequence number, a client that lost the connection
says the last one it saw. The second only says where to look; a hint that another server of the same database
would have to give does not come, so whoever uses it also polls.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Annotated

from pydantic import Field

from omium.errors import NotFound
from omium.models.execution import Event
from omium.models.wire import Command
from omium.server.db.tx import Tx
from omium.server.live import Hint, Watcher
from omium.server.store import events as store
from omium.server.store import executions
from omium.server.web.endpoint import Call, Stream, endpoint
from omium.server.web.sse import encode_event, read_last_event_id, stream_events
from omium.states import Scope

PORTION = 200


class StreamQuery(Command):
    """Where to go on; the header Last-Event-ID wins."""

    after: Annotated[int, Field(ge=0, lt=2**62)] | None = None


@endpoint(
    "GET",
    "/v1/executions/{execution_id}/events/stream",
    scope=Scope.READ,
    query=StreamQuery,
    reply=Event,
    problems=(NotFound,),
    stream=True,
    summary="Follow an execution's events as they happen",
    tags=("executions",),
)
async def stream_execution_events(call: Call[None, StreamQuery]) -> Stream:
    execution_id, tenant_id = call.path["execution_id"], call.principal.tenant_id
    await call.read(lambda tx: executions.get_execution(tx, tenant_id, execution_id))
    after_seq = read_last_event_id(call, call.query.after)

    async def look(_watcher: Watcher) -> AsyncIterator[bytes]:
        nonlocal after_seq
        full = True
        while full:
            rows = await call.read(_portion(tenant_id, execution_id, after_seq))
            for row in rows:
                yield encode_event(_event_json(row), event=row.type, event_id=str(row.seq))
                after_seq = row.seq
            full = len(rows) == PORTION

    return Stream(stream_events(call, ("execution", tenant_id, execution_id), look))


@endpoint(
    "GET",
    "/v1/events/stream",
    scope=Scope.READ,
    stream=True,
    summary="Hear which executions have news",
    tags=("executions",),
)
async def stream_hints(call: Call[None]) -> Stream:
    async def look(watcher: Watcher) -> AsyncIterator[bytes]:
        for hint in watcher.take():
            yield encode_event(_hint_json(hint), event="hint")

    return Stream(stream_events(call, ("tenant", call.principal.tenant_id), look))


def _portion(tenant_id: str, execution_id: str, after_seq: int) -> Callable[[Tx], list[store.EventRow]]:
    return lambda tx: store.list_events(tx, tenant_id, execution_id, after_seq, PORTION)


def _event_json(row: store.EventRow) -> bytes:
    """Return the event as its model would be encoded; `data` is JSON already and is not taken apart."""
    return b'{"seq":%d,"type":"%s","at_us":%d,"data":%s}' % (row.seq, row.type.encode(), row.at_us, row.data)


def _hint_json(hint: Hint) -> bytes:
    return b'{"execution_id":"%s","seq":%d}' % (hint.execution_id.encode(), hint.seq)


ENDPOINTS = [stream_execution_events, stream_hints]
