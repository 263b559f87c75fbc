"""Imports: runs that a framework stored itself."""

from __future__ import annotations

import asyncio

from omium.errors import InvalidRequest, WorkflowNotAllowed
from omium.models.imports import ImportedRun, ImportRun
from omium.server.traces.imported import name_workflow, pack_import, place_import
from omium.server.web.endpoint import Call, Idempotency, endpoint
from omium.states import Scope

TAGS = ("executions",)
BODY_BYTES_MAX = 8 * 2**20


@endpoint(
    "POST",
    "/v1/executions/import",
    scope=Scope.RUN,
    idempotent=Idempotency.NATURAL,  # a run has its own identity; the same one again changes nothing
    body=ImportRun,
    body_bytes_max=BODY_BYTES_MAX,
    reply=ImportedRun,
    problems=(InvalidRequest, WorkflowNotAllowed),
    audit="execution.imported",
    audit_target="execution_id",
    summary="Import a run that a framework stored itself, as an execution that nobody drives, for free",
    tags=TAGS,
)
async def import_run(call: Call[ImportRun]) -> ImportedRun:
    server, run, principal = call.server, call.body, call.principal
    secrets = await server.known_secrets.list_values(principal.tenant_id)
    principal.require_workflow(name_workflow(run, secrets))
    now_us, vault = server.clock.now_us(), server.engine.vault
    owner, packed = await asyncio.to_thread(pack_import, vault, principal, run, secrets, now_us)
    call.tell(framework=run.framework, run_id=run.run_id)
    return await call.write(lambda tx: place_import(tx, principal, owner, packed, run))


ENDPOINTS = [import_run]
