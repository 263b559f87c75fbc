"""Slots: how many nodes run under each concurrency key, and who waits longest for one."""

from __future__ import annotations

from dataclasses import dataclass

from omium.server.db.tx import Sql, Tx
from omium.server.store.activations import COLUMNS, ActivationRow

ADD = Sql("""
    INSERT INTO concurrency_slots (tenant_id, environment, key, used, freed)
    VALUES (:tenant_id, :environment, :key, 0, 0)
    ON CONFLICT (tenant_id, environment, key) DO NOTHING
""")
LOCK = Sql("""
    UPDATE concurrency_slots SET freed = freed
     WHERE tenant_id = :tenant_id AND environment = :environment AND key = :key
""")
TAKE = Sql("""
    UPDATE concurrency_slots SET used = used + 1
     WHERE tenant_id = :tenant_id AND environment = :environment AND key = :key AND used < :most
""")
GIVE_BACK = Sql("""
    UPDATE concurrency_slots SET used = used - 1, freed = 1
     WHERE tenant_id = :tenant_id AND environment = :environment AND key = :key AND used > 0
""")
SETTLE = Sql("""
    UPDATE concurrency_slots SET freed = 0
     WHERE tenant_id = :tenant_id AND environment = :environment AND key = :key
""")
LOOK_AGAIN = Sql("""
    UPDATE concurrency_slots SET freed = 1
     WHERE tenant_id = :tenant_id AND environment = :environment AND key = :key
""")
NEXT_FREED = Sql("""
    SELECT tenant_id, environment, key, used FROM concurrency_slots WHERE freed = 1
     ORDER BY tenant_id, environment, key LIMIT :limit
     {skip_locked}
""")
LONGEST_WAITING = Sql("""
    SELECT execution_id, path, concurrency_limit AS most, ready_us FROM activations
     WHERE tenant_id = :tenant_id AND environment = :environment AND concurrency_key = :key
       AND state = 'waiting' AND waiting_reason = 'slot'
     ORDER BY ready_us, execution_id, path LIMIT 1
""")
PARKED = Sql(f"""
    SELECT {COLUMNS} FROM activations
     WHERE execution_id = :execution_id AND state = 'parked' AND has_slot = 1
     ORDER BY concurrency_key, path
""")


@dataclass(frozen=True, slots=True)
class FreedKey:
    """A key of which a slot was given back since somebody looked."""

    tenant_id: str
    environment: str
    key: str
    used: int


@dataclass(frozen=True, slots=True)
class WaitingNode:
    """The activation that has waited longest for a slot of its key; `most` is the limit that it says."""

    execution_id: str
    path: str
    most: int
    ready_us: int


def lock_key(tx: Tx, tenant_id: str, environment: str, key: str) -> None:
    """Lock the key's row: who gives a slot of it back meanwhile does so after this transaction."""
    place = {"tenant_id": tenant_id, "environment": environment, "key": key}
    if tx.execute(LOCK, **place) == 0:
        tx.execute(ADD, **place)
        tx.execute(LOCK, **place)


def take(tx: Tx, tenant_id: str, environment: str, key: str, most: int) -> bool:
    """Take a slot of a key whose row is there; False where `most` are taken."""
    return tx.execute(TAKE, most=most, tenant_id=tenant_id, environment=environment, key=key) == 1


def give_back(tx: Tx, tenant_id: str, environment: str, key: str) -> None:
    tx.send(GIVE_BACK, tenant_id=tenant_id, environment=environment, key=key)


def look_again(tx: Tx, tenant_id: str, environment: str, key: str) -> None:
    """Let the sweep look who may have a slot of the key: whoever waited first does not wait any more."""
    tx.send(LOOK_AGAIN, tenant_id=tenant_id, environment=environment, key=key)


def settle(tx: Tx, tenant_id: str, environment: str, key: str) -> None:
    """Note that nobody who waits for a slot of the key can have one now."""
    tx.send(SETTLE, tenant_id=tenant_id, environment=environment, key=key)


def list_parked(tx: Tx, execution_id: str) -> list[ActivationRow]:
    """Return the nodes of an execution that have a slot and may not begin."""
    return tx.all(PARKED, ActivationRow, execution_id=execution_id)


def list_freed(tx: Tx, limit: int) -> list[FreedKey]:
    """Return keys of which a slot was given back, locked; without those that somebody is at work on."""
    return tx.all(NEXT_FREED, FreedKey, limit=limit)


def find_waiting(tx: Tx, tenant_id: str, environment: str, key: str) -> WaitingNode | None:
    return tx.one_or_none(LONGEST_WAITING, WaitingNode, tenant_id=tenant_id, environment=environment, key=key)
