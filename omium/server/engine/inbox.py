"""The failure inbox: what a person sees of the groups, and does with one: ignore, resolve, come back to it.

Owns lists and dispositions. How occurrences get there is failures.py, the page about one failure
failure_detail.py, and replaying a group batches.py.

A group may have many open occurrences, so closing it is a sequence of small transactions. If the process dies
between them the group is still open, with fewer open occurrences, and the same request goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from omium.errors import NotFound
from omium.jsonvalue import parse_json
from omium.models.failure import Failure, IgnoreFailure, Occurrence
from omium.server.db.tx import Database, Tx
from omium.server.engine.failure_groups import reopened
from omium.server.engine.failures import SERVER, close_in_group, find_code_digest, note_opened
from omium.server.principal import Principal
from omium.server.store import failures as store
from omium.server.store.executions import find_execution
from omium.server.store.failures import FailureRow, OccurrenceRow
from omium.states import ExecutionStatus, FailureStatus

PORTION = 250  # occurrences closed or reopened per transaction


@dataclass(frozen=True, slots=True)
class Filters:
    """Which groups to list; an empty one takes all."""

    status: str = ""
    workflow: str = ""
    environment: str = ""
    kind: str = ""
    execution_id: str = ""


def list_failures(
    tx: Tx, tenant_id: str, filters: Filters, *, before: tuple[int, str], limit: int
) -> list[FailureRow]:
    """Return up to `limit` groups that were last seen before `before`, the newest first."""
    return store.list_failures(
        tx,
        tenant_id,
        status=filters.status,
        workflow=filters.workflow,
        environment=filters.environment,
        kind=filters.kind,
        execution_id=filters.execution_id,
        before_us=before[0],
        before_id=before[1],
        limit=limit,
    )


def list_occurrences(
    tx: Tx, tenant_id: str, failure_id: str, *, before: tuple[int, str], limit: int
) -> list[OccurrenceRow]:
    """Return up to `limit` occurrences of a group that are older than `before`, the newest first."""
    get_failure(tx, tenant_id, failure_id)
    return store.list_occurrences(tx, failure_id, before_us=before[0], before_id=before[1], limit=limit)


def get_failure(tx: Tx, tenant_id: str, failure_id: str) -> FailureRow:
    """Return the tenant's group, or raise `NotFound`."""
    return _found(store.find_failure(tx, tenant_id, failure_id), failure_id)


def _found(row: FailureRow | None, failure_id: str) -> FailureRow:
    if row is None:
        raise NotFound(f"There is no failure {failure_id} here; see `omium failures list`.")
    return row


async def ignore_failure(
    db: Database, principal: Principal, failure_id: str, command: IgnoreFailure
) -> Failure:
    """Close a group's open occurrences, and cover new ones until a condition of `command` is over.

    With no condition only what is there is closed. The same request again is the same, and counts
    `until_count` afresh.
    """

    def cover(tx: Tx, group: FailureRow) -> FailureRow:
        code = (find_code_digest(tx, group.last_execution_id) or "") if command.until_new_code else None
        return replace(
            group,
            status=FailureStatus.IGNORED,
            ignored_until_us=command.until_us,
            ignored_count_left=command.until_count,
            ignored_code=code,
            ignored_reason=command.reason,
        )

    return await _close(db, principal, failure_id, FailureStatus.IGNORED, command.reason, cover)


async def resolve_failure(db: Database, principal: Principal, failure_id: str, reason: str) -> Failure:
    """Close a group's open occurrences for good; a new one opens it again."""

    def end_ignore(_tx: Tx, group: FailureRow) -> FailureRow:
        return replace(reopened(group), status=FailureStatus.RESOLVED)

    return await _close(db, principal, failure_id, FailureStatus.RESOLVED, reason, end_ignore)


