"""Failures: what went wrong, grouped by fingerprint, counted, opened, closed and reopened.

Owns the rows of the inbox as executions see them: `record_occurrence` when something fails,
`close_occurrences` when an execution goes on. What a person does with a group is inbox.py, what is shown of
one failure_detail.py.

The order of locks is execution, then group, groups by their id; a group is open exactly while one of its
occurrences is (the schema checks it).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from itertools import groupby

from omium.jsonvalue import JsonValue, json_bytes
from omium.server.db.tx import Tx
from omium.server.store import failures as store
from omium.server.store import lineage
from omium.server.store.executions import ExecutionRow
from omium.server.store.failures import FailureRow, OccurrenceRow
from omium.states import FailureStatus

OPEN_GROUPS_MAX = 500  # per workflow; then one further group per step and type
MESSAGE_CHARS_MAX = 2048
_NUMBERS = re.compile(r"[0-9]+")
SERVER = "omium"  # who disposes where nobody asked


def record_occurrence(
    tx: Tx,
    row: ExecutionRow,
    *,
    kind: str,
    path: str,
    seq: int,
    error: Mapping[str, object],
    cause_id: str | None = None,
) -> str:
    """Record that event `seq` of `row` was a failure of `kind` at `path`, and return the occurrence's id.

    Runs in the transaction of that event, so a crash leaves both or neither; for an event that was recorded
    before, the first id is returned and nothing changes. `error` is stored as it is: redact it first.
    `cause_id` makes it a cascade; without, the cause is looked for (a failed child, a patched source).
    """
    known = store.find_occurrence_at(tx, row.id, seq)
    if known is not None:
        return known
    code = find_code_digest(tx, row.id, row.epoch)
    group = _lock_group(tx, row, _describe(row, kind, path, error, tx.now_us, tx.new_id("fl")))
    covered = _covered_by_ignore(group, tx.now_us, code)
    occurrence = OccurrenceRow(
        id=tx.new_id("fo"),
        failure_id=group.id,
        tenant_id=row.tenant_id,
        execution_id=row.id,
        path=path,
        epoch=row.epoch,
        seq=seq,
        status=FailureStatus.IGNORED if covered else FailureStatus.OPEN,
        cause_id=cause_id or _find_cause(tx, row, path, group.id),
        error=json_bytes(as_error(error)),
        code_digest=code,
        created_us=tx.now_us,
        disposed_us=tx.now_us if covered else None,
        disposed_by=SERVER if covered else None,
        disposed_reason=group.ignored_reason if covered else None,
    )
    store.insert_occurrence(tx, occurrence)
    store.update_failure(tx, _counted(group, occurrence, str(error.get("message") or "")))
    return occurrence.id


def close_occurrences(
    tx: Tx, row: ExecutionRow, *, status: FailureStatus, by: str, reason: str, after_seq: int = 0
) -> int:
    """Close the open occurrences of `row` whose event came after `after_seq`; return how many there were.

    Called in the transaction that lets the execution go on; a second call finds nothing open.
    """
    assert status is not FailureStatus.OPEN
    opened = store.list_open_of_execution(tx, row.id, after_seq)
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


def _describe(
    row: ExecutionRow, kind: str, path: str, error: Mapping[str, object], now_us: int, failure_id: str
) -> FailureRow:
    """Return the group that this error would open, with nothing counted yet."""
    step, error_type = step_name(path), str(error.get("type") or "Error")
    return FailureRow(
        id=failure_id,
        tenant_id=row.tenant_id,
        environment=row.environment,
        workflow=row.workflow,
        fingerprint=_identify(kind, step, error),
        kind=str(kind),
        status=FailureStatus.RESOLVED,  # until its first occurrence is counted, in the same transaction
        error_type=error_type[:200],
        message=str(error.get("message") or "")[:MESSAGE_CHARS_MAX],
        step=step,
        count=0,
        open_count=0,
        first_seen_us=now_us,
        last_seen_us=now_us,
        last_execution_id=row.id,
        ignored_until_us=None,
        ignored_count_left=None,
        ignored_code=None,
        ignored_reason=None,
    )


def _identify(kind: str, step: str, error: Mapping[str, object]) -> str:
    message = _NUMBERS.sub("0", str(error.get("message") or "")[:MESSAGE_CHARS_MAX])
    return _hashed(str(kind), step, str(error.get("type")), message)


def _hashed(*parts: str) -> str:
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()


def _lock_group(tx: Tx, row: ExecutionRow, described: FailureRow) -> FailureRow:
    """Return the error's group, locked; a new one where there is none, the overflow's if there are too many.

    Two transactions on PostgreSQL may both open the five-hundredth group: the bound protects the inbox, a
    few more don't hurt it.
    """
    found = _lock_like(tx, described)
    if found is not None:
        return found
    if store.count_open_groups(tx, row.tenant_id, row.workflow, OPEN_GROUPS_MAX) >= OPEN_GROUPS_MAX:
        described = replace(
            described,
            fingerprint=_hashed("overflow", described.kind, described.step, described.error_type),
            message=f"More kinds of {described.error_type} than this inbox lists one by one.",
        )
        found = _lock_like(tx, described)
        if found is not None:
            return found
    store.insert_failure(tx, described)
    inserted = _lock_like(tx, described)  # ours, or that of a neighbour who was faster
    assert inserted is not None
    return inserted


def _lock_like(tx: Tx, described: FailureRow) -> FailureRow | None:
    return store.lock_by_fingerprint(
        tx, described.tenant_id, described.environment, described.workflow, described.fingerprint
    )


def _covered_by_ignore(group: FailureRow, now_us: int, code_digest: str | None) -> bool:
    """Say whether the group's ignore still holds; one without a condition closed only what was there."""
    if group.status != FailureStatus.IGNORED:
        return False
    conditions = (group.ignored_until_us, group.ignored_count_left, group.ignored_code)
    if all(condition is None for condition in conditions):
        return False
    in_time = group.ignored_until_us is None or now_us < group.ignored_until_us
    in_count = group.ignored_count_left is None or group.ignored_count_left > 0
    same_code = group.ignored_code is None or group.ignored_code == (code_digest or "")
    return in_time and in_count and same_code


