"""Batch replays: a group's open occurrences are replayed one after another, and it stops when it fails again.

The first replay is a probe: the others begin once one was completed, then at most `AT_ONCE` run beside each
other, `STAGGER_S` apart. A replay of the batch that fails in the same group stops it; what was not replayed
stays open in the inbox. Owns the batch's row, from which a restarted server goes on. One replay is replay.py.

If the process dies between two starts, the sweep of the next one goes on; within one, neither the replay nor
the batch's progress is there.
"""

from __future__ import annotations

import json
from dataclasses import replace

from omium.clock import US_PER_S
from omium.errors import CreditsExhausted, Problem
from omium.ids import derived_id
from omium.jsonvalue import JsonValue, json_bytes
from omium.models.failure import ReplayBatch, ReplayedFailure, ReplayFailure
from omium.models.replay import ReplayExecution
from omium.server.db.tx import Tx
from omium.server.engine.inbox import failure_view, get_failure
from omium.server.engine.parts import EngineParts
from omium.server.engine.replay import prepare_replay, start_replay
from omium.server.engine.replay_packing import pack_replay
from omium.server.engine.replay_versions import read_pinned, settle_mode
from omium.server.engine.runners import is_served
from omium.server.engine.source import read_source
from omium.server.engine.values import PackedValue, drop_value, fetch_value, put_value
from omium.server.engine.views import view_execution
from omium.server.principal import Principal, PrincipalKind
from omium.server.seal import KeyFile
from omium.server.store import batches as store
from omium.server.store import failures, replays
from omium.server.store.batches import BatchRow
from omium.server.store.details import get_details
from omium.server.store.executions import ExecutionRow, find_execution, get_execution
from omium.server.store.failures import OccurrenceRow
from omium.states import ENDED_STATUSES, Driver, Environment, ExecutionStatus, FailureStatus

STAGGER_S = 2
AT_ONCE = 5


async def replay_failure(
    parts: EngineParts, keys: KeyFile, principal: Principal, failure_id: str, command: ReplayFailure
) -> ReplayedFailure:
    """Begin to replay a group's open occurrences, the oldest first, and start the first of them at once.

    While a batch of the group runs, the same request tells how far that is. Raises `NotFound`. If the process
    dies between the two transactions, the sweep takes the first step a little later.
    """
    asked: JsonValue = command.model_dump(mode="json")
    packed = parts.vault.pack(principal.tenant_id, asked, what="The replay")
    begun = await parts.db.write(lambda tx: _begin(tx, principal, failure_id, command, packed))
    first = None
    if begun is not None:
        first = await parts.db.write(lambda tx: _step_first(tx, parts, keys, begun))
    return await parts.db.read(lambda tx: _tell(tx, principal.tenant_id, failure_id, first))


def sweep_batches(tx: Tx, parts: EngineParts, keys: KeyFile) -> int:
    """Take the next step of one batch that is due; 0 if none is."""
    batch = store.lock_due(tx, tx.now_us)
    if batch is None:
        return 0
    _step(tx, parts, keys, batch)
    return 1


def _begin(
    tx: Tx, principal: Principal, failure_id: str, command: ReplayFailure, packed: PackedValue
) -> str | None:
    """Note the batch and return its id; None while another one of the group runs.

    Starts nothing: a batch refers to its group, and groups are locked after executions.
    """
    group = get_failure(tx, principal.tenant_id, failure_id)
    principal.require_workflow(group.workflow)
    batch = BatchRow(
        id=tx.new_id("rb"),
        tenant_id=principal.tenant_id,
        failure_id=failure_id,
        started_by=principal.id,
        status="running",
        stopped_reason=None,
        command=packed.column,
        remaining=min(command.limit, group.open_count),
        launched=0,
        skipped=b"{}",
        after_us=-1,
        after_id="",
        next_us=tx.now_us + STAGGER_S * US_PER_S,
        created_us=tx.now_us,
        updated_us=tx.now_us,
    )
    if not store.insert_batch(tx, batch):
        return None
    put_value(tx, principal.tenant_id, packed)
    return batch.id


def _step_first(tx: Tx, parts: EngineParts, keys: KeyFile, batch_id: str) -> str | None:
    batch = store.lock_batch(tx, batch_id)
    if batch is None or batch.status != "running" or batch.launched:  # a sweep was faster
        return None
    return _step(tx, parts, keys, batch)


