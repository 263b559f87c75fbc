"""Slot lists: who has a slot of a concurrency key and who waits for one, steps and nodes together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from omium.server.db.tx import Sql, SqlValue, Tx

SlotKey = tuple[str, str, int, int, str, str]
BEGINNING: Final[SlotKey] = ("", "", 0, 0, "", "")


@dataclass(frozen=True, slots=True)
class ListedSlot:
    """One that has a slot (`waits` is 0) or waits for one; lists are in the order of the fields."""

    environment: str
    key: str
    waits: int
    asked_us: int
    execution_id: str
    path: str
    most: int

    @property
    def place(self) -> SlotKey:
        """Where it stands in the list."""
        return (self.environment, self.key, self.waits, self.asked_us, self.execution_id, self.path)


def _list(steps: str, nodes: str) -> Sql:
    return Sql(f"""
        SELECT environment, key, waits, asked_us, execution_id, path, most FROM (
            SELECT environment, key, 1 - held AS waits, asked_us, execution_id, path, most FROM step_slots
             WHERE {steps}
            UNION ALL
            SELECT environment, concurrency_key, 0, COALESCE(started_us, ready_us), execution_id, path,
                   concurrency_limit
              FROM activations WHERE {nodes} AND has_slot = 1
            UNION ALL
            SELECT environment, concurrency_key, 1, ready_us, execution_id, path, concurrency_limit
              FROM activations WHERE {nodes} AND state = 'waiting' AND waiting_reason = 'slot'
        ) AS found
         WHERE (environment, key, waits, asked_us, execution_id, path)
             > (:environment, :key, :waits, :asked_us, :execution_id, :path)
         ORDER BY environment, key, waits, asked_us, execution_id, path LIMIT :limit
    """)


LIST = _list("tenant_id = :tenant_id", "tenant_id = :tenant_id")
LIST_OF_KEY = _list(
    "tenant_id = :tenant_id AND key = :wanted", "tenant_id = :tenant_id AND concurrency_key = :wanted"
)
LIST_OF_EXECUTION = _list(
    "execution_id = :of AND tenant_id = :tenant_id AND (:wanted = '' OR key = :wanted)",
    "execution_id = :of AND tenant_id = :tenant_id AND (:wanted = '' OR concurrency_key = :wanted)",
)


def list_slots(
    tx: Tx, tenant_id: str, *, key: str = "", execution_id: str = "", after: SlotKey = BEGINNING, limit: int
) -> list[ListedSlot]:
    """Return who has or wants a slot, behind `after`: of one execution, of one key, or of all."""
    names = ("environment", "key", "waits", "asked_us", "execution_id", "path")
    place: dict[str, SqlValue] = {"tenant_id": tenant_id, "limit": limit}
    place |= dict(zip(names, after, strict=True))
    if execution_id:
        return tx.all(LIST_OF_EXECUTION, ListedSlot, of=execution_id, wanted=key, **place)
    if key:
        return tx.all(LIST_OF_KEY, ListedSlot, wanted=key, **place)
    return tx.all(LIST, ListedSlot, **place)
