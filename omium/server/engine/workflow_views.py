"""Workflows as they travel, made from rows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from omium.jsonvalue import parse_json
from omium.models.workflows import (
    LastExecution,
    SavedWorkflow,
    SpecFinding,
    Workflow,
    WorkflowChange,
    WorkflowVersion,
    WorkflowVersionDocument,
)
from omium.server.engine.workflow_versions import Saved
from omium.server.store.workflow_lists import LastRun, ListedWorkflow, OpenFailures
from omium.server.store.workflows import TagRow, VersionFacts, WorkflowVersionRow
from omium.spec.changes import diff_specs
from omium.spec.check import restore_spec
from omium.spec.document import Spec
from omium.spec.problems import SpecProblem
from omium.states import Environment, ExecutionStatus


@dataclass(frozen=True, slots=True)
class Entry:
    """What a list tells of one workflow; without `row` only executions know it."""

    name: str
    row: ListedWorkflow | None
    last: LastRun | None
    failures: OpenFailures


def view_listed(entry: Entry) -> Workflow:
    """Return a workflow as lists show it."""
    row, last = entry.row, entry.last
    return Workflow(
        kind="code" if row is None else "spec",
        name=entry.name,
        id=row.id if row else None,
        version=row.version if row else None,
        mode=row.mode if row else None,  # type: ignore[arg-type]  # the schema checks it
        label=row.label if row else "",
        description=row.description if row else "",
        source_framework=row.source_framework if row else "",
        archived=row is not None and row.archived_us is not None,
        last_execution=LastExecution(
            id=last.id,
            status=ExecutionStatus(last.status),
            reason=last.reason,
            environment=Environment(last.environment),
            created_at_us=last.created_us,
            ended_at_us=last.ended_us,
        )
        if last
        else None,
        open_failures=entry.failures.groups,
        open_occurrences=entry.failures.occurrences,
        created_at_us=row.created_us if row else None,
        updated_at_us=row.updated_us if row else None,
    )


def view_version(row: VersionFacts | WorkflowVersionRow, tags: Sequence[TagRow]) -> WorkflowVersion:
    """Return a version without its document; `tags` are those of its workflow."""
    return WorkflowVersion(
        version=row.number,
        digest=row.digest,
        mode=row.mode,  # type: ignore[arg-type]  # the schema checks it
        label=row.label,
        description=row.description,
        source_framework=row.source_framework,
        note=row.note,
        author=row.author,
        restored_from=row.restored_from,
        created_at_us=row.created_us,
        tags=[each.tag for each in tags if each.number == row.number],
    )


def view_whole(name: str, row: WorkflowVersionRow, tags: Sequence[TagRow]) -> WorkflowVersionDocument:
    """Return a version with its document."""
    return WorkflowVersionDocument(
        **view_version(row, tags).model_dump(),
        workflow_id=row.workflow_id,
        name=name,
        document=parse_json(row.document),
    )


def view_saved(done: Saved, warnings: Iterable[SpecProblem]) -> SavedWorkflow:
    return SavedWorkflow(
        id=done.row.id,
        name=done.row.name,
        version=done.row.version,
        saved=done.is_new,
        digest=done.digest,
        warnings=view_findings(warnings),
    )


def view_findings(problems: Iterable[SpecProblem]) -> list[SpecFinding]:
    return [
        SpecFinding(pointer=each.pointer, detail=each.detail, suggestion=each.suggestion, code=each.code)
        for each in problems
    ]


def view_changes(before: bytes, after: Spec | bytes) -> list[WorkflowChange]:
    """Return what changed from a stored document to another, or to a spec. Takes long for large ones."""
    old = restore_spec(parse_json(before))
    new = restore_spec(parse_json(after)) if isinstance(after, bytes) else after
    return [WorkflowChange.model_validate(each.to_json()) for each in diff_specs(old, new)]
