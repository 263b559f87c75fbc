"""Pages of executions, newest first, each filter by the index that serves it."""

from __future__ import annotations

from dataclasses import dataclass

from omium.server.db.tx import Sql, SqlValue, Tx
from omium.server.store.executions import COLUMNS, ExecutionRow

MAX_TIME = 2**62


@dataclass(frozen=True, slots=True)
class ExecutionFilter:
    """What to list; an empty text takes all. Times are `created_us`, the end excluded."""

    status: str = ""
    workflow: str = ""
    environment: str = ""
    parent_id: str = ""
    replay_of: str = ""
    from_us: int = 0
    until_us: int = MAX_TIME


_REST = """(:workflow = '' OR workflow = :workflow) AND (:environment = '' OR environment = :environment)
       AND (:status = '' OR status = :status)
       AND (:parent_id = '' OR parent_id = :parent_id) AND (:replay_of = '' OR replay_of = :replay_of)
       AND created_us >= :from_us AND created_us < :until_us
       AND (created_us, id) < (:before_us, :before_id)
     ORDER BY created_us DESC, id DESC
     LIMIT :limit"""

LIST = Sql(f"SELECT {COLUMNS} FROM executions WHERE tenant_id = :tenant_id AND {_REST}")
LIST_BY_STATUS = Sql(
    f"SELECT {COLUMNS} FROM executions WHERE tenant_id = :tenant_id AND status = :status AND {_REST}"
)
LIST_BY_WORKFLOW = Sql(
    f"SELECT {COLUMNS} FROM executions WHERE tenant_id = :tenant_id AND workflow = :workflow AND {_REST}"
)
LIST_BY_PARENT = Sql(
    f"SELECT {COLUMNS} FROM executions WHERE tenant_id = :tenant_id AND parent_id = :parent_id AND {_REST}"
)
LIST_BY_SOURCE = Sql(
    f"SELECT {COLUMNS} FROM executions WHERE tenant_id = :tenant_id AND replay_of = :replay_of AND {_REST}"
)


def list_executions(
    tx: Tx, tenant_id: str, wanted: ExecutionFilter, *, before: tuple[int, str], limit: int
) -> list[ExecutionRow]:
    """Return up to `limit` of the tenant's executions before (created_us, id), newest first."""
    before_us, before_id = before
    params: dict[str, SqlValue] = {name: getattr(wanted, name) for name in ExecutionFilter.__slots__}
    params |= {"tenant_id": tenant_id, "before_us": before_us, "before_id": before_id, "limit": limit}
    return tx.all(_choose(wanted), ExecutionRow, **params)


def _choose(wanted: ExecutionFilter) -> Sql:
    """Return the statement whose index leaves the fewest rows to look at."""
    if wanted.parent_id:
        return LIST_BY_PARENT
    if wanted.replay_of:
        return LIST_BY_SOURCE
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
