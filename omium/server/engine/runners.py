"""Runners: who would go on with an execution now, so that every answer about resuming can say so."""

from __future__ import annotations

import json

from omium.models.execution import RunnerAnswer
from omium.server.db.tx import Tx
from omium.server.engine.native import find_entrypoint
from omium.server.engine.policy import Policy
from omium.server.engine.views import view_code
from omium.server.store import details, workers
from omium.server.store.executions import ExecutionRow
from omium.states import Driver, Runner


def find_runner(tx: Tx, row: ExecutionRow, policy: Policy) -> RunnerAnswer:
    """Return who serves the execution's workflow, queue and environment now.

    For `none` the answer carries the command line that was recorded, and where it was run; before anybody ran
    it, what the document of a native workflow names.
    """
    if row.driver == Driver.ENGINE:
        return RunnerAnswer(runner=Runner.ENGINE)
    if row.driver == Driver.OBSERVED:
        return RunnerAnswer(runner=Runner.NONE)
    if is_served(tx, row, policy):
        return RunnerAnswer(runner=Runner.WORKER)
    code = view_code(details.get_details(tx, row.id).code)
    if (code is None or not code.command) and (entrypoint := find_entrypoint(tx, row)) is not None:
        return RunnerAnswer(runner=Runner.NONE, command=["omium", "worker", entrypoint])
    return RunnerAnswer(
        runner=Runner.NONE, command=code.command if code else [], cwd=code.cwd if code else None
    )


def is_served(tx: Tx, row: ExecutionRow, policy: Policy) -> bool:
    """Say whether a worker that was seen lately claims what `row` is."""
    since_us = tx.lease_now_us - policy.worker_seen_us
    return any(
        worker.queue == row.queue and row.workflow in json.loads(worker.workflows)
        for worker in workers.list_live(tx, row.tenant_id, row.environment, since_us)
    )
