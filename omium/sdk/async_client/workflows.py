"""Calls about workflows: their documents, versions and tags."""

from __future__ import annotations

from typing import Literal

from omium.models.wire import Page
from omium.models.workflows import (
    CheckedWorkflow,
    CheckWorkflow,
    RestoreWorkflow,
    SavedWorkflow,
    SaveWorkflow,
    TagWorkflow,
    Workflow,
    WorkflowDetail,
    WorkflowDifference,
    WorkflowVersion,
    WorkflowVersionDocument,
)
from omium.sdk.async_client.core import AsyncCore, segment


class AsyncWorkflows(AsyncCore):
    """Workflows."""

    async def save_workflow(
        self, command: SaveWorkflow, *, idempotency_key: str | None = None
    ) -> SavedWorkflow:
        """Save a document as its workflow's newest version; what is active already is not stored again.

        Raises `SpecInvalid` with every problem in `errors`, `WorkflowChanged` where `expected_version` is not
        the active one any more, `WorkflowArchived`.
        """
        path = "/v1/workflows"
        return await self._send("POST", path, SavedWorkflow, command, idempotency_key=idempotency_key)

    async def check_workflow(self, command: CheckWorkflow) -> CheckedWorkflow:
        """Return what is wrong with a document, and what it would change; nothing is saved."""
        return await self._send("POST", "/v1/workflows/check", CheckedWorkflow, command)

    async def list_workflows(
        self,
        *,
        kind: Literal["spec", "code"] | None = None,
        tag: str | None = None,
        archived: bool = False,
        limit: int = 50,
        after: str | None = None,
    ) -> Page[Workflow]:
        """Return one page of workflows by name, those that only executions know as well."""
        query = {"kind": kind, "tag": tag, "archived": archived or None, "limit": limit, "after": after}
        return await self._get("/v1/workflows", Page[Workflow], query)

    async def get_workflow(self, name: str) -> WorkflowDetail:
        """Return a workflow, by name or id, with its active version."""
        return await self._get(f"/v1/workflows/{segment(name)}", WorkflowDetail)

    async def list_workflow_versions(
        self, name: str, *, limit: int = 50, after: str | None = None
    ) -> Page[WorkflowVersion]:
        """Return one page of a workflow's versions, newest first."""
        path = f"/v1/workflows/{segment(name)}/versions"
        return await self._get(path, Page[WorkflowVersion], {"limit": limit, "after": after})

    async def get_workflow_version(self, name: str, version: int | str = "active") -> WorkflowVersionDocument:
        """Return a version with its document, by number or by tag."""
        path = f"/v1/workflows/{segment(name)}/versions/{segment(str(version))}"
        return await self._get(path, WorkflowVersionDocument)

    async def compare_workflow_versions(
        self, name: str, *, before: int | str | None = None, after: int | str | None = None
    ) -> WorkflowDifference:
        """Return what changed from one version to another: to the active one, from the one before it."""
        path = f"/v1/workflows/{segment(name)}/difference"
        query = {
            "before": None if before is None else str(before),
            "after": None if after is None else str(after),
        }
        return await self._get(path, WorkflowDifference, query)

    async def restore_workflow(
        self, name: str, command: RestoreWorkflow, *, idempotency_key: str | None = None
    ) -> SavedWorkflow:
        """Make an earlier version the active one, under a new number."""
        path = f"/v1/workflows/{segment(name)}/restore"
        return await self._send("POST", path, SavedWorkflow, command, idempotency_key=idempotency_key)

    async def archive_workflow(self, name: str) -> WorkflowDetail:
        """Take a workflow out of use; what runs of it goes on."""
        return await self._send("POST", f"/v1/workflows/{segment(name)}/archive", WorkflowDetail)

    async def unarchive_workflow(self, name: str) -> WorkflowDetail:
        """Take an archived workflow into use again."""
        return await self._send("POST", f"/v1/workflows/{segment(name)}/unarchive", WorkflowDetail)

    async def tag_workflow(self, name: str, tag: str, command: TagWorkflow | None = None) -> WorkflowVersion:
        """Let a tag name a version, the active one unless given."""
        path = f"/v1/workflows/{segment(name)}/tags/{segment(tag)}"
        return await self._send("PUT", path, WorkflowVersion, command or TagWorkflow())

    async def untag_workflow(self, name: str, tag: str) -> None:
        """Forget a tag; the version stays."""
        await self._send("DELETE", f"/v1/workflows/{segment(name)}/tags/{segment(tag)}", None)
