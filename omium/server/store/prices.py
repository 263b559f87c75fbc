"""Versions of the price book. What they mean, omium/pricing says; when one is saved, omium/server/ledger."""

from __future__ import annotations

from dataclasses import dataclass

from omium.server.db.tx import Sql, Tx


@dataclass(frozen=True, slots=True)
class PriceVersionRow:
    """A saved version; `digest` is of all that decides a price."""

    version: int
    digest: str
    text: str
    credits_per_usd: int
    table_digest: str
    table_as_of: str
    origin: str
    restored_from: int | None
    created_us: int
    created_by: str
    note: str


@dataclass(frozen=True, slots=True)
class CurrentPrices:
    """Which version is in force."""

    version: int
    digest: str


_COLUMNS = """version, digest, text, credits_per_usd, table_digest, table_as_of, origin, restored_from,
       created_us, created_by, note"""

CURRENT = Sql("SELECT version, digest FROM price_versions ORDER BY version DESC LIMIT 1")
NEWEST = Sql(f"SELECT {_COLUMNS} FROM price_versions ORDER BY version DESC LIMIT 1")
ONE = Sql(f"SELECT {_COLUMNS} FROM price_versions WHERE version = :version")
LIST = Sql(f"""
    SELECT {_COLUMNS} FROM price_versions WHERE version < :before ORDER BY version DESC LIMIT :limit
""")
INSERT = Sql(f"""
    INSERT INTO price_versions ({_COLUMNS})
    VALUES (:version, :digest, :text, :credits_per_usd, :table_digest, :table_as_of, :origin, :restored_from,
            :created_us, :created_by, :note)
    ON CONFLICT (version) DO NOTHING
""")  # two at once: one of them is told to look again


def find_current(tx: Tx) -> CurrentPrices | None:
    """Return the version in force: one row from the end of the primary key; None before the first."""
    return tx.one_or_none(CURRENT, CurrentPrices)


def find_newest(tx: Tx) -> PriceVersionRow | None:
    return tx.one_or_none(NEWEST, PriceVersionRow)


def find_version(tx: Tx, version: int) -> PriceVersionRow | None:
    return tx.one_or_none(ONE, PriceVersionRow, version=version)


def list_versions(tx: Tx, *, before: int, limit: int) -> list[PriceVersionRow]:
    """List versions below `before`, the newest first."""
    return tx.all(LIST, PriceVersionRow, before=before, limit=limit)


def insert_version(tx: Tx, row: PriceVersionRow) -> bool:
    """Save a version; False where its number is taken."""
    return tx.execute(INSERT, **{name: getattr(row, name) for name in row.__dataclass_fields__}) == 1
