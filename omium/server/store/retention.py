"""Removing executions and what belongs to them, in portions; payloads that nobody points at."""

from __future__ import annotations

from dataclasses import dataclass

from omium.server.db.tx import Sql, Tx
from omium.server.store.executions import COLUMNS, ExecutionRow

RETIRED = "retired"  # the reason of an execution whose records are being removed


@dataclass(frozen=True, slots=True)
class Values:
    """Value columns of one row that is removed."""

    first: bytes | None
    second: bytes | None


@dataclass(frozen=True, slots=True)
class Setting:
    """A tenant with its settings, as JSON."""

    id: str
    settings: bytes


TENANTS = Sql("SELECT id, settings FROM tenants WHERE id > :after_id ORDER BY id LIMIT :limit")
SETTINGS = Sql("SELECT id, settings FROM tenants WHERE id = :id {for_update}")
SET_SETTINGS = Sql("UPDATE tenants SET settings = :settings WHERE id = :id")
DUE = Sql(f"""
    SELECT {COLUMNS} FROM executions
     WHERE tenant_id = :tenant_id AND status = :status AND ended_us IS NOT NULL AND ended_us < :before_us
     ORDER BY ended_us LIMIT 1 {{skip_locked}}
""")
RETIRE = Sql("UPDATE executions SET reason = 'retired' WHERE id = :execution_id")
STEPS = Sql("""
    SELECT input AS first, output AS second FROM steps WHERE execution_id = :execution_id AND completed_seq IS
    NOT NULL
     ORDER BY completed_seq LIMIT :limit
""")
OTHER_STEPS = Sql("""
    SELECT input AS first, output AS second
      FROM steps WHERE execution_id = :execution_id AND completed_seq IS NULL
""")
LAST_SEQ_OF = Sql("""
    SELECT MAX(completed_seq) FROM (
      SELECT completed_seq FROM steps WHERE execution_id = :execution_id AND completed_seq IS NOT NULL
       ORDER BY completed_seq LIMIT :limit) AS portion
""")
DELETE_STEPS = Sql("DELETE FROM steps WHERE execution_id = :execution_id AND completed_seq <= :through")
DELETE_OTHER_STEPS = Sql("DELETE FROM steps WHERE execution_id = :execution_id")
DELETE_LOGS = Sql("DELETE FROM step_logs WHERE execution_id = :execution_id AND path = :path")
LOG_PATH = Sql("SELECT MIN(path) FROM step_logs WHERE execution_id = :execution_id")
FIRST_SEQ = Sql("SELECT MIN(seq) FROM events WHERE execution_id = :execution_id")
DELETE_OTHER_EVENTS = Sql("DELETE FROM events WHERE execution_id = :execution_id")
DELETE_EVENTS = Sql("DELETE FROM events WHERE execution_id = :execution_id AND seq < :before_seq")
DETAILS = Sql("""
    SELECT input AS first, output AS second
      FROM execution_details WHERE execution_id = :execution_id
""")
STATES = Sql("SELECT state AS first, NULL AS second FROM checkpoints WHERE execution_id = :execution_id")
NODES = Sql("""
    SELECT input AS first, NULL AS second FROM activations WHERE execution_id = :execution_id
    UNION ALL SELECT output, NULL FROM map_items WHERE execution_id = :execution_id
    UNION ALL SELECT payload, NULL FROM signals WHERE execution_id = :execution_id
       AND (consumed_by IS NULL OR EXISTS (
         SELECT 1 FROM executions x WHERE x.id = :execution_id AND x.driver <> 'engine'))
""")
DELETE_TRACE = Sql("DELETE FROM traces WHERE execution_id = :execution_id")  # where it was seen through one
DELETE_EXECUTION = Sql("DELETE FROM executions WHERE id = :execution_id")
LINEAGE = Sql("SELECT 1 FROM executions WHERE lineage_root = :lineage_root LIMIT 1")
EFFECTS = Sql("""
    SELECT input AS first, output AS second
      FROM effects WHERE tenant_id = :tenant_id AND lineage_root = :lineage_root
""")
DELETE_EFFECTS = Sql("DELETE FROM effects WHERE tenant_id = :tenant_id AND lineage_root = :lineage_root")
DELETE_OCCURRENCES = Sql("DELETE FROM failure_occurrences WHERE execution_id = :execution_id")
GROUPS = Sql(
    "SELECT DISTINCT failure_id FROM failure_occurrences WHERE execution_id = :execution_id ORDER BY 1"
)
IS_EMPTY = Sql("SELECT 1 FROM failure_occurrences WHERE failure_id = :failure_id LIMIT 1")
DELETE_GROUP = Sql("DELETE FROM failures WHERE id = :failure_id")
UNUSED = Sql("""
    DELETE FROM payloads WHERE refs = 0 AND (tenant_id, address) IN (
      SELECT tenant_id, address FROM payloads WHERE refs = 0 AND created_us < :before_us
       ORDER BY created_us LIMIT :limit)
""")


