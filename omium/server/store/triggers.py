"""Triggers as rows: webhooks that come in, and ends of other workflows."""

from __future__ import annotations

from dataclasses import dataclass

from omium.server.db.tx import Sql, Tx


@dataclass(frozen=True, slots=True)
class TriggerRow:
    """A trigger; `inputs` is a value column with references, None for the default."""

    id: str
    tenant_id: str
    environment: str
    name: str
    kind: str
    workflow: str
    queue: str
    inputs: bytes | None
    sealed: bytes | None
    after_workflow: str | None
    outcome: str | None
    seen_us: int
    created_us: int
    created_by: str


@dataclass(frozen=True, slots=True)
class EndRow:
    """An execution that has ended, as a trigger sees it."""

    id: str
    status: str
    ended_us: int


_NAMES = TriggerRow.__slots__
_COLUMNS = ", ".join(_NAMES)
INSERT = Sql(f"""
    INSERT INTO triggers ({_COLUMNS}) VALUES ({", ".join(f":{name}" for name in _NAMES)})
    ON CONFLICT (tenant_id, environment, name) DO NOTHING
""")
COUNT = Sql("SELECT COUNT(*) FROM triggers WHERE tenant_id = :tenant_id")
FIND = Sql(f"SELECT {_COLUMNS} FROM triggers WHERE id = :id")
LOCK = Sql(f"SELECT {_COLUMNS} FROM triggers WHERE id = :id {{for_update}}")
LIST = Sql(f"""
    SELECT {_COLUMNS} FROM triggers
     WHERE tenant_id = :tenant_id AND (environment, name) > (:after_environment, :after_name)
     ORDER BY environment, name LIMIT :limit
""")
AFTER = Sql(f"""
    SELECT {_COLUMNS} FROM triggers WHERE kind = 'after' AND id > :after_id
     ORDER BY id LIMIT 1 {{skip_locked}}
""")
ENDS = Sql("""
    SELECT e.id, e.status, e.ended_us FROM executions AS e
     WHERE e.tenant_id = :tenant_id AND e.status = :status AND e.ended_us >= :since_us
       AND e.workflow = :workflow AND e.environment = :environment
       AND NOT EXISTS (SELECT 1 FROM fires AS f WHERE f.origin_id = :id AND f.key = e.id || ':' || e.status)
     ORDER BY e.ended_us LIMIT :limit
""")
SEE = Sql("UPDATE triggers SET seen_us = :seen_us WHERE id = :id")
SEAL = Sql("UPDATE triggers SET sealed = :sealed WHERE id = :id")
DELETE = Sql("DELETE FROM triggers WHERE id = :id AND tenant_id = :tenant_id")


def insert_trigger(tx: Tx, row: TriggerRow) -> bool:
    """Store a trigger; False if its name is taken."""
    return tx.execute(INSERT, **{name: getattr(row, name) for name in _NAMES}) == 1


def count_triggers(tx: Tx, tenant_id: str) -> int:
    return tx.one(COUNT, int, tenant_id=tenant_id)


def find_trigger(tx: Tx, trigger_id: str) -> TriggerRow | None:
    """Return a trigger of any tenant: who sends a webhook has no other name."""
    return tx.one_or_none(FIND, TriggerRow, id=trigger_id)


def lock_trigger(tx: Tx, trigger_id: str) -> TriggerRow | None:
    return tx.one_or_none(LOCK, TriggerRow, id=trigger_id)


def list_triggers(tx: Tx, tenant_id: str, after: tuple[str, str], limit: int) -> list[TriggerRow]:
    """List a tenant's triggers by environment and name."""
    return tx.all(
        LIST, TriggerRow, tenant_id=tenant_id, after_environment=after[0], after_name=after[1], limit=limit
    )


def lock_next_after(tx: Tx, after_id: str) -> TriggerRow | None:
    """Lock the next trigger behind `after_id` that follows the ends of a workflow, or None."""
    return tx.one_or_none(AFTER, TriggerRow, after_id=after_id)


def list_ends(tx: Tx, row: TriggerRow, status: str, since_us: int, limit: int) -> list[EndRow]:
    """List executions that ended with `status` since then, and that the trigger has not followed yet."""
    assert row.after_workflow is not None
    return tx.all(
        ENDS,
        EndRow,
        id=row.id,
        tenant_id=row.tenant_id,
        environment=row.environment,
        workflow=row.after_workflow,
        status=status,
        since_us=since_us,
        limit=limit,
    )


def set_seen(tx: Tx, trigger_id: str, seen_us: int) -> None:
    tx.execute(SEE, id=trigger_id, seen_us=seen_us)


def set_sealed(tx: Tx, trigger_id: str, sealed: bytes) -> None:
    tx.execute(SEAL, id=trigger_id, sealed=sealed)


def delete_trigger(tx: Tx, tenant_id: str, trigger_id: str) -> bool:
    return tx.execute(DELETE, id=trigger_id, tenant_id=tenant_id) == 1