def _step(tx: Tx, parts: EngineParts, keys: KeyFile, batch: BatchRow) -> str | None:
    """Start the next replay of a batch, or end it; returns the execution that was started."""
    reason = _must_stop(tx, batch)
    if reason is not None:
        _end(tx, replace(batch, status="stopped", stopped_reason=reason))
        return None
    if not _may_start(tx, batch):
        store.update_batch(tx, replace(batch, next_us=tx.now_us + STAGGER_S * US_PER_S))
        return None
    while batch.remaining > 0:
        found = failures.list_with_status(
            tx,
            batch.failure_id,
            FailureStatus.OPEN,
            limit=1,
            after_us=batch.after_us,
            after_id=batch.after_id,
        )
        if not found:
            break
        (occurrence,) = found
        batch = replace(
            batch,
            remaining=batch.remaining - 1,
            after_us=occurrence.created_us,
            after_id=occurrence.id,
            next_us=tx.now_us + STAGGER_S * US_PER_S,
        )
        try:
            started, refusal = _replay_one(tx, parts, keys, batch, occurrence)
        except CreditsExhausted as exhausted:  # for the others as well: they stay open in the inbox
            _end(tx, replace(batch, status="stopped", stopped_reason=exhausted.detail))
            return None
        if started is not None:
            store.update_batch(tx, replace(batch, launched=batch.launched + 1))
            return started
        skipped = {**json.loads(batch.skipped), occurrence.execution_id: refusal}
        batch = replace(batch, skipped=json_bytes(skipped))
    _end(tx, replace(batch, status="done", remaining=0))
    return None


def _end(tx: Tx, batch: BatchRow) -> None:
    store.update_batch(tx, batch)
    drop_value(tx, batch.tenant_id, batch.command)


def _must_stop(tx: Tx, batch: BatchRow) -> str | None:
    failed = store.find_failed_again(tx, batch.id, batch.failure_id)
    if failed is not None:
        return f"{failed} failed the same way again"
    if store.find_key_status(tx, batch.tenant_id, batch.started_by) == "revoked":
        return "the key that started it was revoked"
    return None


def _may_start(tx: Tx, batch: BatchRow) -> bool:
    """Say whether another may run: one as the probe, `AT_ONCE` after one was completed."""
    counts = store.count_executions(tx, batch.id)
    running = sum(
        number for status, number in counts.items() if ExecutionStatus(status) not in ENDED_STATUSES
    )
    return running < (AT_ONCE if counts.get(ExecutionStatus.COMPLETED) else 1)


def _replay_one(
    tx: Tx, parts: EngineParts, keys: KeyFile, batch: BatchRow, occurrence: OccurrenceRow
) -> tuple[str | None, str]:
    """Replay the execution of one occurrence; returns its id, or why it was not replayed."""
    source = find_execution(tx, batch.tenant_id, occurrence.execution_id)
    if source is None:
        return None, "retention has removed it"
    if source.driver != Driver.ENGINE and not is_served(tx, source, parts.policy):
        return None, f"no worker serves {source.workflow}; run it by hand"
    try:
        with tx.savepoint():
            return _start(tx, parts, keys, batch, source), ""
    except CreditsExhausted:
        raise
    except Problem as problem:  # blocked, running, or its values are gone: the others may still go on
        return None, problem.detail


def _start(tx: Tx, parts: EngineParts, keys: KeyFile, batch: BatchRow, source: ExecutionRow) -> str:
    stored = parts.vault.open_value(batch.tenant_id, fetch_value(tx, batch.tenant_id, batch.command))
    asked = ReplayFailure.model_validate(stored)
    # A person has no key that could pay, so the tenant does, as when the person replays one by one.
    kind = PrincipalKind.USER if batch.started_by.startswith("us_") else PrincipalKind.KEY
    principal = Principal(
        batch.tenant_id, batch.started_by, kind, Environment(source.environment), frozenset()
    )
    command = ReplayExecution(
        id=derived_id("ex", batch.id, source.id),
        from_step=None if asked.from_failed_step else "",
        edits=asked.edits,
        reason=asked.reason or "replayed with its group",
    )
    command = settle_mode(source, command)
    recorded = fetch_value(tx, source.tenant_id, get_details(tx, source.id).input)
    packed = pack_replay(parts.vault, principal, source.id, command, recorded, None, metered=parts.metering)
    known = read_source(tx, source, read_pinned(tx, parts, source, None))
    replayed = start_replay(tx, parts, keys, packed, prepare_replay(packed, known))
    replays.set_batch(tx, replayed.row.id, batch.id)
    return replayed.row.id


def _tell(tx: Tx, tenant_id: str, failure_id: str, started: str | None) -> ReplayedFailure:
    batch = store.find_newest(tx, failure_id)
    assert batch is not None, "it was made in the transaction before"
    executions = [view_execution(get_execution(tx, tenant_id, started))] if started else []
    return ReplayedFailure(
        failure=failure_view(get_failure(tx, tenant_id, failure_id)),
        executions=executions,
        skipped=json.loads(batch.skipped),
        remaining=batch.remaining,
        batch=view_batch(batch),
    )


def view_batch(row: BatchRow) -> ReplayBatch:
    """Return the batch as it travels."""
    return ReplayBatch(
        id=row.id,
        status=row.status,
        stopped_reason=row.stopped_reason,
        launched=row.launched,
        remaining=row.remaining,
        next_at_us=row.next_us,
    )
