"""Storage: how many bytes rows keep, by tenant, and what was measured and charged on which day.

What counts and what it costs, omium/server/ledger/storage.py decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from omium.server.db.tx import Sql, SqlValue, Tx


@dataclass(frozen=True, slots=True)
class KeptRow:
    """What one execution, value or thread keeps; (`tenant_id`, `key`) is its place in its listing."""

    tenant_id: str
    key: str
    stored_bytes: int


@dataclass(frozen=True, slots=True)
class StorageDay:
    """What a tenant kept on a day of UTC, such as `2026-11-23`, and what it was charged for it."""

    tenant_id: str
    day: str
    stored_bytes: int
    charged_microcredits: int
    price_version: int | None
    at_us: int


# Of SQLite and of PostgreSQL, LENGTH of bytes reads no content that stands on pages of its own.
_EXECUTIONS = Sql("""
    SELECT e.tenant_id, e.id AS key,
           CAST(COALESCE((SELECT SUM(LENGTH(output)) FROM steps WHERE execution_id = e.id), 0)
              + COALESCE((SELECT SUM(LENGTH(state)) FROM checkpoints WHERE execution_id = e.id), 0)
             AS {int64}) AS stored_bytes
      FROM executions AS e WHERE e.id > :after_key
     ORDER BY e.id LIMIT :limit
""")
_PAYLOADS = Sql("""
    SELECT tenant_id, address AS key,
           CAST(CASE WHEN refs > 0 THEN LENGTH(body) ELSE 0 END AS {int64}) AS stored_bytes
      FROM payloads WHERE (tenant_id, address) > (:after_tenant_id, :after_key)
     ORDER BY tenant_id, address LIMIT :limit
""")


def _threads(table: str, length: str) -> Sql:
    return Sql(f"""
        SELECT tenant_id, thread_id AS key, CAST(COALESCE(SUM({length}), 0) AS {{int64}}) AS stored_bytes
          FROM {table} WHERE (tenant_id, thread_id) > (:after_tenant_id, :after_key)
         GROUP BY tenant_id, thread_id ORDER BY tenant_id, thread_id LIMIT :limit
    """)


KEPT: Final = {
    "executions": _EXECUTIONS,
    "payloads": _PAYLOADS,
    "graph_checkpoints": _threads("graph_checkpoints", "LENGTH(checkpoint) + LENGTH(metadata)"),
    "graph_channels": _threads("graph_channels", "LENGTH(value)"),
    "graph_writes": _threads("graph_writes", "LENGTH(value)"),
}
"""What keeps checkpoints, and how it is listed."""


def list_kept(tx: Tx, source: str, after: tuple[str, str], limit: int) -> list[KeptRow]:
    """Return the next rows of one of `KEPT` behind `after`, a tenant and a key."""
    place: dict[str, SqlValue] = {"after_key": after[1], "limit": limit}
    if source != "executions":  # whose ids are one order for all tenants
        place["after_tenant_id"] = after[0]
    return tx.all(KEPT[source], KeptRow, **place)


IS_DONE = Sql("SELECT COUNT(*) FROM storage_passes WHERE day = :day")
DONE = Sql("INSERT INTO storage_passes (day, at_us) VALUES (:day, :at_us) ON CONFLICT (day) DO NOTHING")
STANDS = Sql("SELECT COUNT(*) FROM tenants WHERE id = :tenant_id AND deleted_us IS NULL")
INSERT = Sql("""
    INSERT INTO storage_days (tenant_id, day, stored_bytes, charged_microcredits, price_version, at_us)
    VALUES (:tenant_id, :day, :stored_bytes, :charged_microcredits, :price_version, :at_us)
    ON CONFLICT (tenant_id, day) DO NOTHING
""")
NEWEST = Sql("""
    SELECT tenant_id, day, stored_bytes, charged_microcredits, price_version, at_us FROM storage_days
     WHERE tenant_id = :tenant_id ORDER BY day DESC LIMIT 1
""")


def is_done(tx: Tx, day: str) -> bool:
    """Say whether every tenant was measured on `day`."""
    return tx.one(IS_DONE, int, day=day) > 0


def note_done(tx: Tx, day: str) -> None:
    tx.execute(DONE, day=day, at_us=tx.now_us)


def stands(tx: Tx, tenant_id: str) -> bool:
    """Say whether the tenant is there, and not deleted."""
    return tx.one(STANDS, int, tenant_id=tenant_id) > 0


def insert_day(tx: Tx, row: StorageDay) -> bool:
    """Note what a tenant kept; False where that day of it was noted before."""
    return tx.execute(INSERT, **{name: getattr(row, name) for name in row.__dataclass_fields__}) == 1


def find_newest(tx: Tx, tenant_id: str) -> StorageDay | None:
    """Return the day on which the tenant was measured last, None before the first one."""
    return tx.one_or_none(NEWEST, StorageDay, tenant_id=tenant_id)


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A day whose charge is another than the journal's."""

    tenant_id: str
    day: str
    told_microcredits: int
    booked_microcredits: int


# A charge without a hold has at most two entries, one after the other: paid, and owed.
MISMATCHES = Sql("""
    SELECT tenant_id, day, told_microcredits, booked_microcredits FROM (
      SELECT d.tenant_id, d.day, d.charged_microcredits AS told_microcredits,
             CAST(COALESCE((SELECT SUM(part.amount_microcredits) FROM ledger_entries AS part
                             WHERE part.tenant_id = d.tenant_id
                               AND part.seq BETWEEN first.seq AND first.seq + 1
                               AND part.reference = first.once AND part.credit_kind = 'usage'), 0)
               AS {int64}) AS booked_microcredits
        FROM storage_days AS d
        LEFT JOIN ledger_entries AS first
          ON first.tenant_id = d.tenant_id AND first.once = 'storage:' || d.day) AS compared
     WHERE told_microcredits <> booked_microcredits
    UNION ALL
    SELECT l.tenant_id, l.once, 0, l.amount_microcredits
      FROM ledger_entries AS l
     WHERE SUBSTR(l.once, 1, 8) = 'storage:'
       AND NOT EXISTS (SELECT 1 FROM storage_days AS d
                        WHERE d.tenant_id = l.tenant_id AND l.once = 'storage:' || d.day)
     LIMIT :limit
""")


def list_mismatches(tx: Tx, limit: int) -> list[Mismatch]:
    """Return days whose charge is not in the journal as it is told, and charges of no day."""
    return tx.all(MISMATCHES, Mismatch, limit=limit)
