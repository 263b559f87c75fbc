"""Workflows: import, look at, compare, restore, archive, tag. What becomes a version is the engine's part."""

from __future__ import annotations

import asyncio
import re
from typing import Annotated, Literal, cast

from pydantic import Field

from omium.errors import (
    IdempotencyMismatch,
    InvalidRequest,
    LimitReached,
    NotFound,
    SpecInvalid,
    WorkflowArchived,
    WorkflowChanged,
    WorkflowNotAllowed,
)
from omium.jsonvalue import JsonValue
from omium.models.wire import Command, Page
from omium.models.workflows import (
    VERSION_TAG,
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
from omium.server.db.tx import Tx
from omium.server.engine import workflow_versions as versions
from omium.server.engine.workflow_reading import (
    Listed,
    read_code_workflow,
    read_detail,
    read_page,
    read_version,
)
from omium.server.engine.workflow_targets import list_target_warnings
from omium.server.engine.workflow_views import (
    view_changes,
    view_findings,
    view_listed,
    view_saved,
    view_version,
    view_whole,
)
from omium.server.store import workflows as store
from omium.server.web.endpoint import Answer, Call, Idempotency, endpoint
from omium.server.web.pagination import PageQuery, decode_cursor, make_page, read_number_cursor
from omium.spec.check import Checked, check_spec, load_spec
from omium.states import Scope

TAGS = ("workflows",)
_TAG = re.compile(VERSION_TAG)


@endpoint(
    "POST",
    "/v1/workflows",
    scope=Scope.MANAGE,
    idempotent=Idempotency.KEYED,
    body=SaveWorkflow,
    reply=SavedWorkflow,
    problems=(
        IdempotencyMismatch,
        InvalidRequest,
        SpecInvalid,
        WorkflowArchived,
        WorkflowChanged,
        WorkflowNotAllowed,
    ),
    audit="workflow.saved",
    audit_target="name",
    summary="Save a workflow's document as its newest version, unless that is active already",
    tags=TAGS,
)
async def save_workflow(call: Call[SaveWorkflow]) -> Answer:
    """Dies before the commit: the former version is active. A second time: the stored reply."""
    wanted = call.body
    checked = await _check(wanted.document)
    spec = checked.spec or load_spec(cast("JsonValue", wanted.document))
    packed = await asyncio.to_thread(versions.pack_spec, spec)

    def work(tx: Tx) -> SavedWorkflow:
        done = versions.save_version(
            tx, call.principal, packed, note=wanted.note, expected_version=wanted.expected_version
        )
        call.tell(version=done.row.version, saved=done.is_new)
        targets = list_target_warnings(tx, call.principal.tenant_id, spec)
        return view_saved(done, [*checked.warnings, *targets])

    return await call.mutate(work)


@endpoint(
    "POST",
    "/v1/workflows/check",
    scope=Scope.READ,
    idempotent=Idempotency.NATURAL,
    body=CheckWorkflow,
    reply=CheckedWorkflow,
    problems=(InvalidRequest,),
    summary="Say what is wrong with a document, and what it would change; nothing is saved",
    tags=TAGS,
)
async def check_workflow(call: Call[CheckWorkflow]) -> CheckedWorkflow:
    document = call.body.document
    checked = await _check(document)
    found = document.get("name") if isinstance(document, dict) else None
    name = found if isinstance(found, str) else None
    spec, tenant_id = checked.spec, call.principal.tenant_id
    active, targets = None, []
    if name is not None:
        active = await call.read(lambda tx: read_version(tx, tenant_id, name, "active"))
    if spec is not None:
        targets = await call.read(lambda tx: list_target_warnings(tx, tenant_id, spec))
    changes = []
    if active is not None and checked.spec is not None:
        changes = await asyncio.to_thread(view_changes, active[1].document, checked.spec)
    return CheckedWorkflow(
        valid=checked.spec is not None,
        name=name,
        errors=view_findings(checked.problems),
        warnings=view_findings([*checked.warnings, *targets]),
        active_version=active[1].number if active else None,
        changes=changes,
    )


class WorkflowsQuery(PageQuery):
    """Which workflows to list."""

    kind: Literal["spec", "code"] | None = None
    """`spec`: with a stored document; `code`: known only by their executions."""
    tag: Annotated[str, Field(max_length=100)] = ""
    """Only those with a version of this tag."""
    archived: bool = False
    """Archived ones, too."""


@endpoint(
    "GET",
    "/v1/workflows",
    scope=Scope.READ,
    query=WorkflowsQuery,
    reply=Page[Workflow],
    problems=(InvalidRequest,),
    summary="List workflows by name, with what ran last and what failed",
    tags=TAGS,
)
async def list_workflows(call: Call[None, WorkflowsQuery]) -> Page[Workflow]:
    query, after_name = call.query, ""
    if query.after is not None:
        (name,) = decode_cursor(query.after, str)
        after_name = str(name)
    wanted = Listed(
        after_name,
        query.limit + 1,
        specs=query.kind != "code",
        code=query.kind != "spec" and not query.tag,
        archived=query.archived,
        tag=query.tag,
    )
    rows = await call.read(lambda tx: read_page(tx, call.principal.tenant_id, wanted))
    return make_page(rows, query.limit, key=lambda row: (row.name,), item=view_listed)


@endpoint(
    "GET",
    "/v1/workflows/{name}",
    scope=Scope.READ,
    reply=WorkflowDetail,
    problems=(NotFound,),
    summary="Show a workflow with its active version",
    tags=TAGS,
)
async def get_workflow(call: Call[None]) -> WorkflowDetail:
    tenant_id, name = call.principal.tenant_id, call.path["name"]

    def read(tx: Tx) -> WorkflowDetail:
        return read_detail(tx, tenant_id, name) or read_code_workflow(tx, tenant_id, name)

    return await call.read(read)


@endpoint(
    "GET",
    "/v1/workflows/{name}/versions",
    scope=Scope.READ,
    query=PageQuery,
    reply=Page[WorkflowVersion],
    problems=(InvalidRequest, NotFound),
    summary="List a workflow's versions, newest first",
    tags=TAGS,
)
async def list_workflow_versions(call: Call[None, PageQuery]) -> Page[WorkflowVersion]:
    query, tenant_id = call.query, call.principal.tenant_id
    before = read_number_cursor(query, newest_first=True)

    def read(tx: Tx) -> tuple[list[store.VersionFacts], list[store.TagRow]]:
        row = versions.get_workflow(tx, tenant_id, call.path["name"])
        found = store.list_versions(tx, tenant_id, row.id, before, query.limit + 1)
        return found, store.list_tags(tx, tenant_id, row.id)

    rows, tags = await call.read(read)
    return make_page(
        rows, query.limit, key=lambda row: (row.number,), item=lambda row: view_version(row, tags)
    )


@endpoint(
    "GET",
    "/v1/workflows/{name}/versions/{version}",
    scope=Scope.READ,
    reply=WorkflowVersionDocument,
    problems=(NotFound,),
    summary="Show a version with its document, by number, by tag, or `active`",
    tags=TAGS,
)
async def get_workflow_version(call: Call[None]) -> WorkflowVersionDocument:
    tenant_id = call.principal.tenant_id

    def read(tx: Tx) -> tuple[str, store.WorkflowVersionRow, list[store.TagRow]]:
        row = versions.get_workflow(tx, tenant_id, call.path["name"])
        number = versions.find_number(tx, row, call.path["version"])
        found = store.get_version(tx, tenant_id, row.id, number)
        return row.name, found, store.list_tags(tx, tenant_id, row.id)

    return view_whole(*await call.read(read))


class DifferenceQuery(Command):
    """Which versions to compare, each by number or tag."""

    before: Annotated[str, Field(max_length=100)] = ""
    """By default the one before `after`."""
    after: Annotated[str, Field(max_length=100)] = "active"


@endpoint(
    "GET",
    "/v1/workflows/{name}/difference",
    scope=Scope.READ,
    query=DifferenceQuery,
    reply=WorkflowDifference,
    problems=(InvalidRequest, NotFound),
    summary="Say what is different between two versions",
    tags=TAGS,
)
async def compare_workflow_versions(call: Call[None, DifferenceQuery]) -> WorkflowDifference:
    tenant_id, query = call.principal.tenant_id, call.query

    def read(tx: Tx) -> tuple[str, store.WorkflowVersionRow, store.WorkflowVersionRow]:
        row = versions.get_workflow(tx, tenant_id, call.path["name"])
        after = store.get_version(tx, tenant_id, row.id, versions.find_number(tx, row, query.after))
        number = versions.find_number(tx, row, query.before) if query.before else max(after.number - 1, 1)
        return row.name, store.get_version(tx, tenant_id, row.id, number), after

    name, before, after = await call.read(read)
    changes = await asyncio.to_thread(view_changes, before.document, after.document)
    return WorkflowDifference(name=name, before=before.number, after=after.number, changes=changes)


@endpoint(
    "POST",
    "/v1/workflows/{name}/restore",
    scope=Scope.MANAGE,
    idempotent=Idempotency.KEYED,
    body=RestoreWorkflow,
    reply=SavedWorkflow,
    problems=(
        IdempotencyMismatch,
        InvalidRequest,
        NotFound,
        WorkflowArchived,
        WorkflowChanged,
        WorkflowNotAllowed,
    ),
    audit="workflow.restored",
    summary="Make an earlier version the active one, under a new number",
    tags=TAGS,
)
async def restore_workflow(call: Call[RestoreWorkflow]) -> Answer:
    wanted = call.body

    def work(tx: Tx) -> SavedWorkflow:
        done = versions.restore_version(
            tx,
            call.principal,
            call.path["name"],
            wanted.version,
            note=wanted.note,
            expected_version=wanted.expected_version,
        )
        call.tell(version=done.row.version, restored=wanted.version, saved=done.is_new)
        return view_saved(done, ())

    return await call.mutate(work)


@endpoint(
    "POST",
    "/v1/workflows/{name}/archive",
    scope=Scope.MANAGE,
    idempotent=Idempotency.NATURAL,
    reply=WorkflowDetail,
    problems=(NotFound, WorkflowNotAllowed),
    audit="workflow.archived",
    summary="Take a workflow out of use; what runs goes on",
    tags=TAGS,
)
async def archive_workflow(call: Call[None]) -> WorkflowDetail:
    return await _set_archived(call, archived=True)


@endpoint(
    "POST",
    "/v1/workflows/{name}/unarchive",
    scope=Scope.MANAGE,
    idempotent=Idempotency.NATURAL,
    reply=WorkflowDetail,
    problems=(NotFound, WorkflowNotAllowed),
    audit="workflow.unarchived",
    summary="Take an archived workflow into use again",
    tags=TAGS,
)
async def unarchive_workflow(call: Call[None]) -> WorkflowDetail:
    return await _set_archived(call, archived=False)


async def _set_archived(call: Call[None], *, archived: bool) -> WorkflowDetail:
    tenant_id = call.principal.tenant_id

    def work(tx: Tx) -> WorkflowDetail:
        row = versions.set_archived(tx, call.principal, call.path["name"], archived=archived)
        detail = read_detail(tx, tenant_id, row.name)
        assert detail is not None, "it is locked by this transaction"
        return detail

    return await call.write(work)


@endpoint(
    "PUT",
    "/v1/workflows/{name}/tags/{tag}",
    scope=Scope.MANAGE,
    idempotent=Idempotency.NATURAL,
    body=TagWorkflow,
    reply=WorkflowVersion,
    problems=(InvalidRequest, LimitReached, NotFound, WorkflowNotAllowed),
    audit="workflow.tagged",
    summary="Let a tag name a version, whichever it named before",
    tags=TAGS,
)
async def tag_workflow(call: Call[TagWorkflow]) -> WorkflowVersion:
    name, tag, tenant_id = call.path["name"], call.path["tag"], call.principal.tenant_id
    if _TAG.fullmatch(tag) is None or tag == "active":
        raise InvalidRequest(
            "A tag has up to 100 letters, digits, dots, dashes and underscores, begins with a letter or an"
            " underscore, and is not `active`."
        )

    def work(tx: Tx) -> WorkflowVersion:
        facts = versions.set_tag(tx, call.principal, name, tag, call.body.version)
        call.tell(target=name, tag=tag, version=facts.number)
        return view_version(facts, store.list_tags(tx, tenant_id, facts.workflow_id))

    return await call.write(work)


@endpoint(
    "DELETE",
    "/v1/workflows/{name}/tags/{tag}",
    scope=Scope.MANAGE,
    idempotent=Idempotency.NATURAL,
    problems=(NotFound, WorkflowNotAllowed),
    audit="workflow.untagged",
    summary="Forget a tag; the version stays",
    tags=TAGS,
)
async def untag_workflow(call: Call[None]) -> None:
    name, tag = call.path["name"], call.path["tag"]
    call.tell(target=name, tag=tag)
    await call.write(lambda tx: versions.delete_tag(tx, call.principal, name, tag))


async def _check(document: object) -> Checked:
    """Return what is wrong with a document. In a thread: a large one takes long, and others are served."""
    return await asyncio.to_thread(check_spec, cast("JsonValue", document))


ENDPOINTS = [
    save_workflow,
    check_workflow,
    list_workflows,
    get_workflow,
    list_workflow_versions,
    get_workflow_version,
    compare_workflow_versions,
    restore_workflow,
    archive_workflow,
    unarchive_workflow,
    tag_workflow,
    untag_workflow,
]
