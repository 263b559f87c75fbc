"""Webhooks: targets, which handlers they do, and the tasks that were pushed to them.

Owns the statements. What is pushed when is omium/server/webhooks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from omium.server.db.tx import Sql, Tx

ACTIVE = "active"
DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class TargetRow:
    """A target; `destination` is what people are shown of its address."""

    id: str
    tenant_id: str
    environment: str
    queue: str
    name: str
    destination: str
    sealed: bytes
    concurrency: int
    reply_s: int
    callback_s: int
    status: str
    note: str
    created_us: int
    created_by: str


@dataclass(frozen=True, slots=True)
class QueueRow:
    """A queue that targets are pushed from."""

    tenant_id: str
    environment: str
    queue: str


@dataclass(frozen=True, slots=True)
class PushRow:
    """A task that was granted to a target."""

    id: str
    tenant_id: str
    target_id: str
    execution_id: str
    path: str
    epoch: int
    token_digest: str
    status: str
    due_us: int | None
    created_us: int
    ended_us: int | None


@dataclass(frozen=True, slots=True)
class _Handler:
    target_id: str
    handler: str


_TARGET = ", ".join(TargetRow.__slots__)
_PUSH = ", ".join(PushRow.__slots__)

# ---- targets

INSERT_TARGET = Sql(f"""
    INSERT INTO webhook_targets ({_TARGET})
    VALUES ({", ".join(f":{name}" for name in TargetRow.__slots__)})
""")  # the columns are constants of this module, here and below
INSERT_HANDLER = Sql("INSERT INTO webhook_handlers (target_id, handler) VALUES (:target_id, :handler)")
COUNT_TARGETS = Sql("SELECT COUNT(*) FROM webhook_targets WHERE tenant_id = :tenant_id")
LIST_TARGETS = Sql(f"""
    SELECT {_TARGET} FROM webhook_targets
     WHERE tenant_id = :tenant_id AND (created_us, id) > (:after_us, :after_id)
     ORDER BY created_us, id LIMIT :limit
""")
FIND_TARGET = Sql(f"SELECT {_TARGET} FROM webhook_targets WHERE id = :id AND tenant_id = :tenant_id")
LOCK_TARGET = Sql(f"""
    SELECT {_TARGET} FROM webhook_targets WHERE id = :id AND tenant_id = :tenant_id {{for_update}}
""")
LIST_QUEUES = Sql("""
    SELECT DISTINCT tenant_id, environment, queue FROM (
      SELECT tenant_id, environment, queue FROM webhook_targets
       WHERE status = 'active' ORDER BY id LIMIT :limit
    ) AS active
""")
LIST_WANTED = Sql(f"""
    SELECT {_TARGET} FROM webhook_targets t
     WHERE t.status = 'active' AND t.id > :after_id
       AND EXISTS (SELECT 1 FROM activations WHERE executor = 'worker' AND state = 'ready')
       AND EXISTS (
         SELECT 1 FROM webhook_handlers h CROSS JOIN activations a
          WHERE h.target_id = t.id
            AND a.tenant_id = t.tenant_id AND a.environment = t.environment AND a.queue = t.queue
            AND a.executor = 'worker' AND a.handler = h.handler AND a.state = 'ready'
       )
       AND t.concurrency > (
         SELECT COUNT(*) FROM webhook_pushes p WHERE p.target_id = t.id AND p.ended_us IS NULL
       )
     ORDER BY t.id LIMIT :limit
""")  # the first EXISTS is judged once: where nothing is ready, no target is looked at; CROSS JOIN: SQLite
# asks for each handler, instead of reading all that is ready there
HANDLERS = Sql("""
    SELECT target_id, handler FROM webhook_handlers WHERE target_id = :target_id ORDER BY handler
""")
DELETE_TARGET = Sql("DELETE FROM webhook_targets WHERE id = :id AND tenant_id = :tenant_id")
SET_SEALED = Sql("UPDATE webhook_targets SET sealed = :sealed WHERE id = :id")
SET_STATUS = Sql("""
    UPDATE webhook_targets SET status = :status, note = :note
     WHERE id = :id AND (status <> :status OR note <> :note)
""")  # writes nothing where nothing changes

# ---- pushes

INSERT_PUSH = Sql(f"""
    INSERT INTO webhook_pushes ({_PUSH})
    VALUES ({", ".join(f":{name}" for name in PushRow.__slots__)})
""")
COUNT_OPEN = Sql("""
    SELECT COUNT(*) FROM webhook_pushes WHERE target_id = :target_id AND ended_us IS NULL
""")
LIST_OPEN = Sql(f"""
    SELECT {_PUSH} FROM webhook_pushes WHERE ended_us IS NULL AND id > :after_id ORDER BY id LIMIT :limit
