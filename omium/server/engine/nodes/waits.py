"""Waits: nodes that wait for a time, a signal or a person.

Timers are wall time and fire once: what is due ends under the lock of its execution. Signals are kept until a
node takes them, first come, first served by name. If the process dies before the commit, nobody was told.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from omium.clock import US_PER_S
from omium.jsonvalue import JsonValue
from omium.server.engine.mishaps import make_error
from omium.server.engine.nodes.ending import fail, succeed
from omium.server.engine.nodes.records import Result, result_of
from omium.server.engine.nodes.work import NodeWork
from omium.server.store import signals
from omium.server.store.activations import ActivationRow
from omium.server.store.signals import SignalRow
from omium.spec.document import Node
from omium.states import WaitingReason

YEAR_9999_US: Final = 253_370_764_800 * US_PER_S


def begin_wait(work: NodeWork, row: ActivationRow, node: Node, given: JsonValue, *, stored: bool) -> None:
    """Begin a `wait`: it ends at once where its time has come, or its signal."""
    assert isinstance(given, dict)
    name = node.parameters.get("signal")
    if isinstance(name, str):
        signal = signals.find_next(work.tx, row.execution_id, name)
        if signal is not None:
            take_signal(work, row, signal, stored=stored)
            return
        timeout_s = node.parameters.get("timeout_s")
        due_us = work.now_us + round(float(timeout_s) * US_PER_S) if timeout_s is not None else None
        wait(work, row, WaitingReason.SIGNAL, due_us, stored=stored)
        return
    due_us = read_due(given, work.now_us)
    if due_us is None:
        error = make_error(
            "NodeFailed",
            f"{row.path} waits for a number of seconds or a time such as 2027-01-31T12:00:00Z, and was given"
            " something else.",
            code="wait-invalid",
        )
        fail(work, row, error, stored=stored)
    elif due_us <= work.now_us:
        end_wait(work, row, None, stored=stored)
    else:
        wait(work, row, WaitingReason.TIMER, due_us, stored=stored)


def begin_approval(work: NodeWork, row: ActivationRow, node: Node, *, stored: bool) -> None:
    """Ask people, until it expires."""
    expires_s = node.parameters.get("expires_s")
    due_us = work.now_us + round(float(expires_s) * US_PER_S) if expires_s is not None else None
    wait(work, row, WaitingReason.APPROVAL, due_us, stored=stored)


def wait(
    work: NodeWork, row: ActivationRow, reason: WaitingReason, due_us: int | None, *, stored: bool
) -> ActivationRow:
    """Let `row` wait; nobody holds it meanwhile."""
    waiting = replace(
        row,
        state="waiting",
        waiting_reason=reason.value,
        due_us=due_us,
        lease_digest=None,
        lease_touched_us=None,
        worker_id=None,
        deadline_us=None,
        started_us=row.started_us or work.now_us,
    )
    return work.put(waiting, stored=stored)


def end_due(work: NodeWork, row: ActivationRow, node: Node) -> None:
    """End what waited for a time, a signal or a person, and whose time has come."""
    match row.waiting_reason:
        case WaitingReason.TIMER:
            end_wait(work, row, None, stored=True)
        case WaitingReason.SIGNAL:
            error = make_error(
                "Timeout", f"No signal {row.handler!r} came for {row.path} in time.", code="timeout"
            )
            fail(work, row, error, stored=True)
        case WaitingReason.APPROVAL:
            default = node.parameters.get("default")
            if default is None:
                error = make_error(
                    "ApprovalExpired", f"Nobody decided about {row.path} in time.", code="approval-expired"
                )
                fail(work, row, error, stored=True)
            else:
                decided: JsonValue = {
                    "decision": str(default),
                    "by": None,
                    "comment": "",
                    "expired": True,
                    "at": iso_time(work.now_us),
                }
                end_wait(work, row, decided, stored=True)
        case _:
            raise AssertionError(f"{row.path} does not wait for a time")


def end_wait(work: NodeWork, row: ActivationRow, output: JsonValue, *, stored: bool) -> None:
    """Complete a node that has waited."""
    packed = work.parts.vault.pack(row.tenant_id, output, what=f"The output of {row.path}")
    succeed(work, row, result_of(packed), stored=stored)


def take_signal(work: NodeWork, row: ActivationRow, signal: SignalRow, *, stored: bool) -> None:
    """Complete a node with a signal that has come; it's nobody else's from now on."""
    signals.consume(work.tx, row.execution_id, signal, row.path)
    # The reference that the signal's row counts is the record's from now on.
    size_bytes = 0 if signal.payload.startswith(b"\x01") else len(signal.payload)
    succeed(work, row, Result(signal.payload, signal.digest, size_bytes), stored=stored)


def read_due(given: dict[str, JsonValue], now_us: int) -> int | None:
    """Return when a wait is over, or None for what is no time."""
    seconds, until = given.get("seconds"), given.get("until")
    if isinstance(seconds, int | float) and not isinstance(seconds, bool) and seconds == seconds:  # noqa: PLR0124  # no nan
        return min(now_us + round(min(max(seconds, 0), 10**9) * US_PER_S), YEAR_9999_US)
    if isinstance(until, str):
        try:
            moment = datetime.fromisoformat(until)
        except ValueError:
            return None
        moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        return round(moment.timestamp() * US_PER_S)
    return None


def iso_time(at_us: int) -> str:
    return (
        datetime.fromtimestamp(at_us / US_PER_S, UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )


def wake(work: NodeWork, row: ActivationRow) -> None:
    """Let a node be ready again that has waited for its retry, its breaker or a slot."""
    work.put(replace(row, state="ready", waiting_reason=None, due_us=None), stored=True)
