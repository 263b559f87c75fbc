"""References: whether every payload that rows point at is there, and counts exactly those rows.

Too few, and retention removes a value that is still needed; too many, and one that was erased stays for good.
Counted in bounded pieces beside a live server, so what looks wrong is counted a second time before it is
told, and a surplus only where nothing about it has moved in between.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

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
    async for row in _all_executions(db):
        if row.reason != RETIRED:
            yield row


async def _all_executions(db: Database) -> AsyncIterator[ExecutionRow]:
    after_id = ""
    while rows := await db.read(lambda tx, a=after_id: store.list_executions(tx, a, EXECUTIONS_PER_READ)):  # type: ignore[misc]
        after_id = rows[-1].id
        for row in rows:
            yield row


@dataclass(frozen=True, slots=True)
class Suspect:
    """A payload that counts another number of references than rows point at it."""

    refs: int
    pointers: int
    text: str

    def stands(self, again: Suspect) -> bool:
        """Say whether a second count tells the same: a surplus may be a row that came while we counted."""
        return again.refs < again.pointers or (again.refs, again.pointers) == (self.refs, self.pointers)


async def check_references(db: Database) -> AsyncIterator[tuple[str, str]]:
    """Yield (address, what is wrong)."""
    suspects = await _find_suspects(db)
    if suspects:  # again: rows may have come and gone while they were counted
        again = await _find_suspects(db)
        for pointer, suspect in again.items():
            if pointer in suspects and suspects[pointer].stands(suspect):
                yield pointer[1], suspect.text


async def _find_suspects(db: Database) -> dict[Pointer, Suspect]:
    wanted = await _count_pointers(db)
    suspects: dict[Pointer, Suspect] = {}
    after = ("", "")
    while rows := await db.read(lambda tx, a=after: store.list_payloads(tx, a, ROWS_PER_READ)):  # type: ignore[misc]
        for row in rows:
            after = (row.tenant_id, row.address)
            count = wanted.pop(after, 0)
            if count != row.refs:
                text = f"payload {row.address} counts {row.refs} references, but {count} rows point at it."
                suspects[after] = Suspect(row.refs, count, text)
    for pointer, count in wanted.items():
        text = f"payload {pointer[1]} is gone, but {count} rows point at it."
        suspects[pointer] = Suspect(0, count, text)
    return suspects


async def _count_pointers(db: Database) -> Counter[Pointer]:
    """Count, for each payload, the rows that point at it."""
    counted: Counter[Pointer] = Counter()
    async for row in _all_executions(db):
        columns = await db.read(lambda tx, i=row.id: store.list_columns(tx, i))  # type: ignore[misc]
        counted.update(_pointers(row.tenant_id, columns))
    after = ("", "")
    while effects := await db.read(lambda tx, a=after: store.list_effects(tx, a, ROWS_PER_READ)):  # type: ignore[misc]
        after = (effects[-1].tenant_id, effects[-1].effect_key)
        for effect in effects:
            counted.update(_pointers(effect.tenant_id, [effect.input, effect.output]))
    for holders in store.HOLDERS:
        after_id = ""
        while held := await db.read(
            lambda tx, of=holders, a=after_id: store.list_held_values(tx, of, a, ROWS_PER_READ)  # type: ignore[misc]
        ):
            after_id = held[-1].id
            for each in held:
                counted.update(_pointers(each.tenant_id, [each.value]))
    return counted


def _pointers(tenant_id: str, columns: Iterable[bytes | None]) -> list[Pointer]:
    addresses = (address_of(column) for column in columns if column is not None)
    return [(tenant_id, address) for address in addresses if address is not None]
