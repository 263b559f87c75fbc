"""Groups of failures: which occurrences are the same failure, and what one more of them does to their group.

Owns the identity (kind, step, fingerprint), the bound on open groups, and when an ignore still covers. Rows
are locked and changed by failures.py and inbox.py.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace

from omium.fingerprint import fingerprint
from omium.server.db.tx import Tx
from omium.server.store import failures as store
from omium.server.store.executions import ExecutionRow
from omium.server.store.failures import FailureRow, OccurrenceRow
from omium.states import FailureStatus

OPEN_GROUPS_MAX = 500  # per workflow; then one further group per step and type
MESSAGE_CHARS_MAX = 2048


def describe(
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
    return _hashed(str(kind), fingerprint(step, error))


def _hashed(*parts: str) -> str:
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()


def lock_group(tx: Tx, row: ExecutionRow, described: FailureRow) -> FailureRow:
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


def covered_by_ignore(group: FailureRow, now_us: int, code_digest: str | None) -> bool:
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


def counted(group: FailureRow, occurrence: OccurrenceRow, message: str) -> FailureRow:
    """Return `group` with one more occurrence; an open one reopens it and ends its ignore.

    One that is imported may be older than what is known: what was seen last stays.
    """
    counted = replace(
        group, count=group.count + 1, first_seen_us=min(group.first_seen_us, occurrence.created_us)
    )
    if occurrence.created_us >= group.last_seen_us:
        counted = replace(
            counted,
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


def step_name(path: str) -> str:
    """Return `path` without occurrence numbers and map indexes: what all passes of a loop share."""
    return "/".join(segment.split("#")[0].split("[")[0] for segment in path.split("/"))
