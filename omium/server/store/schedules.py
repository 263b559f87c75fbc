"""Schedules as rows. When they are due is schedules/firing.py; what they started is fires.py."""

from __future__ import annotations

from dataclasses import dataclass

from omium.server.db.tx import Sql, Tx


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """A schedule; `next_us` is its next time, `last_us` the moment at which a server looked last."""

    id: str
    tenant_id: str
    environment: str
    name: str
    workflow: str
    queue: str
    cron: str
    timezone: str
    input: bytes
    missed: str
    missed_max: int
    overlap: str
    status: str
    note: str
    next_us: int
    last_us: int | None
    created_us: int
    created_by: str


_NAMES = ScheduleRow.__slots__
_COLUMNS = ", ".join(_NAMES)
INSERT = Sql(f"""
    INSERT INTO schedules ({_COLUMNS}) VALUES ({", ".join(f":{name}" for name in _NAMES)})
    ON CONFLICT (tenant_id, environment, name) DO NOTHING
""")
COUNT = Sql("SELECT COUNT(*) FROM schedules WHERE tenant_id = :tenant_id")
FIND = Sql(f"SELECT {_COLUMNS} FROM schedules WHERE tenant_id = :tenant_id AND id = :id")
LOCK = Sql(f"SELECT {_COLUMNS} FROM schedules WHERE id = :id {{for_update}}")
LIST = Sql(f"""
    SELECT {_COLUMNS} FROM schedules
     WHERE tenant_id = :tenant_id AND (environment, name) > (:after_environment, :after_name)
     ORDER BY environment, name LIMIT :limit
""")
DUE = Sql(f"""
    SELECT {_COLUMNS} FROM schedules WHERE status = 'active' AND next_us <= :now_us
     ORDER BY next_us LIMIT 1 {{skip_locked}}
""")
AHEAD = Sql(f"""
    SELECT {_COLUMNS} FROM schedules
     WHERE status = 'active' AND last_us IS NOT NULL AND last_us > :beyond_us LIMIT 1 {{skip_locked}}
""")
MOVE = Sql("""
    UPDATE schedules SET next_us = :next_us, last_us = :last_us
     WHERE id = :id AND next_us = :was_us AND status = 'active'
""")  # whoever was first has changed next_us
SET_STATUS = Sql("UPDATE schedules SET status = :status, note = :note, next_us = :next_us WHERE id = :id")
DELETE = Sql("DELETE FROM schedules WHERE id = :id AND tenant_id = :tenant_id")


def insert_schedule(tx: Tx, row: ScheduleRow) -> bool:
    """Store a schedule; False if its name is taken."""
    return tx.execute(INSERT, **{name: getattr(row, name) for name in _NAMES}) == 1


def count_schedules(tx: Tx, tenant_id: str) -> int:
    return tx.one(COUNT, int, tenant_id=tenant_id)


def find_schedule(tx: Tx, tenant_id: str, schedule_id: str) -> ScheduleRow | None:
    return tx.one_or_none(FIND, ScheduleRow, tenant_id=tenant_id, id=schedule_id)


def lock_schedule(tx: Tx, schedule_id: str) -> ScheduleRow | None:
    return tx.one_or_none(LOCK, ScheduleRow, id=schedule_id)


def list_schedules(tx: Tx, tenant_id: str, after: tuple[str, str], limit: int) -> list[ScheduleRow]:
    """List a tenant's schedules by environment and name."""
    return tx.all(
        LIST,
        ScheduleRow,
        tenant_id=tenant_id,
        after_environment=after[0],
        after_name=after[1],
        limit=limit,
    )


def lock_due(tx: Tx, now_us: int) -> ScheduleRow | None:
    """Lock a schedule whose time has come, or None."""
    return tx.one_or_none(DUE, ScheduleRow, now_us=now_us)


def lock_ahead(tx: Tx, beyond_us: int) -> ScheduleRow | None:
    """Lock a schedule that was looked at by a clock that has been set back since, or None."""
    return tx.one_or_none(AHEAD, ScheduleRow, beyond_us=beyond_us)


def move_on(tx: Tx, row: ScheduleRow, next_us: int, now_us: int) -> bool:
    """Set the next time; False if another server has, or if it was paused."""
    return tx.execute(MOVE, id=row.id, was_us=row.next_us, next_us=next_us, last_us=now_us) == 1


def set_status(tx: Tx, schedule_id: str, status: str, note: str, next_us: int) -> None:
    tx.execute(SET_STATUS, id=schedule_id, status=status, note=note, next_us=next_us)


def delete_schedule(tx: Tx, tenant_id: str, schedule_id: str) -> bool:
    return tx.execute(DELETE, id=schedule_id, tenant_id=tenant_id) == 1
