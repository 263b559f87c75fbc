"""Trees: the executions below one, and the cancels that have yet to reach them.

Owns the rows of `tree_cancels`. What is asked of whom is decided in engine/cancel.py and engine/rollback.py.
Several executions are locked in the order of their creation, so a parent comes before its children.
"""

from __future__ import annotations

from dataclasses import dataclass

from omium.server.db.tx import Sql, Tx
from omium.server.store.executions import COLUMNS, ExecutionRow

DEPTH_MAX = 64  # of children of children: far beyond what paths allow


@dataclass(frozen=True, slots=True)
class TreeCancelRow:
    """The children of `execution_id` created after (`after_created_us`, `after_id`) are to be asked."""

    execution_id: str
    tenant_id: str
    requested_by: str
    comment: str
    after_created_us: int
    after_id: str
    created_us: int


@dataclass(frozen=True, slots=True)
class Below:
    """An execution below another one; `top` is the child through which."""

    id: str
    top: str
    status: str


_NAMES = ", ".join(TreeCancelRow.__dataclass_fields__)

HAS_OPEN_CHILDREN = Sql("""
    SELECT 1 FROM executions WHERE parent_id = :parent_id AND ended_us IS NULL LIMIT 1
""")
INSERT = Sql(f"""
    INSERT INTO tree_cancels ({_NAMES})
    VALUES (:execution_id, :tenant_id, :requested_by, :comment, :after_created_us, :after_id, :created_us)
    ON CONFLICT (execution_id) DO NOTHING
""")  # asked twice: the first request is on its way
LOCK_NEXT = Sql(
    f"SELECT {_NAMES} FROM tree_cancels ORDER BY created_us, execution_id LIMIT 1 {{skip_locked}}"
)
OPEN_CHILDREN = Sql(f"""
    SELECT {COLUMNS} FROM executions
     WHERE parent_id = :parent_id AND tenant_id = :tenant_id AND ended_us IS NULL
       AND (created_us, id) > (:after_created_us, :after_id)
     ORDER BY created_us, id
     LIMIT :limit
     {{for_update}}
""")
PROCEED = Sql("""
    UPDATE tree_cancels SET after_created_us = :after_created_us, after_id = :after_id
     WHERE execution_id = :execution_id
""")
DELETE = Sql("DELETE FROM tree_cancels WHERE execution_id = :execution_id")
LEFT_BELOW = Sql("""
    WITH RECURSIVE below (id, top, depth) AS (
      SELECT id, id, 1 FROM executions WHERE parent_id = :execution_id AND tenant_id = :tenant_id
       UNION ALL
      SELECT child.id, below.top, below.depth + 1
        FROM below JOIN executions AS child ON child.parent_id = below.id
       WHERE child.tenant_id = :tenant_id AND below.depth < :depth_max)
    SELECT e.id, below.top, e.status
      FROM below JOIN executions AS e ON e.id = below.id
     WHERE e.ended_us IS NULL
        OR EXISTS (SELECT 1 FROM failure_occurrences AS o WHERE o.execution_id = e.id AND o.status = 'open')
     ORDER BY e.created_us, e.id
""")


def insert_tree_cancel(tx: Tx, row: ExecutionRow, *, by: str, comment: str) -> bool:
    """Note that the children of `row` are to be asked to stop; False if it has none that could."""
    if tx.value(HAS_OPEN_CHILDREN, parent_id=row.id) is None:
        return False
    tx.execute(
        INSERT,
        execution_id=row.id,
        tenant_id=row.tenant_id,
        requested_by=by,
        comment=comment,
        after_created_us=-1,
        after_id="",
        created_us=tx.now_us,
    )
    return True


def lock_next_cancel(tx: Tx) -> TreeCancelRow | None:
    """Return the oldest one that nobody works on, locked, or None."""
    return tx.one_or_none(LOCK_NEXT, TreeCancelRow)


def lock_open_children(tx: Tx, cancel: TreeCancelRow, limit: int) -> list[ExecutionRow]:
    """Return the next children that have not ended, locked in the order of their creation."""
    return tx.all(
        OPEN_CHILDREN,
        ExecutionRow,
        parent_id=cancel.execution_id,
        tenant_id=cancel.tenant_id,
        after_created_us=cancel.after_created_us,
        after_id=cancel.after_id,
        limit=limit,
    )


def proceed_cancel(tx: Tx, cancel: TreeCancelRow, last: ExecutionRow) -> None:
    """Note that the children up to `last` were asked."""
    tx.execute(PROCEED, execution_id=cancel.execution_id, after_created_us=last.created_us, after_id=last.id)


def delete_cancel(tx: Tx, cancel: TreeCancelRow) -> None:
    tx.execute(DELETE, execution_id=cancel.execution_id)


def list_left_below(tx: Tx, tenant_id: str, execution_id: str) -> list[Below]:
    """List what has not ended, or has open failures, at any depth below; parents before their children."""
    return tx.all(LEFT_BELOW, Below, tenant_id=tenant_id, execution_id=execution_id, depth_max=DEPTH_MAX)
