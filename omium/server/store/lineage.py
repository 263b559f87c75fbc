"""What executions know of each other: parents and children, sources and replays, code and its changes.

Only reads. The rows themselves are executions.py and details.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from omium.server.db.sql import Sql
from omium.server.db.tx import Tx
from omium.server.store.executions import COLUMNS, ExecutionRow
from omium.server.store.steps import scope_bounds

FAILED_CHILD = Sql("""
    SELECT o.id
      FROM executions AS e JOIN failure_occurrences AS o ON o.execution_id = e.id
     WHERE e.parent_id = :execution_id AND e.status IN ('failed', 'cancelled')
       AND (e.parent_path = :path OR (e.parent_path > :lowest AND e.parent_path < :beyond))
     ORDER BY o.created_us DESC, o.seq DESC LIMIT 1
""")
EDITED_STEP = Sql("""
    SELECT 1 FROM steps
     WHERE execution_id = :execution_id AND superseded_seq IS NULL AND edited_by IS NOT NULL LIMIT 1
""")
DECIDED = Sql("""
    SELECT o.id
      FROM effects AS e JOIN failure_occurrences AS o ON o.execution_id = e.execution_id AND o.path = e.path
      JOIN failures AS f ON f.id = o.failure_id
     WHERE e.execution_id = :execution_id AND e.decided_by IS NOT NULL AND e.state IN ('done', 'skipped')
       AND f.kind = 'effect-unknown'
     ORDER BY e.ended_us DESC, o.seq DESC LIMIT 1
""")
EDITS = Sql("SELECT edits FROM execution_details WHERE execution_id = :execution_id AND edits IS NOT NULL")
CODE = Sql(
    "SELECT code FROM epochs WHERE execution_id = :execution_id AND epoch = :epoch AND code IS NOT NULL"
)
CHILDREN = Sql(f"""
    SELECT {COLUMNS} FROM executions WHERE parent_id = :execution_id AND tenant_id = :tenant_id
     ORDER BY created_us, id LIMIT :limit
""")
LAST_COMPLETED = Sql(f"""
    SELECT {COLUMNS} FROM executions
     WHERE tenant_id = :tenant_id AND workflow = :workflow AND environment = :environment
       AND status = 'completed' AND created_us < :before_us
     ORDER BY created_us DESC, id DESC LIMIT 1
""")


@dataclass(frozen=True, slots=True)
class CodeRow:
    """The code that an epoch ran."""

    epoch: int
    code: bytes


LAST_CODE = Sql("""
    SELECT epoch, code FROM epochs WHERE execution_id = :execution_id AND code IS NOT NULL
     ORDER BY epoch DESC LIMIT 1
""")


def find_failed_child_occurrence(tx: Tx, execution_id: str, path: str) -> str | None:
    """Return the newest occurrence of a failed child that the step at `path`, or one inside it, started."""
    lowest, beyond = scope_bounds(path)
    return tx.one_or_none(
        FAILED_CHILD, str, execution_id=execution_id, path=path, lowest=lowest, beyond=beyond
    )


def has_edited_step(tx: Tx, execution_id: str) -> bool:
    """Say whether one of the recorded outputs that an execution goes on from was given by a person."""
    return tx.value(EDITED_STEP, execution_id=execution_id) is not None


def find_decided_question(tx: Tx, execution_id: str) -> str | None:
    """Return the occurrence of the newest unknown effect whose output a person has given."""
    return tx.one_or_none(DECIDED, str, execution_id=execution_id)


def find_edits(tx: Tx, execution_id: str) -> bytes | None:
    """Return the edits that a replay was started with, as JSON."""
    return tx.one_or_none(EDITS, bytes, execution_id=execution_id)


def find_code(tx: Tx, execution_id: str, epoch: int | None = None) -> bytes | None:
    """Return the code version of an epoch, or of the last one that told it, as JSON."""
    if epoch is not None:
        return tx.one_or_none(CODE, bytes, execution_id=execution_id, epoch=epoch)
    found = tx.one_or_none(LAST_CODE, CodeRow, execution_id=execution_id)
    return found.code if found else None


def list_children(tx: Tx, tenant_id: str, execution_id: str, limit: int = 1000) -> list[ExecutionRow]:
    """List the child executions, in the order in which they were started."""
    return tx.all(CHILDREN, ExecutionRow, tenant_id=tenant_id, execution_id=execution_id, limit=limit)


def find_last_completed(
    tx: Tx, tenant_id: str, workflow: str, environment: str, before_us: int
) -> ExecutionRow | None:
    """Return the newest completed execution of a workflow in an environment that began before `before_us`."""
    return tx.one_or_none(
        LAST_COMPLETED,
        ExecutionRow,
        tenant_id=tenant_id,
        workflow=workflow,
        environment=environment,
        before_us=before_us,
    )
