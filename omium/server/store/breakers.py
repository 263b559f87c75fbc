"""Breakers: one row per tenant, environment and name, shared by every process that calls through it."""

from __future__ import annotations

from dataclasses import dataclass

from omium.server.db.tx import Sql, Tx


@dataclass(frozen=True, slots=True)
class BreakerRow:
    """A row of `breakers`; `data` is JSON, the state of `omium.breaker` and its policy."""

    tenant_id: str
    environment: str
    name: str
    state: str
    data: bytes
    changed_us: int
    updated_us: int


_NAMES = tuple(BreakerRow.__dataclass_fields__)
_COLUMNS = ", ".join(_NAMES)
_WHERE = "tenant_id = :tenant_id AND environment = :environment AND name = :name"

FIND = Sql(f"SELECT {_COLUMNS} FROM breakers WHERE {_WHERE}")
LOCK = Sql(f"SELECT {_COLUMNS} FROM breakers WHERE {_WHERE} {{for_update}}")
INSERT = Sql(f"""
    INSERT INTO breakers ({_COLUMNS}) VALUES ({", ".join(f":{name}" for name in _NAMES)})
    ON CONFLICT (tenant_id, environment, name) DO NOTHING
""")
UPDATE = Sql(f"""
    UPDATE breakers SET state = :state, data = :data, changed_us = :changed_us, updated_us = :updated_us
     WHERE {_WHERE}
""")
LIST = Sql(f"""
    SELECT {_COLUMNS} FROM breakers
     WHERE tenant_id = :tenant_id AND (environment, name) > (:environment, :name)
     ORDER BY environment, name LIMIT :limit
""")


def find_breaker(tx: Tx, tenant_id: str, environment: str, name: str) -> BreakerRow | None:
    return tx.one_or_none(FIND, BreakerRow, tenant_id=tenant_id, environment=environment, name=name)


def lock_breaker(tx: Tx, tenant_id: str, environment: str, name: str) -> BreakerRow | None:
    return tx.one_or_none(LOCK, BreakerRow, tenant_id=tenant_id, environment=environment, name=name)


def insert_breaker(tx: Tx, row: BreakerRow) -> bool:
    """Insert a breaker; False where a neighbour was faster."""
    return tx.execute(INSERT, **{name: getattr(row, name) for name in _NAMES}) == 1


def update_breaker(tx: Tx, row: BreakerRow) -> None:
    """Write a breaker that the caller has locked."""
    tx.execute(UPDATE, **{name: getattr(row, name) for name in _NAMES})


def list_breakers(
    tx: Tx, tenant_id: str, *, after: tuple[str, str] = ("", ""), limit: int
) -> list[BreakerRow]:
    """List a tenant's breakers by environment and name, after (environment, name)."""
    environment, name = after
    return tx.all(LIST, BreakerRow, tenant_id=tenant_id, environment=environment, name=name, limit=limit)
