"""Failures: what went wrong, grouped by fingerprint, counted, opened, closed and reopened.

Owns the rows of the inbox as executions see them: `record_occurrence` when something fails,
`close_occurrences` when an execution goes on. What a person does with a group is inbox.py, what is shown of
one failure_detail.py.

Groups are locked after every execution and effect, in the order of their ids (docs/decisions/
082-one-order-of-locks.md); a group is open exactly while one of its occurrences is (the schema checks it).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from omium.jsonvalue import JsonValue, json_bytes
from omium.server.alerts.facts import note_fact
from omium.server.db.tx import Tx
from omium.server.engine.failure_groups import counted, covered_by_ignore, describe, lock_group
from omium.server.store import failures as store
from omium.server.store import lineage
from omium.server.store.executions import ExecutionRow, find_execution
from omium.server.store.failures import FailureRow, OccurrenceRow
from omium.states import AlertKind, FailureKind, FailureStatus

SERVER = "omium"  # who disposes where nobody asked
CAUSES_MAX = 64  # causes of causes, replays of replays
_CASCADING = frozenset({FailureKind.ERROR, FailureKind.TIMEOUT, FailureKind.CAPTURED})


def record_occurrence(
    tx: Tx,
    row: ExecutionRow,
    *,
    kind: str,
    path: str,
    seq: int,
    error: Mapping[str, object],
    cause_id: str | None = None,
    at_us: int | None = None,
) -> str:
    """Record that event `seq` of `row` was a failure of `kind` at `path`, and return the occurrence's id.

    Runs in the transaction of that event, so a crash leaves both or neither; for an event that was recorded
    before, the first id is returned and nothing changes. `error` is stored as it is: redact it first.
    `cause_id` makes it a cascade; without, the cause is looked for (a failed child, an output given by hand).
    `at_us` is when it happened, where that is not now: it may be long ago, and nobody is alerted of it.
    """
    known = store.find_occurrence_at(tx, row.id, seq)
    if known is not None:
        return known
    code = find_code_digest(tx, row.id, row.epoch)
    happened_us = tx.now_us if at_us is None else at_us
    group = lock_group(tx, row, describe(row, kind, path, error, happened_us, tx.new_id("fl")))
    covered = covered_by_ignore(group, tx.now_us, code)
    occurrence = OccurrenceRow(
        id=tx.new_id("fo"),
        failure_id=group.id,
        tenant_id=row.tenant_id,
        execution_id=row.id,
        path=path,
        epoch=row.epoch,
        seq=seq,
        status=FailureStatus.IGNORED if covered else FailureStatus.OPEN,
        cause_id=cause_id or _find_cause(tx, row, kind, path, group.id),
        error=json_bytes(as_error(error)),
        code_digest=code,
        created_us=happened_us,
        disposed_us=tx.now_us if covered else None,
        disposed_by=SERVER if covered else None,
        disposed_reason=group.ignored_reason if covered else None,
    )
    store.insert_occurrence(tx, occurrence)
    store.update_failure(tx, counted(group, occurrence, str(error.get("message") or "")))
    is_news = at_us is None and group.status != FailureStatus.OPEN
    if is_news and occurrence.status == FailureStatus.OPEN:
        note_opened(tx, group, again=group.count > 0)
    return occurrence.id


def note_opened(tx: Tx, group: FailureRow, *, again: bool) -> None:
    """Note that `group` is open now. Its message stays in here: alerts leave the house."""
    note_fact(
        tx,
        AlertKind.FAILURE_REOPENED if again else AlertKind.FAILURE_OPENED,
        group.tenant_id,
        subject=group.id,
        text=f"{group.workflow} fails{' again' if again else ''} in {group.step or 'its body'}:"
        f" {group.error_type}.",
        environment=group.environment,
        workflow=group.workflow,
    )


def lock_groups(
    tx: Tx,
    row: ExecutionRow,
    coming: Sequence[tuple[str, str, Mapping[str, object]]] = (),
    *,
    open_of: Collection[str] = (),
    perhaps: bool = False,
) -> None:
    """Lock every group that the transaction is going to change, in one order.

    They are those in which `coming`, each (kind, path, error), will be recorded, and those with an open
    occurrence of the executions `open_of`. One that is not there yet is made here, unless it is only
    `perhaps` recorded.
    """
    opened = {each.failure_id for id_ in open_of for each in store.list_open_of_execution(tx, id_)}
    if not opened and len(coming) < 2:  # a single one is locked when it is recorded
        return
    described = [describe(row, kind, path, error, tx.now_us, tx.new_id("fl")) for kind, path, error in coming]
    found = [store.find_by_fingerprint(tx, each) for each in described]
    for failure_id in sorted(opened | {each for each in found if each is not None}):
        store.lock_failure(tx, row.tenant_id, failure_id)
    missing = [each for each, known in zip(described, found, strict=True) if known is None and not perhaps]
    for each in sorted(missing, key=lambda group: group.fingerprint):
        lock_group(tx, row, each)


def close_occurrences(
    tx: Tx,
    row: ExecutionRow,
    *,
    status: FailureStatus,
    by: str,
    reason: str,
    after_seq: int = 0,
    kept_open: Collection[str] = (),
) -> int:
    """Close the open occurrences of `row` whose event came after `after_seq`; return how many there were.

    Called in the transaction that lets the execution go on; a second call finds nothing open. Kinds in
    `kept_open` are left as they are.
    """
    opened = [
        occurrence
        for occurrence in store.list_open_of_execution(tx, row.id, after_seq)
        if not kept_open or _kind_of(tx, occurrence) not in kept_open
    ]
    return close_opened(tx, row, opened, status=status, by=by, reason=reason)


def close_opened(
    tx: Tx, row: ExecutionRow, opened: list[OccurrenceRow], *, status: FailureStatus, by: str, reason: str
) -> int:
    """Close the occurrences `opened`, of `row` and of others of its tenant; return how many there were."""
    assert status is not FailureStatus.OPEN
    opened = sorted(opened, key=lambda occurrence: occurrence.failure_id)
    for failure_id, occurrences in groupby(opened, key=lambda occurrence: occurrence.failure_id):
        close_in_group(
            tx,
            row.tenant_id,
            failure_id,
            [each.id for each in occurrences],
            status=status,
            by=by,
            reason=reason,
        )
    return len(opened)


def close_occurrence(
    tx: Tx, row: ExecutionRow, occurrence_id: str, *, status: FailureStatus, by: str, reason: str
) -> None:
    """Close one occurrence of `row`, if it is open: it was recorded, and nobody is to act on it."""
    for occurrence in store.list_open_of_execution(tx, row.id, row.last_seq - 1):
        if occurrence.id == occurrence_id:
            close_in_group(
                tx, row.tenant_id, occurrence.failure_id, [occurrence.id], status=status, by=by, reason=reason
            )


def is_covered_only(tx: Tx, row: ExecutionRow) -> bool:
    """Say whether the last that happened to `row` was a failure which a standing ignore covered."""
    newest = store.list_of_execution(tx, row.id, limit=1)
    return bool(newest) and (newest[0].seq, newest[0].status, newest[0].disposed_by) == (
        row.last_seq,
        FailureStatus.IGNORED,
        SERVER,
    )


def _kind_of(tx: Tx, occurrence: OccurrenceRow) -> str:
    group = store.find_failure(tx, occurrence.tenant_id, occurrence.failure_id)
    return group.kind if group else ""


def close_in_group(
    tx: Tx,
    tenant_id: str,
    failure_id: str,
    occurrence_ids: list[str],
    *,
    status: FailureStatus,
    by: str,
    reason: str,
) -> FailureRow | None:
    """Close those of `occurrence_ids` that are open; with the last one the group takes `status`.

    Returns the group afterwards, None where retention took it meanwhile.
    """
    group = store.lock_failure(tx, tenant_id, failure_id)
    if group is None:
        return None
    closed = store.dispose(
        tx, occurrence_ids, was=FailureStatus.OPEN, status=status, at_us=tx.now_us, by=by, reason=reason
    )
    left = group.open_count - closed
    changed = replace(group, open_count=left, status=group.status if left or not closed else status)
    store.update_failure(tx, changed)
    return changed


def _find_cause(tx: Tx, row: ExecutionRow, kind: str, path: str, failure_id: str) -> str | None:
    """Return the occurrence at the root of what this one follows from; None if it's a root itself.

    A failed child, and an output that a person gave: for an effect that nobody knew of, or as a patch of a
    replay. What fails in the same group again is the same failure, not a consequence.
    """
    if kind not in _CASCADING:  # a lost driver, an unknown effect: no output that was read has led to that
        return None
    near = (
        lineage.find_failed_child_occurrence(tx, row.id, path)
        or lineage.find_decided_question(tx, row.id)
        or _find_patched(tx, row)
    )
    cause = store.find_occurrence(tx, row.tenant_id, near) if near is not None else None
    for _ in range(CAUSES_MAX):
        if cause is None or cause.cause_id is None:
            break
        cause = store.find_occurrence(tx, row.tenant_id, cause.cause_id) or cause
    return cause.id if cause is not None and cause.failure_id != failure_id else None


def _find_patched(tx: Tx, row: ExecutionRow) -> str | None:
    """Return the newest failure of what a patched replay was made of, also over replays in between."""
    edits = lineage.find_edits(tx, row.id)
    patched = edits is not None and any(edit["target"] != "input" for edit in json.loads(edits))
    if row.replay_of is None or not (patched or lineage.has_edited_step(tx, row.id)):
        return None
    source_id: str | None = row.replay_of
    for _ in range(CAUSES_MAX):
        found = store.list_of_execution(tx, source_id, limit=1) if source_id is not None else []
        if found or source_id is None:
            return found[0].id if found else None
        source = find_execution(tx, row.tenant_id, source_id)
        source_id = source.replay_of if source is not None else None
    return None


def find_code_digest(tx: Tx, execution_id: str, epoch: int | None = None) -> str | None:
    """Return the digest of the code that an epoch ran, or that ran last; None where no driver told it."""
    code = lineage.find_code(tx, execution_id, epoch)
    return (json.loads(code).get("digest") or None) if code else None


def as_error(error: object) -> dict[str, JsonValue]:
    """Return what a driver sent as an error as an object; one that is none becomes its message."""
    if isinstance(error, Mapping):
        return dict(error)
    return {"type": "Error", "message": str(error)}
