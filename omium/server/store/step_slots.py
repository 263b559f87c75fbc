"""Step slots: the slots of concurrency keys that steps of drivers have or wait for (counts are slots.py)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from omium.server.db.tx import Sql, Tx


@dataclass(frozen=True, slots=True)
class StepSlotRow:
    """A row of `step_slots`: a step that has a slot of `key` (`held`), or waits for one since `asked_us`.

    `most` is the limit that the step says; `confirm_us`, of the lease clock, ends a slot that was handed over
    and that no driver has taken.
    """

    execution_id: str
    path: str
    tenant_id: str
    environment: str
    key: str
    most: int
    held: int
    attempt: int
    epoch: int
    asked_us: int
    confirm_us: int | None


_NAMES = tuple(StepSlotRow.__dataclass_fields__)
COLUMNS = ", ".join(_NAMES)

FIND = Sql(f"SELECT {COLUMNS} FROM step_slots WHERE execution_id = :execution_id AND path = :path")
PUT = Sql(f"""
    INSERT INTO step_slots ({COLUMNS}) VALUES ({", ".join(f":{name}" for name in _NAMES)})
    ON CONFLICT (execution_id, path) DO UPDATE
    SET held = excluded.held, attempt = excluded.attempt, epoch = excluded.epoch, most = excluded.most,
        confirm_us = excluded.confirm_us
""")
REMOVE = Sql("DELETE FROM step_slots WHERE execution_id = :execution_id AND path = :path")
LONGEST_WAITING = Sql(f"""
    SELECT {COLUMNS} FROM step_slots
     WHERE tenant_id = :tenant_id AND environment = :environment AND key = :key AND held = 0
     ORDER BY asked_us, execution_id, path LIMIT 1
""")
HELD = Sql(
    f"SELECT {COLUMNS} FROM step_slots WHERE execution_id = :execution_id AND held = 1 ORDER BY key, path"
)
VOID = Sql("""
    SELECT s.execution_id, s.path, s.tenant_id, s.environment, s.key, s.most, s.held, s.attempt, s.epoch,
           s.asked_us, s.confirm_us
      FROM step_slots s JOIN executions e ON e.id = s.execution_id
     WHERE (s.held = 1 AND s.confirm_us IS NULL AND (e.status <> 'running' OR e.epoch <> s.epoch))
        OR (s.held = 1 AND s.confirm_us < :lease_now_us)
        OR (s.held = 0 AND e.status NOT IN ('running', 'queued')
            AND NOT (e.status = 'waiting' AND e.reason = 'slot'))
     LIMIT :limit
""")
RESTART = Sql("UPDATE step_slots SET confirm_us = :confirm_us WHERE confirm_us IS NOT NULL")


def find_slot(tx: Tx, execution_id: str, path: str) -> StepSlotRow | None:
    return tx.one_or_none(FIND, StepSlotRow, execution_id=execution_id, path=path)


def put_slot(tx: Tx, row: StepSlotRow) -> None:
    """Insert the row, or bring a known one to where it stands now; its place in the row of a key stays."""
    tx.execute(PUT, **{name: getattr(row, name) for name in _NAMES})


def remove_slot(tx: Tx, row: StepSlotRow) -> None:
    tx.send(REMOVE, execution_id=row.execution_id, path=row.path)


def find_waiting(tx: Tx, tenant_id: str, environment: str, key: str) -> StepSlotRow | None:
    """Return the step that has waited longest for a slot of the key."""
    return tx.one_or_none(LONGEST_WAITING, StepSlotRow, tenant_id=tenant_id, environment=environment, key=key)


def list_held(tx: Tx, execution_id: str) -> Sequence[StepSlotRow]:
    """Return the slots that steps of an execution have."""
    return tx.all(HELD, StepSlotRow, execution_id=execution_id)


def list_void(tx: Tx, lease_now_us: int, limit: int) -> Sequence[StepSlotRow]:
    """Return slots, and places in rows, whose driver is gone or did not take what it was handed."""
    return tx.all(VOID, StepSlotRow, lease_now_us=lease_now_us, limit=limit)


def restart(tx: Tx, confirm_us: int) -> int:
    """Let what was handed over be taken until `confirm_us`: the lease clock may have begun again."""
    return tx.execute(RESTART, confirm_us=confirm_us)
