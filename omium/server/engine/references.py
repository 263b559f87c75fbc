"""References: whether every payload that rows point at is there, and counts all of them.

Counted in bounded pieces beside a live server, so what looks wrong is counted a second time before it is
told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterable

from omium.server.db.tx import Database
from omium.server.engine.values import address_of
from omium.server.store import audit as store
from omium.server.store.executions import ExecutionRow
from omium.server.store.retention import RETIRED

EXECUTIONS_PER_READ = 20
ROWS_PER_READ = 500
Pointer = tuple[str, str]  # tenant, address


async def each_execution(db: Database) -> AsyncIterator[ExecutionRow]:
    """Yield every execution but those that retention is removing."""
    after_id = ""
    while rows := await db.read(lambda tx, a=after_id: store.list_executions(tx, a, EXECUTIONS_PER_READ)):  # type: ignore[misc]
        after_id = rows[-1].id
        for row in rows:
            if row.reason != RETIRED:
                yield row


async def check_references(db: Database) -> AsyncIterator[tuple[str, str]]:
    """Yield (address, what is wrong); too many references are a leak of a moment, and are not told."""
    suspects = await _find_suspects(db)
    if suspects:  # again: rows may have come and gone while they were counted
        again = await _find_suspects(db)
        for pointer, text in again.items():
            if pointer in suspects:
                yield pointer[1], text


async def _find_suspects(db: Database) -> dict[Pointer, str]:
    wanted = await _count_pointers(db)
    suspects: dict[Pointer, str] = {}
    after = ("", "")
    while rows := await db.read(lambda tx, a=after: store.list_payloads(tx, a, ROWS_PER_READ)):  # type: ignore[misc]
        for row in rows:
            after = (row.tenant_id, row.address)
            count = wanted.pop(after, 0)
            if count > row.refs:
                suspects[after] = (
                    f"payload {row.address} counts {row.refs} references, but {count} rows point at it."
                )
    for pointer, count in wanted.items():
        suspects[pointer] = f"payload {pointer[1]} is gone, but {count} rows point at it."
    return suspects


async def _count_pointers(db: Database) -> Counter[Pointer]:
    """Count, for each payload, the rows that point at it."""
    counted: Counter[Pointer] = Counter()
    async for row in each_execution(db):
        columns = await db.read(lambda tx, i=row.id: store.list_columns(tx, i))  # type: ignore[misc]
        counted.update(_pointers(row.tenant_id, columns))
    after = ("", "")
    while effects := await db.read(lambda tx, a=after: store.list_effects(tx, a, ROWS_PER_READ)):  # type: ignore[misc]
        after = (effects[-1].tenant_id, effects[-1].effect_key)
        for effect in effects:
            counted.update(_pointers(effect.tenant_id, [effect.input, effect.output]))
    return counted


def _pointers(tenant_id: str, columns: Iterable[bytes | None]) -> list[Pointer]:
    addresses = (address_of(column) for column in columns if column is not None)
    return [(tenant_id, address) for address in addresses if address is not None]