""")
FIND_PUSH = Sql(f"SELECT {_PUSH} FROM webhook_pushes WHERE token_digest = :token_digest")
ACCEPT = Sql("""
    UPDATE webhook_pushes SET status = 'accepted', due_us = :due_us
     WHERE id = :id AND status = 'sending'
""")
CANCEL = Sql("""
    UPDATE webhook_pushes SET status = 'cancelling' WHERE id = :id AND status IN ('sending', 'accepted')
""")
END = Sql("""
    UPDATE webhook_pushes SET status = 'ended', ended_us = :now_us WHERE id = :id AND ended_us IS NULL
""")
DELETE_OLD = Sql("""
    DELETE FROM webhook_pushes WHERE id IN (
      SELECT id FROM webhook_pushes
       WHERE ended_us IS NOT NULL AND ended_us < :before_us ORDER BY ended_us LIMIT :limit
    )
""")


def insert_target(tx: Tx, row: TargetRow, handlers: Sequence[str]) -> None:
    tx.execute(INSERT_TARGET, **{name: getattr(row, name) for name in TargetRow.__slots__})
    for handler in sorted(set(handlers)):
        tx.execute(INSERT_HANDLER, target_id=row.id, handler=handler)


def count_targets(tx: Tx, tenant_id: str) -> int:
    return tx.one(COUNT_TARGETS, int, tenant_id=tenant_id)


def list_targets(tx: Tx, tenant_id: str, after_us: int, after_id: str, limit: int) -> list[TargetRow]:
    """Return targets of a tenant, oldest first."""
    return tx.all(
        LIST_TARGETS, TargetRow, tenant_id=tenant_id, after_us=after_us, after_id=after_id, limit=limit
    )


def find_target(tx: Tx, tenant_id: str, target_id: str) -> TargetRow | None:
    return tx.one_or_none(FIND_TARGET, TargetRow, id=target_id, tenant_id=tenant_id)


def lock_target(tx: Tx, tenant_id: str, target_id: str) -> TargetRow | None:
    return tx.one_or_none(LOCK_TARGET, TargetRow, id=target_id, tenant_id=tenant_id)


def list_queues(tx: Tx, limit: int) -> list[QueueRow]:
    """Return the queues of the first `limit` targets of all tenants that may be pushed to."""
    return tx.all(LIST_QUEUES, QueueRow, limit=limit)


def list_wanted(tx: Tx, after_id: str, limit: int) -> list[TargetRow]:
    """Return targets of all tenants for which something is ready, and that have room for it, by id."""
    return tx.all(LIST_WANTED, TargetRow, after_id=after_id, limit=limit)


def list_handlers(tx: Tx, target_id: str) -> list[str]:
    return [row.handler for row in tx.all(HANDLERS, _Handler, target_id=target_id)]


def delete_target(tx: Tx, tenant_id: str, target_id: str) -> bool:
    """Delete a target with its pushes; False where there is none."""
    return tx.execute(DELETE_TARGET, id=target_id, tenant_id=tenant_id) == 1


def set_sealed(tx: Tx, target_id: str, sealed: bytes) -> None:
    tx.execute(SET_SEALED, id=target_id, sealed=sealed)


def set_status(tx: Tx, target_id: str, status: str, note: str) -> None:
    tx.execute(SET_STATUS, id=target_id, status=status, note=note)


def insert_push(tx: Tx, row: PushRow) -> None:
    tx.execute(INSERT_PUSH, **{name: getattr(row, name) for name in PushRow.__slots__})


def count_open(tx: Tx, target_id: str) -> int:
    """Return how many tasks a target has now."""
    return tx.one(COUNT_OPEN, int, target_id=target_id)


def list_open(tx: Tx, after_id: str, limit: int) -> list[PushRow]:
    """Return pushes that have not ended, of all tenants, by id."""
    return tx.all(LIST_OPEN, PushRow, after_id=after_id, limit=limit)


def find_push(tx: Tx, token_digest: str) -> PushRow | None:
    """Return the push whose task has the token of this digest."""
    return tx.one_or_none(FIND_PUSH, PushRow, token_digest=token_digest)


def accept_push(tx: Tx, push_id: str, due_us: int) -> bool:
    """Note that the target will call back; False where it has ended or is cancelled."""
    return tx.execute(ACCEPT, id=push_id, due_us=due_us) == 1


def cancel_push(tx: Tx, push_id: str) -> bool:
    """Note that the target is told to stop, once; False where it was before, or has ended."""
    return tx.execute(CANCEL, id=push_id) == 1


def end_push(tx: Tx, push_id: str) -> bool:
    """Close a push; False where it had ended before."""
    return tx.execute(END, id=push_id, now_us=tx.now_us) == 1


def delete_old(tx: Tx, before_us: int, limit: int) -> int:
    """Delete pushes that ended before; returns how many."""
    return tx.execute(DELETE_OLD, before_us=before_us, limit=limit)
