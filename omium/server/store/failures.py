"""Failures and their occurrences: the SQL of the inbox.

A group (`failures`) counts its occurrences and how many of them are open; it is open exactly while one is,
and the schema checks that. Nothing here decides: what covers, closes or reopens is engine/failures.py and
engine/inbox.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from omium.server.db.sql import Sql
from omium.server.db.tx import SqlValue, Tx


@dataclass(frozen=True, slots=True)
class FailureRow:
    """A group of occurrences with one fingerprint."""

    id: str
    tenant_id: str
    environment: str
    workflow: str
    fingerprint: str
    kind: str
    status: str
    error_type: str
    message: str
    step: str
    count: int
    open_count: int
    first_seen_us: int
    last_seen_us: int
    last_execution_id: str
    ignored_until_us: int | None
    ignored_count_left: int | None
    ignored_code: str | None
    ignored_reason: str | None


@dataclass(frozen=True, slots=True)
class OccurrenceRow:
    """One time that it happened; `disposed_*` say who closed it and why."""

    id: str
    failure_id: str
    tenant_id: str
    execution_id: str
    path: str
    epoch: int
    seq: int
    status: str
    cause_id: str | None
    error: bytes
    code_digest: str | None
    created_us: int
    disposed_us: int | None
    disposed_by: str | None
    disposed_reason: str | None


_GROUP = """id, tenant_id, environment, workflow, fingerprint, kind, status, error_type, message, step, count,
       open_count, first_seen_us, last_seen_us, last_execution_id, ignored_until_us, ignored_count_left,
       ignored_code, ignored_reason"""
_OCCURRENCE = """id, failure_id, tenant_id, execution_id, path, epoch, seq, status, cause_id, error,
code_digest,
       created_us, disposed_us, disposed_by, disposed_reason"""

FIND = Sql(f"SELECT {_GROUP} FROM failures WHERE id = :id AND tenant_id = :tenant_id")
LOCK = Sql(f"SELECT {_GROUP} FROM failures WHERE id = :id AND tenant_id = :tenant_id {{for_update}}")


def find_failure(tx: Tx, tenant_id: str, failure_id: str) -> FailureRow | None:
    return tx.one_or_none(FIND, FailureRow, id=failure_id, tenant_id=tenant_id)


def lock_failure(tx: Tx, tenant_id: str, failure_id: str) -> FailureRow | None:
    return tx.one_or_none(LOCK, FailureRow, id=failure_id, tenant_id=tenant_id)


FIND_BY_FINGERPRINT = Sql("""
    SELECT id FROM failures
     WHERE tenant_id = :tenant_id AND environment = :environment AND workflow = :workflow
       AND fingerprint = :fingerprint
""")


def find_by_fingerprint(tx: Tx, described: FailureRow) -> str | None:
    """Return the id of the group that is the same failure as `described`, or None."""
    return tx.one_or_none(
        FIND_BY_FINGERPRINT,
        str,
        tenant_id=described.tenant_id,
        environment=described.environment,
        workflow=described.workflow,
        fingerprint=described.fingerprint,
    )


LOCK_BY_FINGERPRINT = Sql(f"""
    SELECT {_GROUP}
      FROM failures
     WHERE tenant_id = :tenant_id AND environment = :environment AND workflow = :workflow
       AND fingerprint = :fingerprint {{for_update}}
""")


def lock_by_fingerprint(
    tx: Tx, tenant_id: str, environment: str, workflow: str, fingerprint: str
) -> FailureRow | None:
    return tx.one_or_none(
        LOCK_BY_FINGERPRINT,
        FailureRow,
        tenant_id=tenant_id,
        environment=environment,
        workflow=workflow,
        fingerprint=fingerprint,
    )


INSERT = Sql(f"""
    INSERT INTO failures ({_GROUP})
    VALUES (:id, :tenant_id, :environment, :workflow, :fingerprint, :kind, :status, :error_type, :message,
    :step,
            :count, :open_count, :first_seen_us, :last_seen_us, :last_execution_id, :ignored_until_us,
            :ignored_count_left, :ignored_code, :ignored_reason)
    ON CONFLICT (tenant_id, environment, workflow, fingerprint) DO NOTHING
