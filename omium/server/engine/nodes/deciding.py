"""Deciding: what people and other systems say to an execution: signals, and decisions about approvals.

A signal is kept until a node takes it, first come, first served by name; the same id again is the same one.
An approval is decided once: the second one is told `AlreadyDecided`. If the process dies before the commit,
nobody has said anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from omium.errors import AlreadyDecided, IllegalTransition, NotFound
from omium.jsonvalue import JsonValue
from omium.server.db.tx import Tx
from omium.server.engine.driver_signals import deliver, refuse_more
from omium.server.engine.nodes.driving import drive
from omium.server.engine.nodes.settling import settle
from omium.server.engine.nodes.waits import end_wait, iso_time, take_signal
from omium.server.engine.nodes.work import NodeWork, open_work
from omium.server.engine.parts import EngineParts
from omium.server.engine.values import PackedValue, put_value
from omium.server.principal import Principal
from omium.server.store import activations, signals, steps
from omium.server.store.executions import ExecutionRow, get_execution, lock_execution
from omium.server.store.signals import SignalRow
from omium.states import ENDED_STATUSES, Driver, EventType, ExecutionStatus

Decision = Literal["approved", "rejected"]


@dataclass(frozen=True, slots=True)
class SignalTaken:
    """What became of a signal; `path` is the node or step that took it, None while none has asked for it."""

    execution: ExecutionRow
    fresh: bool
    path: str | None


def deliver_signal(
    tx: Tx,
    parts: EngineParts,
    principal: Principal,
    execution_id: str,
    name: str,
    payload: PackedValue,
    signal_id: str,
) -> SignalTaken:
    """Give a signal to the node that has waited longest for one of that name, or keep it for the next one.

    One for an execution that workers drive is kept for a step. Raises `NotFound`, `IllegalTransition` (the
    execution has ended, or was only observed), `LimitReached`.
    """
    found = get_execution(tx, principal.tenant_id, execution_id)
    if found.driver != Driver.ENGINE:
        principal.require_workflow(found.workflow)
        locked = lock_execution(tx, principal.tenant_id, execution_id)
        locked, signal, fresh = deliver(tx, principal, locked, name, payload, signal_id)
        return SignalTaken(locked, fresh=fresh, path=signal.consumed_by)
    work = _open(tx, parts, principal, execution_id)
    known = signals.find_signal(tx, execution_id, name, signal_id)
    if known is not None:
        return SignalTaken(work.row, fresh=False, path=known.consumed_by)
    _refuse_ended(work)
    refuse_more(tx, execution_id)
    seq = work.record(EventType.SIGNAL_RECEIVED, {"name": name, "signal_id": signal_id, "by": principal.id})
    row = SignalRow(
        name=name,
        signal_id=signal_id,
        seq=seq,
        payload=put_value(tx, principal.tenant_id, payload),
        digest=payload.digest,
        received_us=tx.now_us,
        consumed_by=None,
    )
    signals.insert_signal(tx, execution_id, row)
    waiting = activations.find_signalled(tx, execution_id, name)
    if waiting is not None:
        take_signal(work, waiting, row, stored=True)
    drive(work)
    return SignalTaken(settle(work), fresh=True, path=waiting.path if waiting is not None else None)


def decide_approval(
    tx: Tx,
    parts: EngineParts,
    principal: Principal,
    execution_id: str,
    path: str,
    decision: Decision,
    comment: str = "",
) -> ExecutionRow:
    """Decide about the approval at `path`, and return the execution as it is then.

    Raises `NotFound`, `AlreadyDecided`, `IllegalTransition` (the execution is paused, or has ended).
    """
    work = _open(tx, parts, principal, execution_id)
    row = activations.find_activation(tx, execution_id, path)
    if row is None or row.type != "approval":
        known = steps.find_result(tx, execution_id, path)
        if known is None:
            raise NotFound(f"No approval waits at {path} in {execution_id}; see `omium approvals list`.")
        raise AlreadyDecided(f"Somebody has decided about {path} in {execution_id}, or it has expired.")
    _refuse_ended(work)
    if (row.state, row.waiting_reason) != ("waiting", "approval"):
        raise IllegalTransition(
            f"{execution_id} is {work.row.status}; resume it, then decide about {path}.",
            status_now=work.row.status,
            allowed=[],
        )
    work.record(
        EventType.APPROVAL_DECIDED,
        {"path": path, "decision": decision, "by": principal.id, "comment": comment},
    )
    output: JsonValue = {
        "decision": decision,
        "by": principal.id,
        "comment": comment,
        "at": iso_time(tx.now_us),
    }
    end_wait(work, row, output, stored=True)
    drive(work)
    return settle(work)


def _open(tx: Tx, parts: EngineParts, principal: Principal, execution_id: str) -> NodeWork:
    found = get_execution(tx, principal.tenant_id, execution_id)
    principal.require_workflow(found.workflow)
    if found.driver != Driver.ENGINE:
        raise IllegalTransition(
            f"{execution_id} is not driven by the engine; only executions of specs have approvals: "
            f"`omium executions show {execution_id}` says what it waits for.",
            status_now=found.status,
            allowed=[],
        )
    return open_work(tx, parts, principal.tenant_id, execution_id)


def _refuse_ended(work: NodeWork) -> None:
    row = work.row
    if (
        row.status in ENDED_STATUSES and row.status != ExecutionStatus.FAILED
    ) or row.cancel_requested_us is not None:
        raise IllegalTransition(
            f"{row.id} is {row.status}; nothing in it takes signals or decisions any more.",
            status_now=row.status,
            allowed=[],
        )
