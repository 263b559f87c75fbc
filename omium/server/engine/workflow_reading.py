"""Reading workflows: pages of them, and one with its active version; spec and code workflows side by side."""

from __future__ import annotations

from dataclasses import dataclass

from omium.errors import NotFound
from omium.models.workflows import WorkflowDetail, WorkflowTag
from omium.server.db.tx import Tx
from omium.server.engine.workflow_versions import find_number
from omium.server.engine.workflow_views import Entry, view_listed, view_whole
from omium.server.store import workflow_lists as lists
from omium.server.store import workflows as store
from omium.server.store.workflow_lists import ListedWorkflow
from omium.server.store.workflows import WorkflowVersionRow


@dataclass(frozen=True, slots=True)
class Listed:
    """Which workflows a page is of, and where it begins."""

    after_name: str
    limit: int
    specs: bool = True
    code: bool = True
    archived: bool = False
    tag: str = ""


def read_page(tx: Tx, tenant_id: str, wanted: Listed) -> list[Entry]:
    """Return up to `wanted.limit` workflows by name, each with its last run and its open failures."""
    found: dict[str, ListedWorkflow | None] = {}
    if wanted.specs:
        rows = lists.list_workflows(
            tx, tenant_id, wanted.after_name, wanted.limit, archived=wanted.archived, tag=wanted.tag
        )
        found |= {row.name: row for row in rows}
    if wanted.code:
        found |= dict.fromkeys(lists.list_code_names(tx, tenant_id, wanted.after_name, wanted.limit))
    names = sorted(found)[: wanted.limit]
    return [_read_entry(tx, tenant_id, name, found[name]) for name in names]


def _read_entry(tx: Tx, tenant_id: str, name: str, row: ListedWorkflow | None) -> Entry:
    last = lists.find_last_run(tx, tenant_id, name)
    return Entry(name, row, last, lists.count_open_failures(tx, tenant_id, name))


def read_detail(tx: Tx, tenant_id: str, name: str) -> WorkflowDetail | None:
    """Return a workflow with a stored spec, by name or id; None where there is none."""
    found = read_version(tx, tenant_id, name, "active")
    if found is None:
        return None
    row, active = found
    listed = ListedWorkflow(
        id=row.id,
        name=row.name,
        version=row.version,
        archived_us=row.archived_us,
        created_us=row.created_us,
        updated_us=row.updated_us,
        mode=active.mode,
        label=active.label,
        description=active.description,
        source_framework=active.source_framework,
    )
    tags = store.list_tags(tx, tenant_id, row.id)
    return WorkflowDetail(
        **view_listed(_read_entry(tx, tenant_id, row.name, listed)).model_dump(),
        active=view_whole(row.name, active, tags),
        tags=[
            WorkflowTag(
                tag=each.tag,
                version=each.number,
                updated_at_us=each.updated_us,
                updated_by=each.updated_by,
            )
            for each in tags
        ],
    )


def read_code_workflow(tx: Tx, tenant_id: str, name: str) -> WorkflowDetail:
    """Return a workflow that only its executions know; raises `NotFound` where there are none, either."""
    entry = _read_entry(tx, tenant_id, name, None)
    if entry.last is None:
        raise NotFound(f"There is no workflow {name} here; see: omium workflows list")
    return WorkflowDetail(**view_listed(entry).model_dump(), active=None, tags=[])


def read_version(
    tx: Tx, tenant_id: str, name: str, version: str
) -> tuple[store.WorkflowRow, WorkflowVersionRow] | None:
    """Return a workflow and one of its versions; None where there is no such workflow."""
    row = store.find_workflow(tx, tenant_id, name) or store.find_workflow_by_id(tx, tenant_id, name)
    if row is None:
        return None
    return row, store.get_version(tx, tenant_id, row.id, find_number(tx, row, version))
