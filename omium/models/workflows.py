"""Workflows on the wire: documents in, versions and what became of them out."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from omium.models.wire import Command, Count, Json, Reply
from omium.states import Environment, ExecutionStatus

Note = Annotated[str, StringConstraints(max_length=1_000, pattern=r"^[^\x00]*$")]
VERSION_TAG = r"[A-Za-z_][A-Za-z0-9_.-]{0,99}"
"""Begins with no digit, so that it is never taken for a version's number."""
Mode = Literal["engine", "native"]


class SaveWorkflow(Command):
    """A workflow's document; its name says which workflow it is a version of."""

    document: Json
    """The workflow spec, as JSON (docs/spec.md)."""
    note: Note = ""
    """Why; kept with the version."""
    expected_version: Count | None = None
    """The version that was edited: if another is active by now, nothing is saved. 0: there is none."""


class CheckWorkflow(Command):
    """A document to look at; nothing is saved."""

    document: Json
    """The workflow spec, as JSON (docs/spec.md)."""


class RestoreWorkflow(Command):
    """Which version becomes a new one."""

    version: Annotated[int, Field(ge=1, lt=2**31)]
    """Its number."""
    note: Note = ""
    """Why; kept with the new version."""
    expected_version: Count | None = None
    """As of `SaveWorkflow`."""


class TagWorkflow(Command):
    """Which version a tag names; the active one, unless given."""

    version: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    """Its number; the active one, unless given."""


class SpecFinding(Reply):
    """Something that is wrong with a document, or a warning."""

    pointer: str
    """JSON pointer to the place."""
    detail: str
    suggestion: str = ""
    code: str


class WorkflowFieldChange(Reply):
    """One field with another value; null stands for a field that is not there."""

    pointer: str
    """JSON pointer inside of what changed, such as `/parameters/description`."""
    before: Json = None
    after: Json = None
    text_diff: list[str] = Field(default_factory=list)
    """Of long texts: the lines of a unified diff."""


class WorkflowChange(Reply):
    """One thing that came, went or changed between two versions."""

    kind: Literal["added", "removed", "changed"]
    what: str
    """spec, node, edge, agent, tool, breaker or loop."""
    id: str
    """Of the thing; inside of maps after the ids of the maps. Empty for the spec itself."""
    fields: list[WorkflowFieldChange] = Field(default_factory=list)
    """Of what changed."""


class CheckedWorkflow(Reply):
    """What is wrong with a document, and what it would change."""

    valid: bool
    name: str | None
    errors: list[SpecFinding]
    warnings: list[SpecFinding]
    active_version: int | None
    """Of the stored workflow of this name; None where there is none."""
    changes: list[WorkflowChange]
    """Against the active version; empty also where there is none."""


class SavedWorkflow(Reply):
    """The active version after a save."""

    id: str
    name: str
    version: int
    saved: bool
    """False: it is what was active already, and nothing was stored."""
    digest: str
    warnings: list[SpecFinding]


class WorkflowTag(Reply):
    """A name for a version, which people move."""

    tag: str
    version: int
    updated_at_us: int
    updated_by: str


class LastExecution(Reply):
    """The newest execution of a workflow."""

    id: str
    status: ExecutionStatus
    reason: str | None
    environment: Environment
    created_at_us: int
    ended_at_us: int | None


class Workflow(Reply):
    """A workflow as lists show it. `code`: it is known only by its executions; a program defines it."""

    kind: Literal["spec", "code"]
    name: str
    id: str | None
    version: int | None
    mode: Mode | None
    label: str
    """What the document calls its version."""
    description: str
    source_framework: str
    archived: bool
    last_execution: LastExecution | None
    open_failures: int
    """Groups in the failure inbox."""
    open_occurrences: int
    created_at_us: int | None
    updated_at_us: int | None


class WorkflowVersion(Reply):
    """A version but for its document."""

    version: int
    digest: str
    mode: Mode
    label: str
    description: str
    source_framework: str
    note: str
    author: str
    restored_from: int | None
    created_at_us: int
    tags: list[str]


class WorkflowVersionDocument(WorkflowVersion):
    """A version whole."""

    workflow_id: str
    name: str
    document: Json


class WorkflowDetail(Workflow):
    """A workflow with its active version and its tags; a `code` workflow has neither."""

    active: WorkflowVersionDocument | None
    tags: list[WorkflowTag]


class WorkflowDifference(Reply):
    """What is different between two versions of a workflow."""

    name: str
    before: int
    after: int
    changes: list[WorkflowChange]
