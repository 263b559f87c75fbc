"""Retention: executions that ended long ago go, with everything that belongs to them and to nobody else.

What a replay still needs stays: its records are rows of its own that count their references, and the effects
of a lineage stay as long as one of its executions does. Usage records stay. A large execution goes in
portions, the newest facts last; from the first portion on it is `retired` and cannot be resumed or replayed.

Each portion is one transaction of bounded work. If the process dies in between, the next sweep goes on.
"""

from __future__ import annotations

import json
from dataclasses import replace

from omium.clock import US_PER_S
from omium.jsonvalue import json_bytes
from omium.models.account import Retention
from omium.server.analytics import counting
from omium.server.db.tx import Tx
from omium.server.engine import step_slots
from omium.server.engine.failures import close_in_group
from omium.server.engine.values import drop_value
from omium.server.principal import Principal
from omium.server.store import failures, graph_threads, key_usage, tenants
from omium.server.store import retention as store
from omium.server.store.executions import ExecutionRow
from omium.server.store.failures import list_open_of_execution
from omium.states import ExecutionStatus, FailureStatus

DAY_US = 24 * 3600 * US_PER_S
PORTION_ROWS = 250
PAYLOAD_GRACE_S = 3600
TENANTS_PER_LOOK = 1000


def get_retention(tx: Tx, tenant_id: str) -> Retention:
    """Return how long a tenant's executions are kept."""
    return _read(tenants.get_tenant(tx, tenant_id).settings)


def set_retention(tx: Tx, principal: Principal, retention: Retention) -> Retention:
    """Set how long the tenant's executions are kept, and return it; other settings stay."""
    settings = json.loads(store.lock_settings(tx, principal.tenant_id))
    settings["retention"] = retention.model_dump(mode="json")
    store.set_settings(tx, principal.tenant_id, json_bytes(settings))
    return retention


def _read(settings: bytes) -> Retention:
    return Retention.model_validate(json.loads(settings).get("retention", {}))


def sweep_executions(tx: Tx) -> int:
    """Remove a portion of one execution whose time is over; returns 0 if there is none."""
    for tenant in store.list_tenants(tx, "", TENANTS_PER_LOOK):
        kept = _read(tenant.settings)
        for status, days in (
            (ExecutionStatus.COMPLETED, kept.completed_days),
            (ExecutionStatus.CANCELLED, kept.cancelled_days),
            (ExecutionStatus.FAILED, kept.failed_days),
        ):
            if days is None:
                continue
            row = store.lock_due(tx, tenant.id, status.value, tx.now_us - days * DAY_US)
            if row is not None:
                remove_portion(tx, row)
                return 1
    return 0


def sweep_payloads(tx: Tx) -> int:
    """Remove a portion of the payloads that nobody points at any more."""
    return store.delete_unused_payloads(tx, tx.now_us - PAYLOAD_GRACE_S * US_PER_S, PORTION_ROWS)


def remove_portion(tx: Tx, row: ExecutionRow) -> None:
    """Remove a portion of what belongs to the ended, locked execution `row`; at last the row itself."""
    if row.reason != store.RETIRED:
        step_slots.free_slots(tx, row)
        store.retire(tx, row.id)
    left = PORTION_ROWS
    while left > 0 and (removed := store.take_logs(tx, row.id)):
        left -= removed
    while left > 0 and (taken := store.take_steps(tx, row.id, left)):
        _drop(tx, row, taken)
        left -= len(taken)
    while left > 0 and (removed := graph_threads.take_own_threads(tx, row.tenant_id, row.id, left)):
        left -= removed
    while left > 0 and (removed := store.take_events(tx, row.id, left)):
        left -= removed
    if left == PORTION_ROWS:  # groups of failures are locked before payloads, so in a portion of their own
        _close_failures(tx, row)
        counting.keep(tx, row)  # before its row is gone: that says whether it is in the sums
        _drop(tx, row, store.take_rest(tx, row))
        key_usage.keep_counts(tx, row)


def _drop(tx: Tx, row: ExecutionRow, taken: list[store.Values]) -> None:
    for values in taken:
        drop_value(tx, row.tenant_id, values.first)
        drop_value(tx, row.tenant_id, values.second)


def _close_failures(tx: Tx, row: ExecutionRow) -> None:
    """Take the execution's occurrences out of the inbox; a group goes with its last one."""
    groups = store.list_groups_of(tx, row.id)
    opened = list_open_of_execution(tx, row.id)
    for failure_id in groups:
        close_in_group(
            tx,
            row.tenant_id,
            failure_id,
            [each.id for each in opened if each.failure_id == failure_id],
            status=FailureStatus.RESOLVED,
            by="omium",
            reason="retention removed it",
        )
    counting.keep_failures(tx, row.id)
    store.delete_occurrences(tx, row.id)
    for failure_id in groups:
        newest = failures.find_newest(tx, failure_id)
        group = failures.lock_failure(tx, row.tenant_id, failure_id)
        if newest is not None and group is not None:
            failures.update_failure(tx, replace(group, last_execution_id=newest.execution_id))
        store.delete_empty_group(tx, failure_id)