""")  # a neighbour may have opened the same group: the caller locks it then


def insert_failure(tx: Tx, row: FailureRow) -> bool:
    """Insert a group; False where its fingerprint has one already."""
    return tx.execute(INSERT, **_columns(row)) == 1


UPDATE = Sql("""
    UPDATE failures
       SET status = :status, message = :message, count = :count, open_count = :open_count,
           first_seen_us = :first_seen_us, last_seen_us = :last_seen_us,
           last_execution_id = :last_execution_id,
           ignored_until_us = :ignored_until_us, ignored_count_left = :ignored_count_left,
           ignored_code = :ignored_code, ignored_reason = :ignored_reason
     WHERE id = :id
""")


def update_failure(tx: Tx, row: FailureRow) -> None:
    """Write what may change of a group that the caller has locked."""
    changing = _columns(row)
    for fixed in _FIXED:
        del changing[fixed]
    tx.execute(UPDATE, **changing)


_FIXED = (
    "tenant_id",
    "environment",
    "workflow",
    "fingerprint",
    "kind",
    "error_type",
    "step",
)

COUNT_OPEN = Sql("""
    SELECT COUNT(*) FROM (
      SELECT 1 AS found FROM failures WHERE tenant_id = :tenant_id AND workflow = :workflow AND status =
      'open' LIMIT :most) AS found_rows
""")  # never counts further than it must


def count_open_groups(tx: Tx, tenant_id: str, workflow: str, most: int) -> int:
    """Count the open groups of a workflow, up to `most`."""
    return int(tx.value(COUNT_OPEN, tenant_id=tenant_id, workflow=workflow, most=most) or 0)


_RESIDUE = """(:workflow = '' OR workflow = :workflow) AND (:environment = '' OR environment = :environment)
       AND (:kind = '' OR kind = :kind) AND (last_seen_us, id) < (:before_us, :before_id)
     ORDER BY last_seen_us DESC, id DESC LIMIT :limit"""
LIST = Sql(f"SELECT {_GROUP} FROM failures WHERE tenant_id = :tenant_id AND {_RESIDUE}")
LIST_BY_STATUS = Sql(
    f"SELECT {_GROUP} FROM failures WHERE tenant_id = :tenant_id AND status = :status AND {_RESIDUE}"
)
LIST_OF_EXECUTION = Sql(f"""
    SELECT {_GROUP} FROM failures
     WHERE tenant_id = :tenant_id AND (:status = '' OR status = :status)
       AND id IN (SELECT failure_id FROM failure_occurrences WHERE execution_id = :execution_id)
       AND {_RESIDUE}
""")  # begins with the execution's occurrences, which are few, and has no more groups than those


def list_failures(
    tx: Tx,
    tenant_id: str,
    *,
    status: str,
    workflow: str,
    environment: str,
    kind: str,
    before_us: int,
    before_id: str,
    limit: int,
    execution_id: str = "",
) -> list[FailureRow]:
    """List groups, the last seen first; an empty filter takes all."""
    filters: dict[str, SqlValue] = {"tenant_id": tenant_id, "workflow": workflow, "environment": environment}
    filters |= {"kind": kind, "before_us": before_us, "before_id": before_id, "limit": limit}
    if execution_id:
        return tx.all(LIST_OF_EXECUTION, FailureRow, status=status, execution_id=execution_id, **filters)
    if status:
        return tx.all(LIST_BY_STATUS, FailureRow, status=status, **filters)
    return tx.all(LIST, FailureRow, **filters)


SNOOZED = Sql(f"""
    SELECT {_GROUP} FROM failures
     WHERE ignored_until_us IS NOT NULL AND ignored_until_us <= :now_us
     ORDER BY ignored_until_us LIMIT :limit {{skip_locked}}
""")


def lock_ignored_until(tx: Tx, now_us: int, limit: int) -> list[FailureRow]:
    """Lock groups whose ignore has a date that has come, of any tenant."""
    return tx.all(SNOOZED, FailureRow, now_us=now_us, limit=limit)


# ---- occurrences

INSERT_OCCURRENCE = Sql(f"""
    INSERT INTO failure_occurrences ({_OCCURRENCE})
    VALUES (:id, :failure_id, :tenant_id, :execution_id, :path, :epoch, :seq, :status, :cause_id, :error,
            :code_digest, :created_us, :disposed_us, :disposed_by, :disposed_reason)
