"""Elsewhere: one call of a model of which two traces tell.

Some instrumentation does not tell what runs inside it that it is there (LangChain's callbacks), so that the
client's own instrumentation begins a trace for each call. Such a call, which is all of its trace, is the
same as one in another trace whose answer has the same id, at the same time, told by other instrumentation:
it's shown and counted there only. Small servers give the same ids again and again, hence the time.
"""

from __future__ import annotations

from typing import Final

from omium.clock import US_PER_S
from omium.server.db.tx import Tx
from omium.server.store import traces as store
from omium.server.store.traces import CallRow, TraceRow
from omium.server.traces.picture import Picture

SLACK_US: Final = US_PER_S


def repeats_another(tx: Tx, trace: TraceRow, picture: Picture) -> bool:
    """Say whether the locked `trace` tells only what another tells; note its calls for those that come later.

    If it is the other one, those that repeat it are judged again.
    """
    calls = [
        CallRow(
            execution_id=trace.execution_id,
            span_id=call.span.span_id,
            tenant_id=trace.tenant_id,
            environment=trace.environment,
            response_id=call.span.response_id,
            scope=call.span.scope,
            started_us=call.span.start_us,
            ended_us=call.span.end_us,
            lone=int(picture.is_lone_call),
        )
        for call in picture.usage
        if call.span.response_id
    ]
    store.replace_calls(tx, trace.execution_id, calls)
    if picture.is_lone_call:
        return any(
            _is_inside(call, outer)
            for call in calls
            for outer in store.list_same_calls(tx, call, lone=False, slack_us=SLACK_US)
        )
    for call in calls:
        for inner in store.list_same_calls(tx, call, lone=True, slack_us=SLACK_US):
            if _is_inside(inner, call):
                store.make_due(tx, inner.execution_id)
    return False


def _is_inside(inner: CallRow, outer: CallRow) -> bool:
    begins = outer.started_us - SLACK_US <= inner.started_us
    return begins and inner.ended_us <= outer.ended_us + SLACK_US