def list_tenants(tx: Tx, after_id: str, limit: int) -> list[Setting]:
    return tx.all(TENANTS, Setting, after_id=after_id, limit=limit)


def lock_settings(tx: Tx, tenant_id: str) -> bytes:
    """Return a tenant's settings, locked until the transaction ends."""
    return tx.one(SETTINGS, Setting, id=tenant_id).settings


def set_settings(tx: Tx, tenant_id: str, settings: bytes) -> None:
    tx.execute(SET_SETTINGS, id=tenant_id, settings=settings)


def lock_due(tx: Tx, tenant_id: str, status: str, before_us: int) -> ExecutionRow | None:
    """Return the execution at `status` that ended first and before `before_us`, locked."""
    return tx.one_or_none(DUE, ExecutionRow, tenant_id=tenant_id, status=status, before_us=before_us)


def retire(tx: Tx, execution_id: str) -> None:
    """Mark an execution whose records go: it cannot be resumed or replayed any more."""
    tx.execute(RETIRE, execution_id=execution_id)


def take_steps(tx: Tx, execution_id: str, limit: int) -> list[Values]:
    """Remove up to `limit` completed records and return their values."""
    through = tx.value(LAST_SEQ_OF, execution_id=execution_id, limit=limit)
    if through is None:
        return []
    taken = tx.all(STEPS, Values, execution_id=execution_id, limit=limit)
    tx.execute(DELETE_STEPS, execution_id=execution_id, through=through)
    return taken


def take_logs(tx: Tx, execution_id: str) -> int:
    """Remove the lines of one step, at most 256 KiB; 0 if there are none left."""
    path = tx.value(LOG_PATH, execution_id=execution_id)
    return tx.execute(DELETE_LOGS, execution_id=execution_id, path=path) if path is not None else 0


def take_events(tx: Tx, execution_id: str, limit: int) -> int:
    """Remove up to `limit` events, the oldest first."""
    first = tx.value(FIRST_SEQ, execution_id=execution_id)
    if not isinstance(first, int):
        return 0
    return tx.execute(DELETE_EVENTS, execution_id=execution_id, before_seq=first + limit)


def take_rest(tx: Tx, row: ExecutionRow) -> list[Values]:
    """Remove the execution itself and whatever is left of it, and return the values of all that."""
    values = tx.all(OTHER_STEPS, Values, execution_id=row.id)
    values += tx.all(DETAILS, Values, execution_id=row.id)
    values += tx.all(STATES, Values, execution_id=row.id)
    values += tx.all(NODES, Values, execution_id=row.id)
    tx.send(DELETE_TRACE, execution_id=row.id)
    tx.send(DELETE_OTHER_STEPS, execution_id=row.id)  # these two have no foreign key on PostgreSQL
    tx.send(DELETE_OTHER_EVENTS, execution_id=row.id)
    tx.execute(DELETE_EXECUTION, execution_id=row.id)  # the rest goes with it
    if tx.value(LINEAGE, lineage_root=row.lineage_root) is None:
        key = {"tenant_id": row.tenant_id, "lineage_root": row.lineage_root}
        values += tx.all(EFFECTS, Values, **key)
        tx.execute(DELETE_EFFECTS, **key)
    return values


def delete_execution(tx: Tx, execution_id: str) -> None:
    """Remove an execution's row, and with it what refers to it."""
    tx.execute(DELETE_EXECUTION, execution_id=execution_id)


def list_groups_of(tx: Tx, execution_id: str) -> list[str]:
    """List the failure groups that hold an occurrence of the execution."""
    return tx.all(GROUPS, str, execution_id=execution_id)


def delete_occurrences(tx: Tx, execution_id: str) -> None:
    tx.execute(DELETE_OCCURRENCES, execution_id=execution_id)


def delete_empty_group(tx: Tx, failure_id: str) -> None:
    """Remove a group whose last occurrence has gone."""
    if tx.value(IS_EMPTY, failure_id=failure_id) is None:
        tx.execute(DELETE_GROUP, failure_id=failure_id)


def delete_unused_payloads(tx: Tx, before_us: int, limit: int) -> int:
    """Remove up to `limit` payloads that nobody points at and that are older than `before_us`."""
    return tx.execute(UNUSED, before_us=before_us, limit=limit)
