"""The audit log's rows: one chain of entries per tenant, and its head.

Owns the statements; what an entry's digests are is audit/chain.py's. An entry never changes and never goes,
which triggers enforce. (store/audit.py is another thing: it reads everything for `verify`.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from omium.server.db.tx import Sql, Tx

SYSTEM: Final = "system"
"""The chain of what belongs to no tenant."""
NOTHING: Final = bytes(32)
"""The digest before the first entry."""


@dataclass(frozen=True, slots=True)
class HeadRow:
    """The end of a tenant's chain."""

    tenant_id: str
    last_seq: int
    digest: bytes
    mac: bytes
    at_us: int


@dataclass(frozen=True, slots=True)
class EntryRow:
    """One entry; `detail` is canonical JSON."""

    tenant_id: str
    seq: int
    at_us: int
    actor_kind: str
    actor_id: str
    action: str
    target: str
    result: str
    code: str
    address: str
    user_agent: str
    request_id: str
    detail: bytes
    previous: bytes
    digest: bytes
    mac: bytes


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries are listed: None is any. `after_us` is included, `before_us` is not."""

    actor_id: str | None = None
    action: str | None = None
    target: str | None = None
    result: str | None = None
    after_us: int | None = None
    before_us: int | None = None


_COLUMNS = ", ".join(EntryRow.__slots__)
_HEAD = ", ".join(HeadRow.__slots__)

INSERT_HEAD = Sql("""
    INSERT INTO audit_heads (tenant_id, last_seq, digest, mac, at_us)
    VALUES (:tenant_id, 0, :digest, :digest, 0) ON CONFLICT (tenant_id) DO NOTHING
""")
LOCK_HEAD = Sql(f"SELECT {_HEAD} FROM audit_heads WHERE tenant_id = :tenant_id {{for_update}}")
FIND_HEAD = Sql(f"SELECT {_HEAD} FROM audit_heads WHERE tenant_id = :tenant_id")
MOVE_HEAD = Sql("""
    UPDATE audit_heads SET last_seq = :last_seq, digest = :digest, mac = :mac, at_us = :at_us
     WHERE tenant_id = :tenant_id
""")
INSERT_ENTRY = Sql(f"""
    INSERT INTO audit_entries ({_COLUMNS})
    VALUES ({", ".join(f":{name}" for name in EntryRow.__slots__)})
""")  # the columns are a constant of this module
LIST_HEADS = Sql(
    f"SELECT {_HEAD} FROM audit_heads WHERE tenant_id > :after_id ORDER BY tenant_id LIMIT :limit"
)
LIST_CHAIN = Sql(f"""
    SELECT {_COLUMNS} FROM audit_entries
     WHERE tenant_id = :tenant_id AND seq > :after_seq ORDER BY seq LIMIT :limit
""")
FIND_ENTRY = Sql(f"SELECT {_COLUMNS} FROM audit_entries WHERE tenant_id = :tenant_id AND seq = :seq")
LIST_OWNERS = Sql("""
    SELECT DISTINCT tenant_id FROM audit_entries WHERE tenant_id > :after_id ORDER BY tenant_id LIMIT :limit
""")

_WHERE = f"SELECT {_COLUMNS} FROM audit_entries WHERE tenant_id = :tenant_id"
_OTHERS = """
       AND (:actor_id IS NULL OR actor_id = :actor_id)
       AND (:action IS NULL OR action = :action)
       AND (:target IS NULL OR target = :target)
       AND (:result IS NULL OR result = :result)
       AND at_us >= :after_us AND at_us < :before_us
"""
_NEWEST = f"AND seq < :start {_OTHERS} ORDER BY seq DESC LIMIT :limit"
_OLDEST = f"AND seq > :start {_OTHERS} ORDER BY seq LIMIT :limit"
_INDEXED = ("target", "actor_id", "action")
LIST_NEWEST = Sql(f"{_WHERE} {_NEWEST}")
LIST_OLDEST = Sql(f"{_WHERE} {_OLDEST}")
# Each by the index of its column; what is asked for beside it is looked at row by row.
LIST_NEWEST_BY = {name: Sql(f"{_WHERE} AND {name} = :{name} {_NEWEST}") for name in _INDEXED}
LIST_OLDEST_BY = {name: Sql(f"{_WHERE} AND {name} = :{name} {_OLDEST}") for name in _INDEXED}


def lock_head(tx: Tx, tenant_id: str) -> HeadRow:
    """Return the end of the chain, locked until the transaction ends; the chain is opened if need be."""
    head = tx.one_or_none(LOCK_HEAD, HeadRow, tenant_id=tenant_id)
    if head is None:  # two at once: one waits for the other's insert
        tx.execute(INSERT_HEAD, tenant_id=tenant_id, digest=NOTHING)
        head = tx.one(LOCK_HEAD, HeadRow, tenant_id=tenant_id)
    return head


def append_entry(tx: Tx, row: EntryRow) -> None:
    """Store the entry and make it the head, which is locked by the caller."""
    tx.send(INSERT_ENTRY, **{name: getattr(row, name) for name in EntryRow.__slots__})
    tx.send(
        MOVE_HEAD,
        tenant_id=row.tenant_id,
        last_seq=row.seq,
        digest=row.digest,
        mac=row.mac,
        at_us=row.at_us,
    )


def find_head(tx: Tx, tenant_id: str) -> HeadRow | None:
    return tx.one_or_none(FIND_HEAD, HeadRow, tenant_id=tenant_id)


def list_heads(tx: Tx, after_id: str, limit: int) -> list[HeadRow]:
    return tx.all(LIST_HEADS, HeadRow, after_id=after_id, limit=limit)


def list_owners(tx: Tx, after_id: str, limit: int) -> list[str]:
    """List whose entries there are, with a head or without."""
    return tx.all(LIST_OWNERS, str, after_id=after_id, limit=limit)


def list_chain(tx: Tx, tenant_id: str, after_seq: int, limit: int) -> list[EntryRow]:
    """List a chain in its order."""
    return tx.all(LIST_CHAIN, EntryRow, tenant_id=tenant_id, after_seq=after_seq, limit=limit)


def find_entry(tx: Tx, tenant_id: str, seq: int) -> EntryRow | None:
    return tx.one_or_none(FIND_ENTRY, EntryRow, tenant_id=tenant_id, seq=seq)


def list_entries(
    tx: Tx,
    tenant_id: str,
    wanted: Wanted,
    start: int | None,
    limit: int,
    *,
    oldest_first: bool = False,
) -> list[EntryRow]:
    """List up to `limit` entries that are `wanted`, newest first or oldest first, beyond the seq `start`."""
    by, rest = (LIST_OLDEST_BY, LIST_OLDEST) if oldest_first else (LIST_NEWEST_BY, LIST_NEWEST)
    chosen = next((sql for name, sql in by.items() if getattr(wanted, name) is not None), rest)
    if start is None:
        start = 0 if oldest_first else 2**62
    return tx.all(
        chosen,
        EntryRow,
        tenant_id=tenant_id,
        start=start,
        limit=limit,
        actor_id=wanted.actor_id,
        action=wanted.action,
        target=wanted.target,
        result=wanted.result,
        after_us=wanted.after_us or 0,
        before_us=2**62 if wanted.before_us is None else wanted.before_us,
    )
