"""Pages of executions, newest first, each filter by the index that serves it."""

from __future__ import annotations

from dataclasses import dataclass, fields

from omium.server.db.light import light
from omium.server.db.tx import Sql, SqlValue, Tx
from omium.server.store.executions import ExecutionRow

MAX_TIME = 2**62


@dataclass(frozen=True, slots=True)
class ExecutionFilter:
    """What to list; an empty text takes all. Times are `created_us`, the end excluded."""

    status: str = ""
    workflow: str = ""
    environment: str = ""
    parent_id: str = ""
    replay_of: str = ""
    tag: str = ""
    business_key: str = ""
    from_us: int = 0
    until_us: int = MAX_TIME


@light(frozen=True, slots=True)
class ListedRow(ExecutionRow):
    """An execution with its labels; `tags` is a JSON list, None where it has no labels."""

    business_key: str | None
    tags: bytes | None


_SELECT = f"""
    SELECT {", ".join(f"e.{field.name}" for field in fields(ExecutionRow))},
           (SELECT l.business_key FROM execution_labels l WHERE l.execution_id = e.id) AS business_key,
           (SELECT l.tags FROM execution_labels l WHERE l.execution_id = e.id) AS tags"""
_REST = """(:workflow = '' OR e.workflow = :workflow) AND (:environment = '' OR e.environment = :environment)
       AND (:status = '' OR e.status = :status)
       AND (:parent_id = '' OR e.parent_id = :parent_id) AND (:replay_of = '' OR e.replay_of = :replay_of)
       AND (:tag = '' OR EXISTS (SELECT 1 FROM execution_tags t
             WHERE t.tenant_id = :tenant_id AND t.tag = :tag AND t.created_us = e.created_us
               AND t.execution_id = e.id))
       AND (:business_key = '' OR EXISTS (SELECT 1 FROM execution_labels l
             WHERE l.execution_id = e.id AND l.business_key = :business_key))
       AND e.created_us >= :from_us AND e.created_us < :until_us"""
_PAGE = """
       AND (e.created_us, e.id) < (:before_us, :before_id)
     ORDER BY e.created_us DESC, e.id DESC
     LIMIT :limit"""

LIST = Sql(f"{_SELECT} FROM executions e WHERE e.tenant_id = :tenant_id AND {_REST}{_PAGE}")
LIST_BY_STATUS = Sql(
    f"{_SELECT} FROM executions e WHERE e.tenant_id = :tenant_id AND e.status = :status AND {_REST}{_PAGE}"
)
LIST_BY_WORKFLOW = Sql(
    f"{_SELECT} FROM executions e"
    f" WHERE e.tenant_id = :tenant_id AND e.workflow = :workflow AND {_REST}{_PAGE}"
)
LIST_BY_PARENT = Sql(
    f"{_SELECT} FROM executions e"
    f" WHERE e.tenant_id = :tenant_id AND e.parent_id = :parent_id AND {_REST}{_PAGE}"
)
LIST_BY_SOURCE = Sql(
    f"{_SELECT} FROM executions e"
    f" WHERE e.tenant_id = :tenant_id AND e.replay_of = :replay_of AND {_REST}{_PAGE}"
)
LIST_BY_TAG = Sql(f"""
    {_SELECT}
      FROM execution_tags d CROSS JOIN executions e
     WHERE d.tenant_id = :tenant_id AND d.tag = :tag AND e.id = d.execution_id AND {_REST}
       AND (d.created_us, d.execution_id) < (:before_us, :before_id)
     ORDER BY d.created_us DESC, d.execution_id DESC
     LIMIT :limit
""")  # CROSS JOIN keeps SQLite to this order, in which the index gives the page; PostgreSQL chooses
LIST_BY_KEY = Sql(f"""
    {_SELECT}
      FROM execution_labels d CROSS JOIN executions e
     WHERE d.tenant_id = :tenant_id AND d.business_key = :business_key AND e.id = d.execution_id AND {_REST}
       AND (d.created_us, d.execution_id) < (:before_us, :before_id)
     ORDER BY d.created_us DESC, d.execution_id DESC
     LIMIT :limit
""")


def list_executions(
    tx: Tx, tenant_id: str, wanted: ExecutionFilter, *, before: tuple[int, str], limit: int
) -> list[ListedRow]:
    """Return up to `limit` of the tenant's executions before (created_us, id), newest first."""
    before_us, before_id = before
    params: dict[str, SqlValue] = {name: getattr(wanted, name) for name in ExecutionFilter.__slots__}
    params |= {"tenant_id": tenant_id, "before_us": before_us, "before_id": before_id, "limit": limit}
    return tx.all(_choose(wanted), ListedRow, **params)


def _choose(wanted: ExecutionFilter) -> Sql:
    """Return the statement whose index leaves the fewest rows to look at."""
    if wanted.business_key:
        return LIST_BY_KEY
    if wanted.parent_id:
        return LIST_BY_PARENT
    if wanted.replay_of:
        return LIST_BY_SOURCE
    if wanted.tag:
        return LIST_BY_TAG
    if wanted.status:
        return LIST_BY_STATUS
    return LIST_BY_WORKFLOW if wanted.workflow else LIST


IDS_BY_PARENT = Sql("""
    SELECT id FROM executions WHERE parent_id = :id AND tenant_id = :tenant_id
     ORDER BY created_us, id LIMIT :limit
""")
IDS_BY_SOURCE = Sql("""
    SELECT id FROM executions WHERE replay_of = :id AND tenant_id = :tenant_id
     ORDER BY created_us, id LIMIT :limit
""")


def list_child_ids(tx: Tx, tenant_id: str, execution_id: str, limit: int = 100) -> list[str]:
    return tx.all(IDS_BY_PARENT, str, id=execution_id, tenant_id=tenant_id, limit=limit)


def list_replay_ids(tx: Tx, tenant_id: str, execution_id: str, limit: int = 100) -> list[str]:
    return tx.all(IDS_BY_SOURCE, str, id=execution_id, tenant_id=tenant_id, limit=limit)