""")


def insert_occurrence(tx: Tx, row: OccurrenceRow) -> None:
    tx.execute(INSERT_OCCURRENCE, **_columns(row))


FIND_OCCURRENCE = Sql(
    f"SELECT {_OCCURRENCE} FROM failure_occurrences WHERE id = :id AND tenant_id = :tenant_id"
)
AT_SEQ = Sql("SELECT id FROM failure_occurrences WHERE execution_id = :execution_id AND seq = :seq")
OF_EXECUTION = Sql(f"""
    SELECT {_OCCURRENCE} FROM failure_occurrences WHERE execution_id = :execution_id ORDER BY seq DESC LIMIT
    :limit
""")
OPEN_OF_EXECUTION = Sql(f"""
    SELECT {_OCCURRENCE} FROM failure_occurrences
     WHERE execution_id = :execution_id AND seq > :after_seq AND status = 'open' ORDER BY failure_id, seq
""")
NEWEST = Sql(f"""
    SELECT {_OCCURRENCE} FROM failure_occurrences
     WHERE failure_id = :failure_id ORDER BY created_us DESC, id DESC LIMIT 1
""")
PAGE_OCCURRENCES = Sql(f"""
    SELECT {_OCCURRENCE} FROM failure_occurrences
     WHERE failure_id = :failure_id AND (created_us, id) < (:before_us, :before_id)
     ORDER BY created_us DESC, id DESC LIMIT :limit
""")
OLDEST_WITH_STATUS = Sql(f"""
    SELECT {_OCCURRENCE} FROM failure_occurrences
     WHERE failure_id = :failure_id AND status = :status AND (created_us, id) > (:after_us, :after_id)
     ORDER BY created_us, id LIMIT :limit
""")
DISPOSE = Sql("""
    UPDATE failure_occurrences
       SET status = :status, disposed_us = :disposed_us, disposed_by = :disposed_by,
           disposed_reason = :disposed_reason
     WHERE id = :id AND status = :was
""")


def find_occurrence(tx: Tx, tenant_id: str, occurrence_id: str) -> OccurrenceRow | None:
    return tx.one_or_none(FIND_OCCURRENCE, OccurrenceRow, id=occurrence_id, tenant_id=tenant_id)


def find_occurrence_at(tx: Tx, execution_id: str, seq: int) -> str | None:
    """Return the id of the occurrence that event `seq` opened: what makes a repeat the same."""
    return tx.one_or_none(AT_SEQ, str, execution_id=execution_id, seq=seq)


def list_of_execution(tx: Tx, execution_id: str, limit: int = 50) -> list[OccurrenceRow]:
    """List an execution's occurrences, the newest first."""
    return tx.all(OF_EXECUTION, OccurrenceRow, execution_id=execution_id, limit=limit)


def list_open_of_execution(tx: Tx, execution_id: str, after_seq: int = 0) -> list[OccurrenceRow]:
    return tx.all(OPEN_OF_EXECUTION, OccurrenceRow, execution_id=execution_id, after_seq=after_seq)


def find_newest(tx: Tx, failure_id: str) -> OccurrenceRow | None:
    return tx.one_or_none(NEWEST, OccurrenceRow, failure_id=failure_id)


def list_occurrences(
    tx: Tx, failure_id: str, *, before_us: int, before_id: str, limit: int
) -> list[OccurrenceRow]:
    """List a group's occurrences, the newest first."""
    return tx.all(
        PAGE_OCCURRENCES,
        OccurrenceRow,
        failure_id=failure_id,
        before_us=before_us,
        before_id=before_id,
        limit=limit,
    )


def list_with_status(
    tx: Tx, failure_id: str, status: str, *, limit: int, after_us: int = -1, after_id: str = ""
) -> list[OccurrenceRow]:
    """List a group's occurrences with `status`, the oldest first, after (`after_us`, `after_id`)."""
    return tx.all(
        OLDEST_WITH_STATUS,
        OccurrenceRow,
        failure_id=failure_id,
        status=status,
        after_us=after_us,
        after_id=after_id,
        limit=limit,
    )


def dispose(
    tx: Tx, ids: list[str], *, was: str, status: str, at_us: int | None, by: str | None, reason: str | None
) -> int:
    """Change the status of the occurrences `ids` that are `was`; return how many were."""
    return tx.execute_many(
        DISPOSE,
        [
            {
                "id": id_,
                "was": was,
                "status": status,
                "disposed_us": at_us,
                "disposed_by": by,
                "disposed_reason": reason,
            }
            for id_ in ids
        ],
    )


def _columns(row: FailureRow | OccurrenceRow) -> dict[str, SqlValue]:
    return {name: getattr(row, name) for name in row.__dataclass_fields__}
