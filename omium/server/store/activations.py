"""Activations: nodes of a spec that are to be done, are being done, or wait; one that has ended is a step.

Owns reading, inserting and the UPDATEs under an epoch. Which of them may be claimed, and what follows from an
end, is omium/server/engine/nodes. Rows are changed under the lock of their execution, but for `call_parent`,
which changes one column that only says "look".
"""

from __future__ import annotations

from dataclasses import fields

from omium.server.db.light import light
from omium.server.db.tx import Sql, SqlValue, Tx


@light(frozen=True, slots=True)
class ActivationRow:
    """A row of `activations`. `input` is a value column; `progress` is JSON of the node's type."""

    execution_id: str
    path: str
    tenant_id: str
    environment: str
    workflow: str
    queue: str
    scope: str  # "" or the map's item that it belongs to, such as `each[3]`
    node: str
    vector: str  # iteration numbers joined by dots
    type: str
    executor: str
    handler: str
    state: str
    waiting_reason: str | None
    trigger_edge: str | None
    attempt: int
    attempts_before: int  # of which the retry policy knows nothing: before a person resumed
    interruptions: int
    epoch: int
    lease_digest: str | None
    lease_touched_us: int | None  # the lease clock
    worker_id: str | None
    due_us: int | None
    deadline_us: int | None
    input: bytes | None
    input_digest: str
    concurrency_key: str | None
    concurrency_limit: int | None
    has_slot: int
    breaker: str | None
    effect_key: str | None
    progress: bytes | None
    ready_us: int
    started_us: int | None


_NAMES = tuple(field.name for field in fields(ActivationRow))
COLUMNS = ", ".join(_NAMES)
_CHANGING = (
    *("state", "waiting_reason", "attempt", "attempts_before", "interruptions", "epoch", "lease_digest"),
    *("lease_touched_us", "worker_id", "due_us", "deadline_us", "input", "input_digest", "has_slot"),
    *("effect_key", "progress", "ready_us", "started_us"),
)

INSERT = Sql(f"""
    INSERT INTO activations ({COLUMNS}) VALUES ({", ".join(f":{name}" for name in _NAMES)})
""")


def insert_activation(tx: Tx, row: ActivationRow) -> None:
    tx.send(INSERT, **{name: getattr(row, name) for name in _NAMES})


FIND = Sql(f"SELECT {COLUMNS} FROM activations WHERE execution_id = :execution_id AND path = :path")


def find_activation(tx: Tx, execution_id: str, path: str) -> ActivationRow | None:
    return tx.one_or_none(FIND, ActivationRow, execution_id=execution_id, path=path)


UPDATE = Sql(f"""
    UPDATE activations SET {", ".join(f"{name} = :{name}" for name in _CHANGING)}
     WHERE execution_id = :execution_id AND path = :path
""")


def update_activation(tx: Tx, row: ActivationRow) -> None:
    """Write `row`; the caller has locked its execution and read it since."""
    values: dict[str, SqlValue] = {name: getattr(row, name) for name in _CHANGING}
    tx.send(UPDATE, execution_id=row.execution_id, path=row.path, **values)


DELETE = Sql("DELETE FROM activations WHERE execution_id = :execution_id AND path = :path")


def delete_activation(tx: Tx, execution_id: str, path: str) -> None:
    tx.send(DELETE, execution_id=execution_id, path=path)


DELETE_OF_TYPE = Sql("DELETE FROM activations WHERE execution_id = :execution_id AND type = :type")


def delete_of_type(tx: Tx, execution_id: str, type_: str) -> None:
    tx.send(DELETE_OF_TYPE, execution_id=execution_id, type=type_)


TOUCH = Sql("""
    UPDATE activations SET lease_touched_us = :lease_now_us
     WHERE execution_id = :execution_id AND path = :path AND tenant_id = :tenant_id
       AND epoch = :epoch AND lease_digest = :lease_digest AND state = 'running'
""")


def touch_activation(
    tx: Tx, tenant_id: str, execution_id: str, path: str, epoch: int, lease_digest: str
) -> bool:
    """Let the lease of a running task run anew; False under another grant."""
    return (
        tx.execute(
            TOUCH,
            tenant_id=tenant_id,
            execution_id=execution_id,
            path=path,
            epoch=epoch,
            lease_digest=lease_digest,
            lease_now_us=tx.lease_now_us,
        )
        == 1
    )


# ---- of one execution

