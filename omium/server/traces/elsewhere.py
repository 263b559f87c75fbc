"""Elsewhere: one call of a model of which two traces tell.

Some instrumentation does not tell what runs inside it that it is there (LangChain's callbacks), so that the
client's own instrumentation begins a trace for each call. Such a call, which is all of its trace, is the
same as one in another trace whose answer has the same id, at the same time, told by other instrumentation:
it's shown and counted there only. Small servers give the same ids again and again, hence the time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from omium.clock import US_PER_S
from omium.jsonvalue import digest
from omium.server.db.tx import Tx
from omium.server.store import traces as store
from omium.server.store.traces import CallRow, TraceRow
from omium.server.traces.picture import Picture

SLACK_US: Final = US_PER_S
LONGEST_US: Final = 3_600 * US_PER_S
"""How much longer than the call inside it the one around it may take: it bounds what is read of equal ids."""


STRIPES: Final = 64
"""Calls with ids of so many kinds are told beside each other; a trace of thousands takes no more locks."""


def lock_with_repeats(tx: Tx, trace: TraceRow, picture: Picture) -> TraceRow | None:
    """Return `trace` as it stands now, locked, with those that repeat it; None where it is gone.

    Two servers may tell of one call at the same time, each in its own trace, and neither sees what the other
    has not committed. So whoever tells of a call holds its answer's id first; traces come after that, in the
    order of their ids, as ingest takes them.
    """
    calls = _list_calls(trace, picture)
    store.hold_calls(tx, (_number(call) for call in calls))
    found = None
    for execution_id in sorted({trace.execution_id, *_list_repeats(tx, picture, calls)}):
        row = store.lock_if_there(tx, execution_id)
        found = row if execution_id == trace.execution_id else found
    return found


def repeats_another(tx: Tx, trace: TraceRow, picture: Picture) -> bool:
    """Say whether the locked `trace` tells only what another tells; note its calls for those that come later.

    If it is the other one, those that repeat it are judged again.
    """
    calls = _list_calls(trace, picture)
    store.replace_calls(tx, trace.execution_id, calls)
    if picture.is_lone_call:
        return any(
            _is_inside(call, outer)
            for call in calls
            for outer in store.list_same_calls(tx, call, lone=False, slack_us=SLACK_US, longest_us=LONGEST_US)
        )
    for execution_id in sorted(set(_list_repeats(tx, picture, calls))):
        store.make_due(tx, execution_id)
    return False


def _list_calls(trace: TraceRow, picture: Picture) -> list[CallRow]:
    return [
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


def _list_repeats(tx: Tx, picture: Picture, calls: Sequence[CallRow]) -> Iterator[str]:
    """Yield the traces that tell only one of `calls`; none where this is such a trace itself."""
    for call in calls if not picture.is_lone_call else ():
        for inner in store.list_same_calls(tx, call, lone=True, slack_us=SLACK_US, longest_us=0):
            if _is_inside(inner, call):
                yield inner.execution_id


def _number(call: CallRow) -> int:
    """Return what is held for a call; two that share it only wait for each other."""
    stripe = int(digest(call.response_id.encode())[:8], 16) % STRIPES
    return int(digest(f"{call.tenant_id}\n{call.environment}\n{stripe}".encode())[:15], 16)


def _is_inside(inner: CallRow, outer: CallRow) -> bool:
    begins = outer.started_us - SLACK_US <= inner.started_us
    is_near = inner.started_us - outer.started_us <= SLACK_US + LONGEST_US  # seen from either of them
    return begins and is_near and inner.ended_us <= outer.ended_us + SLACK_US
