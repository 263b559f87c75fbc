"""The fence: equality of epoch and token digest, in the UPDATE that begins every write, and no time.

A driver whose lease ran out may write as long as nobody else was granted: then it returns (semantics 3.4).
Owns that return, and the refusal. What the write does is in the handlers (steps.py, effects.py, ending.py,
...).
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import replace

from omium.errors import LeaseLostProblem
from omium.server.db.light import light
from omium.server.db.tx import Tx
from omium.server.engine.failures import close_occurrences, is_covered_only, lock_groups
from omium.server.engine.transitions import append_event, move
from omium.server.principal import Principal
from omium.server.store import details
from omium.server.store.executions import ExecutionRow, find_execution, give_back, lock_execution, pass_fence
from omium.states import EventType, ExecutionStatus, FailureKind, FailureStatus

DRIVER_LOST = "driver-lost"  # the reason of a failed execution whose driver may still return
INTERRUPTED = "interrupted"  # the reason of a queued one that a lost driver left
# What going on does not answer: open questions about effects, and what somebody put into the inbox by hand.
STAYS_OPEN = frozenset({FailureKind.EFFECT_UNKNOWN, FailureKind.EFFECT_DUPLICATED, FailureKind.CAPTURED})


@light(frozen=True, slots=True)
class Lease:
    """What a driver shows with every write."""

    principal: Principal
    execution_id: str
    epoch: int
    lease_digest: str

    @property
    def tenant_id(self) -> str:
        return self.principal.tenant_id


def enter(
    tx: Tx,
    lease: Lease,
    *,
    events: int = 0,
    steps: int = 0,
    payload_bytes: int = 0,
    lock_first: Callable[[ExecutionRow], object] | None = None,
) -> ExecutionRow:
    """Take `events` numbers and count what is recorded, or raise `LeaseLostProblem` (`NotFound` if foreign).

    Returns the row with the last of the numbers. It's locked, and its lease runs anew. A driver that returns
    closes its failures, so their groups are locked then: who needs a lock that comes before, or another
    group, takes it in `lock_first`.
    """
    row = _pass(tx, lease, events, steps, payload_bytes)
    if row is None:
        _return(tx, lease, lock_first)
        row = _pass(tx, lease, events, steps, payload_bytes)
        assert row is not None, "the row is locked and running under this lease"
    if row.silent:
        give_back(tx, row, events=events, steps=steps, payload_bytes=payload_bytes)
        quiet = replace(
            row,
            last_seq=row.last_seq - events,
            steps_completed=row.steps_completed - steps,
            payload_bytes=row.payload_bytes - payload_bytes,
        )
        append_event(tx, quiet, EventType.EXECUTION_RETURNED, {"after": "silence"}, silent=0)
        row = _pass(tx, lease, events, steps, payload_bytes)
        assert row is not None
    return row


def _pass(tx: Tx, lease: Lease, events: int, steps: int, payload_bytes: int) -> ExecutionRow | None:
    return pass_fence(
        tx,
        lease.tenant_id,
        lease.execution_id,
        lease.epoch,
        lease.lease_digest,
        events=events,
        steps=steps,
        payload_bytes=payload_bytes,
    )


def _return(tx: Tx, lease: Lease, lock_first: Callable[[ExecutionRow], object] | None) -> None:
    """Let a driver that was thought lost go on, or refuse it."""
    row = lock_execution(tx, lease.tenant_id, lease.execution_id)
    if not holds(row, lease):
        raise refusal(row)
    if (
        row.status == ExecutionStatus.RUNNING
    ):  # PostgreSQL: the grant was committed while we waited for the lock
        return
    if row.status == ExecutionStatus.FAILED and row.reason == DRIVER_LOST:
        if lock_first is not None:
            lock_first(row)
        lock_groups(tx, row, open_of=[row.id])
        # Somebody who resolved, ignored or replayed the failure has acted on the loss: the driver is too
        # late.
        # What an earlier ignore covers was never open, so there is nothing to close then.
        covered = is_covered_only(tx, row)
        if not covered and not close_occurrences(
            tx,
            row,
            status=FailureStatus.RESOLVED,
            by=lease.principal.id,
            reason="driver returned",
            kept_open=STAYS_OPEN,
        ):
            raise refusal(row)
        details.set_error(tx, row.id, None)
    elif row.status != ExecutionStatus.QUEUED or row.reason != INTERRUPTED:
        raise refusal(row)
    move(
        tx,
        row,
        ExecutionStatus.RUNNING,
        EventType.EXECUTION_RETURNED,
        data={"after": row.reason},
        cover_otherwise=row.steps_completed,  # it reports what has happened; what it may begin, it is told
    )


def holds(row: ExecutionRow, lease: Lease) -> bool:
    """Say whether `lease` is the newest grant of the execution, whatever its status is."""
    return (
        row.epoch == lease.epoch
        and row.lease_digest is not None
        and hmac.compare_digest(row.lease_digest, lease.lease_digest)
    )


def find_under(tx: Tx, lease: Lease, status: ExecutionStatus) -> ExecutionRow | None:
    """Return the execution if it stands at `status` under this very lease: the lease brought it there."""
    row = find_execution(tx, lease.tenant_id, lease.execution_id)
    return row if row is not None and row.status == status and holds(row, lease) else None


def refusal(row: ExecutionRow) -> LeaseLostProblem:
    """Return the problem of a driver that does not own the execution any more."""
    return LeaseLostProblem(
        f"{row.id} is {row.status} in epoch {row.epoch}; this driver's grant is over. Nothing was changed.",
        status_now=row.status,
        epoch_now=row.epoch,
    )