def _counted(group: FailureRow, occurrence: OccurrenceRow, message: str) -> FailureRow:
    """Return `group` with one more occurrence; an open one reopens it and ends its ignore."""
    counted = replace(
        group,
        count=group.count + 1,
        message=group.message if _is_overflow(group) else message[:MESSAGE_CHARS_MAX],
        last_seen_us=occurrence.created_us,
        last_execution_id=occurrence.execution_id,
    )
    if occurrence.status == FailureStatus.OPEN:
        return replace(reopened(counted), open_count=group.open_count + 1)
    left = group.ignored_count_left
    return replace(counted, ignored_count_left=left - 1 if left is not None else None)


def reopened(group: FailureRow) -> FailureRow:
    """Return `group` open, with its ignore over; the caller counts what is open."""
    return replace(
        group,
        status=FailureStatus.OPEN,
        ignored_until_us=None,
        ignored_count_left=None,
        ignored_code=None,
        ignored_reason=None,
    )


def _is_overflow(group: FailureRow) -> bool:
    return group.fingerprint == _hashed("overflow", group.kind, group.step, group.error_type)


def _find_cause(tx: Tx, row: ExecutionRow, path: str, failure_id: str) -> str | None:
    """Return what this occurrence follows from: a failed child's, or that of a patched replay's source.

    A patched replay that fails in the same group again is the same failure, not a consequence of the patch.
    """
    child = lineage.find_failed_child_occurrence(tx, row.id, path)
    if child is not None:
        return child
    if row.replay_of is None or not _has_patched_output(tx, row.id):
        return None
    source = store.list_of_execution(tx, row.replay_of, limit=1)
    return source[0].id if source and source[0].failure_id != failure_id else None


def _has_patched_output(tx: Tx, execution_id: str) -> bool:
    edits = lineage.find_edits(tx, execution_id)
    return edits is not None and any(edit["target"] != "input" for edit in json.loads(edits))


def find_code_digest(tx: Tx, execution_id: str, epoch: int | None = None) -> str | None:
    """Return the digest of the code that an epoch ran, or that ran last; None where no driver told it."""
    code = lineage.find_code(tx, execution_id, epoch)
    return (json.loads(code).get("digest") or None) if code else None


def step_name(path: str) -> str:
    """Return `path` without occurrence numbers and map indexes: what all passes of a loop share."""
    return "/".join(segment.split("#")[0].split("[")[0] for segment in path.split("/"))


def as_error(error: object) -> dict[str, JsonValue]:
    """Return what a driver sent as an error as an object; one that is none becomes its message."""
    if isinstance(error, Mapping):
        return dict(error)
    return {"type": "Error", "message": str(error)}
