"""Pages of workflows: those with a stored spec, those that only executions know; what ran under a name."""

from __future__ import annotations

from dataclasses import dataclass

from omium.server.db.tx import Sql, Tx


@dataclass(frozen=True, slots=True)
class ListedWorkflow:
    """A workflow with what its active version says of it."""

    id: str
    name: str
    version: int
    archived_us: int | None
    created_us: int
    updated_us: int
    mode: str
    label: str
    description: str
    source_framework: str


@dataclass(frozen=True, slots=True)
class LastRun:
    """The newest execution under a name."""

    id: str
    status: str
    reason: str | None
    environment: str
    created_us: int
    ended_us: int | None


@dataclass(frozen=True, slots=True)
class OpenFailures:
    """Open groups of failures under a name, and the occurrences in them."""

    groups: int
    occurrences: int


LIST = Sql("""
    SELECT w.id, w.name, w.version, w.archived_us, w.created_us, w.updated_us, v.mode, v.label,
           v.description, v.source_framework
      FROM workflows w
      JOIN workflow_versions v
        ON v.tenant_id = w.tenant_id AND v.workflow_id = w.id AND v.number = w.version
     WHERE w.tenant_id = :tenant_id AND w.name > :after_name
       AND (:archived = 1 OR w.archived_us IS NULL)
       AND (:tag = '' OR EXISTS (SELECT 1 FROM workflow_tags t
             WHERE t.tenant_id = w.tenant_id AND t.workflow_id = w.id AND t.tag = :tag))
     ORDER BY w.name LIMIT :limit
""")
LIST_CODE_NAMES = Sql("""
    WITH RECURSIVE names (name) AS (
      SELECT MIN(x.workflow) FROM executions x WHERE x.tenant_id = :tenant_id AND x.workflow > :after_name
       UNION ALL
      SELECT (SELECT MIN(x.workflow) FROM executions x
               WHERE x.tenant_id = :tenant_id AND x.workflow > names.name)
        FROM names WHERE names.name IS NOT NULL)
    SELECT names.name FROM names
     WHERE names.name IS NOT NULL
       AND NOT EXISTS (SELECT 1 FROM workflows w WHERE w.tenant_id = :tenant_id AND w.name = names.name)
     LIMIT :limit
""")  # from name to name in the index: one look for each name, however many executions it has
LAST_RUN = Sql("""
    SELECT id, status, reason, environment, created_us, ended_us FROM executions
     WHERE tenant_id = :tenant_id AND workflow = :name
     ORDER BY created_us DESC, id DESC LIMIT 1
""")
OPEN_FAILURES = Sql("""
    SELECT COUNT(*) AS "groups", CAST(COALESCE(SUM(open_count), 0) AS {int64}) AS occurrences
      FROM failures WHERE tenant_id = :tenant_id AND workflow = :name AND status = 'open'
""")  # at most some hundreds: the groups of a workflow are bounded


def list_workflows(
    tx: Tx, tenant_id: str, after_name: str, limit: int, *, archived: bool, tag: str
) -> list[ListedWorkflow]:
    """List workflows with a stored spec by name; archived ones only if asked for."""
    return tx.all(
        LIST,
        ListedWorkflow,
        tenant_id=tenant_id,
        after_name=after_name,
        archived=int(archived),
        tag=tag,
        limit=limit,
    )


def list_code_names(tx: Tx, tenant_id: str, after_name: str, limit: int) -> list[str]:
    """List the names that executions have and no stored workflow."""
    return sorted(tx.all(LIST_CODE_NAMES, str, tenant_id=tenant_id, after_name=after_name, limit=limit))


def find_last_run(tx: Tx, tenant_id: str, name: str) -> LastRun | None:
    return tx.one_or_none(LAST_RUN, LastRun, tenant_id=tenant_id, name=name)


def count_open_failures(tx: Tx, tenant_id: str, name: str) -> OpenFailures:
    return tx.one(OPEN_FAILURES, OpenFailures, tenant_id=tenant_id, name=name)
