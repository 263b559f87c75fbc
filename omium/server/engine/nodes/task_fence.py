"""The fence of tasks: equality of epoch and token digest, under the lock of the execution, and no time."""

from __future__ import annotations

from dataclasses import dataclass

from omium.errors import LeaseLostProblem
from omium.server.engine.nodes.work import NodeWork
from omium.server.store import activations
from omium.server.store.activations import ActivationRow
from omium.states import ENDED_STATUSES


@dataclass(frozen=True, slots=True)
class TaskLease:
    """What whoever does a task shows: the grant that it has."""

    tenant_id: str
    execution_id: str
    path: str
    epoch: int
    lease_digest: str


def find_granted(work: NodeWork, lease: TaskLease) -> ActivationRow | None:
    """Return the running task under this very grant; None where the grant is over, or the task has ended."""
    row = activations.find_activation(work.tx, lease.execution_id, lease.path)
    if row is None or row.state != "running" or work.row.status in ENDED_STATUSES:
        return None
    same = (row.epoch, row.lease_digest) == (lease.epoch, lease.lease_digest)
    return row if same else None


def lease_lost(lease: TaskLease) -> LeaseLostProblem:
    """Return the problem of somebody whose grant is over."""
    return LeaseLostProblem(
        f"The grant of {lease.path} in {lease.execution_id} is over. Nothing was changed.",
        path=lease.path,
    )