async def _close(
    db: Database,
    principal: Principal,
    failure_id: str,
    status: FailureStatus,
    reason: str,
    finish: Callable[[Tx, FailureRow], FailureRow],
) -> Failure:
    """Close what is open of a group, portion by portion; the last one applies `finish` to the group."""

    def portion(tx: Tx) -> FailureRow:
        opened = store.list_with_status(tx, failure_id, FailureStatus.OPEN, limit=PORTION)
        ids = [occurrence.id for occurrence in opened]
        row = close_in_group(
            tx, principal.tenant_id, failure_id, ids, status=status, by=principal.id, reason=reason
        )
        group = _found(row, failure_id)
        if group.open_count == 0:
            group = finish(tx, group)
            store.update_failure(tx, group)
        return group

    group = await db.write(portion)
    for _ in range(group.open_count // PORTION + 1):  # what fails faster than this closes it stays open
        if group.open_count == 0:
            break
        group = await db.write(portion)
    return failure_view(group)


def end_ignores(tx: Tx) -> int:
    """Open a group again whose ignore had a date that has come; return how many occurrences were looked at.

    A sweep calls this until it returns 0. What went on meanwhile is resolved instead of opened. The date is
    taken away with the last portion, so a process that dies in between goes on where it stopped.
    """
    due = store.lock_ignored_until(tx, tx.now_us, limit=1)
    if not due:
        return 0
    (group,) = due
    ignored = store.list_with_status(tx, group.id, FailureStatus.IGNORED, limit=PORTION + 1)
    portion = ignored[:PORTION]
    still = [each.id for each in portion if _still_stands(tx, each)]
    rest = [each.id for each in portion if each.id not in still]
    was = FailureStatus.IGNORED
    opened = store.dispose(tx, still, was=was, status=FailureStatus.OPEN, at_us=None, by=None, reason=None)
    store.dispose(
        tx, rest, was=was, status=FailureStatus.RESOLVED, at_us=tx.now_us, by=SERVER, reason="it went on"
    )
    open_count = group.open_count + opened
    changed = replace(
        group, open_count=open_count, status=FailureStatus.OPEN if open_count else FailureStatus.IGNORED
    )
    if len(ignored) <= PORTION:
        status = changed.status if open_count else FailureStatus.RESOLVED
        changed = replace(reopened(changed), status=status)
    store.update_failure(tx, changed)
    if changed.status == FailureStatus.OPEN and group.status != FailureStatus.OPEN:
        note_opened(tx, changed, again=True)
    return len(portion) + 1


def _still_stands(tx: Tx, occurrence: OccurrenceRow) -> bool:
    row = find_execution(tx, occurrence.tenant_id, occurrence.execution_id)
    return row is not None and row.status in _STANDING


_STANDING = frozenset({ExecutionStatus.FAILED.value, ExecutionStatus.PAUSED.value})


def failure_view(row: FailureRow) -> Failure:
    """Return the group as it travels."""
    return Failure(
        id=row.id,
        status=FailureStatus(row.status),
        kind=row.kind,
        environment=row.environment,
        workflow=row.workflow,
        fingerprint=row.fingerprint,
        error_type=row.error_type,
        message=row.message,
        step=row.step,
        count=row.count,
        open_count=row.open_count,
        first_seen_at_us=row.first_seen_us,
        last_seen_at_us=row.last_seen_us,
        execution_id=row.last_execution_id,
        ignored_until_us=row.ignored_until_us,
        ignored_count_left=row.ignored_count_left,
        ignored_code=row.ignored_code,
        ignored_reason=row.ignored_reason,
    )


def occurrence_view(row: OccurrenceRow) -> Occurrence:
    """Return the occurrence as it travels."""
    return Occurrence(
        id=row.id,
        execution_id=row.execution_id,
        key=row.path,
        seq=row.seq,
        status=FailureStatus(row.status),
        cause_id=row.cause_id,
        error=parse_json(row.error),
        created_at_us=row.created_us,
        disposed_at_us=row.disposed_us,
        disposed_by=row.disposed_by,
        disposed_reason=row.disposed_reason,
    )