LIST = Sql(f"""
    SELECT {COLUMNS} FROM activations
     WHERE execution_id = :execution_id AND path > :after_path
     ORDER BY path LIMIT :limit
""")
LIST_STATE = Sql(f"""
    SELECT {COLUMNS} FROM activations
     WHERE execution_id = :execution_id AND state = :state ORDER BY path LIMIT :limit
""")
LIST_INSIDE = Sql(f"""
    SELECT {COLUMNS} FROM activations
     WHERE execution_id = :execution_id AND path > :lowest AND path < :beyond ORDER BY path
""")
LIST_SIGNALLED = Sql(f"""
    SELECT {COLUMNS} FROM activations
     WHERE execution_id = :execution_id AND state = 'waiting' AND waiting_reason = 'signal'
       AND handler = :name
     ORDER BY ready_us, path LIMIT 1
""")
IS_ACTIVE = Sql("""
    SELECT 1 FROM activations WHERE execution_id = :execution_id AND state IN ('ready', 'running', 'ending')
     LIMIT 1
""")
IS_ACTIVE_INSIDE = Sql("""
    SELECT 1 FROM activations
     WHERE execution_id = :execution_id AND path > :lowest AND path < :beyond
       AND state IN ('ready', 'running', 'ending')
     LIMIT 1
""")
FIRST_WAITING = Sql("""
    SELECT waiting_reason FROM activations
     WHERE execution_id = :execution_id AND state = 'waiting' AND waiting_reason NOT IN ('items', 'effect')
     LIMIT 1
""")
NEXT_DUE = Sql("""
    SELECT MIN(due_us) FROM activations WHERE execution_id = :execution_id AND state = 'waiting'
""")
PARK = Sql("""
    UPDATE activations SET state = 'parked'
     WHERE execution_id = :execution_id AND state IN ('ready', 'waiting')
       AND (waiting_reason IS NULL OR waiting_reason <> 'items')
""")
PARK_INSIDE = Sql("""
    UPDATE activations SET state = 'parked'
     WHERE execution_id = :execution_id AND path > :lowest AND path < :beyond
       AND state IN ('ready', 'waiting') AND (waiting_reason IS NULL OR waiting_reason <> 'items')
""")
UNPARK = Sql("""
    UPDATE activations
       SET state = CASE WHEN COALESCE(waiting_reason, 'slot') = 'slot' THEN 'ready' ELSE 'waiting' END,
           waiting_reason = CASE WHEN waiting_reason = 'slot' THEN NULL ELSE waiting_reason END
     WHERE execution_id = :execution_id AND state = 'parked'
""")


def list_activations(
    tx: Tx, execution_id: str, *, after_path: str = "", limit: int = 1_000
) -> list[ActivationRow]:
    return tx.all(LIST, ActivationRow, execution_id=execution_id, after_path=after_path, limit=limit)


def list_in_state(tx: Tx, execution_id: str, state: str, limit: int = 100_000) -> list[ActivationRow]:
    return tx.all(LIST_STATE, ActivationRow, execution_id=execution_id, state=state, limit=limit)


def list_inside(tx: Tx, execution_id: str, scope: str) -> list[ActivationRow]:
    """Return what is not at its end in a map's item, at any depth."""
    return tx.all(
        LIST_INSIDE, ActivationRow, execution_id=execution_id, lowest=f"{scope}/", beyond=f"{scope}0"
    )


def find_signalled(tx: Tx, execution_id: str, name: str) -> ActivationRow | None:
    """Return the node that has waited longest for the signal `name`."""
    return tx.one_or_none(LIST_SIGNALLED, ActivationRow, execution_id=execution_id, name=name)


def is_active(tx: Tx, execution_id: str) -> bool:
    """Say whether anything of the execution is ready, runs, or is about to end."""
    return tx.value(IS_ACTIVE, execution_id=execution_id) is not None


def is_active_inside(tx: Tx, execution_id: str, scope: str) -> bool:
    found = tx.value(IS_ACTIVE_INSIDE, execution_id=execution_id, lowest=f"{scope}/", beyond=f"{scope}0")
    return found is not None


def find_waiting_reason(tx: Tx, execution_id: str) -> str | None:
    """Return what one of the execution's nodes waits for, but for items and decisions."""
    return tx.one_or_none(FIRST_WAITING, str, execution_id=execution_id)


def find_next_due(tx: Tx, execution_id: str) -> int | None:
    """Return when the first of the execution's timers is due."""
    found = tx.value(NEXT_DUE, execution_id=execution_id)
    return found if isinstance(found, int) else None


def park_activations(tx: Tx, execution_id: str, scope: str = "") -> None:
    """Let nothing begin that is ready or waits, in the whole execution or in a map's item."""
    if scope:
        tx.send(PARK_INSIDE, execution_id=execution_id, lowest=f"{scope}/", beyond=f"{scope}0")
    else:
        tx.send(PARK, execution_id=execution_id)


def unpark_activations(tx: Tx, execution_id: str) -> None:
    """Let what was parked be ready, or wait, again; what waited for a slot asks for one anew.

    Whoever gave a slot back meanwhile has found nobody that waits.
    """
    tx.send(UNPARK, execution_id=execution_id)


# ---- from a child to what waits for it

CALL_PARENT = Sql("""
    UPDATE activations SET due_us = :now_us
     WHERE execution_id = :parent_id AND path = :parent_path AND waiting_reason = 'child'
""")


def call_parent(tx: Tx, parent_id: str, parent_path: str) -> bool:
    """Let the node that has started a child look at it; False where no node waits for it."""
    return tx.execute(CALL_PARENT, parent_id=parent_id, parent_path=parent_path, now_us=tx.now_us) == 1


MAKE_DUE = Sql("""
    UPDATE activations SET due_us = :now_us
     WHERE execution_id = :execution_id AND path = :path AND waiting_reason = 'effect'
""")


def call_effect(tx: Tx, execution_id: str, path: str) -> bool:
    """Let the node look at its effect: a person has decided, or a late report has come."""
    return tx.execute(MAKE_DUE, execution_id=execution_id, path=path, now_us=tx.now_us) == 1


NEWEST_TOUCH = Sql("""
    SELECT MAX(lease_touched_us) FROM activations WHERE execution_id = :execution_id AND state = 'running'
""")


def find_newest_touch(tx: Tx, execution_id: str) -> int | None:
    """Return when any of the execution's running tasks was heard of last, by the lease clock."""
    found = tx.value(NEWEST_TOUCH, execution_id=execution_id)
    return found if isinstance(found, int) else None
