"""Driver signals: what steps of user code wait to be told by name (`omium signal`), as nodes of specs do.

A step asks for a signal (`signal.asked`); the first of that name that nobody has taken is its own from then
on, by its path: asked again, after a crash, it is told the same one. Where there is none, its driver hands
the execution back (`execution.waits`), and a signal of any name lets it go on: the driver asks again. One
that came in between ends the waiting at once. Nodes of the engine take theirs in nodes/deciding.py.

A script's execution is not woken, as it ended with its process: the signal is kept for whoever resumes it.

If the process dies before the commit, nobody has said anything, or nobody has taken it. Sent twice under one
id, a signal is one. Late, to an execution that has ended: refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from omium.errors import IllegalTransition, LimitReached
from omium.jsonvalue import parse_json
from omium.models.approval import AwaitedSignal
from omium.models.driver import SignalAsked
from omium.server.db.tx import Tx
from omium.server.engine.fence import enter
from omium.server.engine.observed import refuse_observed
from omium.server.engine.packing import Outcome, Packed, SignalOutcome
from omium.server.engine.transitions import append_event, move
from omium.server.engine.values import PackedValue, StoredValue, fetch_value, put_value
from omium.server.principal import Principal
from omium.server.store import events, signals
from omium.server.store.executions import ExecutionRow
from omium.server.store.signals import SignalRow
from omium.states import Driver, EventType, ExecutionStatus, WaitingReason

SIGNALS_MAX: Final = 1_000
"""Signals that nobody has taken, of one execution."""


def ask_signal(tx: Tx, packed: Packed[SignalAsked]) -> Outcome:
    """Return the signal that the step has taken, or takes now; none where none has come."""
    row, write = enter(tx, packed.lease), packed.write
    found = signals.find_taken(tx, row.id, write.name, write.path)
    if found is None:
        found = signals.find_next(tx, row.id, write.name)
        if found is None:
            return Outcome(row)
        signals.consume(tx, row.id, found, write.path)
    return Outcome(row, signal=SignalOutcome(found.signal_id, _fetch(tx, row, found)))


def _fetch(tx: Tx, row: ExecutionRow, signal: SignalRow) -> StoredValue:
    return fetch_value(tx, row.tenant_id, signal.payload)


def deliver(
    tx: Tx,
    principal: Principal,
    row: ExecutionRow,
    name: str,
    payload: PackedValue,
    signal_id: str,
) -> tuple[ExecutionRow, SignalRow, bool]:
    """Keep a signal for a step of the locked `row`, and let it go on where a worker runs it.

    Returns the execution, the signal, and whether it came for the first time. Raises `IllegalTransition`
    (the execution takes no signals any more), `LimitReached`.
    """
    refuse_observed(tx, row, "told anything")
    known = signals.find_signal(tx, row.id, name, signal_id)
    if known is not None:
        return row, known, False
    _refuse_ended(row)
    refuse_more(tx, row.id)
    said = {"name": name, "signal_id": signal_id, "by": principal.id}
    row = append_event(tx, row, EventType.SIGNAL_RECEIVED, said)
    made = SignalRow(
        name=name,
        signal_id=signal_id,
        seq=row.last_seq,
        payload=put_value(tx, row.tenant_id, payload),
        digest=payload.digest,
        received_us=tx.now_us,
        consumed_by=None,
    )
    signals.insert_signal(tx, row.id, made)
    if row.driver == Driver.WORKER and (row.status, row.reason) == (
        ExecutionStatus.WAITING,
        WaitingReason.SIGNAL,
    ):
        row = _queue(tx, row)
    return row, made, True


def refuse_more(tx: Tx, execution_id: str) -> None:
    """Raise `LimitReached` where too many signals wait already."""
    if signals.count_waiting(tx, execution_id, SIGNALS_MAX) >= SIGNALS_MAX:
        raise LimitReached(
            f"{SIGNALS_MAX} signals wait in {execution_id} already, and nothing takes them.", limit="signals"
        )


def go_on_at_once(tx: Tx, row: ExecutionRow, awaited: Iterable[AwaitedSignal]) -> ExecutionRow:
    """Queue an execution that has just begun to wait for signals, one of which is there already."""
    if row.driver != Driver.WORKER:
        return row
    if any(signals.find_next(tx, row.id, each.name) is not None for each in awaited):
        return _queue(tx, row)
    return row


def _queue(tx: Tx, row: ExecutionRow) -> ExecutionRow:
    return move(
        tx,
        row,
        ExecutionStatus.QUEUED,
        EventType.EXECUTION_QUEUED,
        data={"after": WaitingReason.SIGNAL.value},
        lease_digest=None,
        worker_id=None,
    )


def _refuse_ended(row: ExecutionRow) -> None:
    if (
        row.status in (ExecutionStatus.COMPLETED, ExecutionStatus.CANCELLED)
        or row.cancel_requested_us is not None
    ):
        raise IllegalTransition(
            f"{row.id} is {row.status}; nothing in it takes signals any more.",
            status_now=row.status,
            allowed=[],
        )


def list_awaited(tx: Tx, row: ExecutionRow) -> list[AwaitedSignal]:
    """Return the signals that the driver of `row` waits for, as it said when it handed it back."""
    if (row.status, row.reason) != (ExecutionStatus.WAITING, WaitingReason.SIGNAL):
        return []
    for event in events.list_of_type(tx, row.id, EventType.EXECUTION_WAITED.value, limit=1):
        said = parse_json(event.data)
        listed = said.get("signals") if isinstance(said, dict) else None
        if isinstance(listed, list):
            return [AwaitedSignal.model_validate(each) for each in listed]
    return []
