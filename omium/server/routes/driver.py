"""Drivers: the writes of running code, and the recorded values that it asks for."""

from __future__ import annotations

from omium.errors import (
    CheckpointGone,
    InvalidRequest,
    LeaseLostProblem,
    NotFound,
    ScopeMissing,
    WorkflowNotAllowed,
)
from omium.models.driver import FetchRecords, RecordValues, WriteAnswer, WriteBatch
from omium.server.engine.fence import Lease
from omium.server.engine.grants import digest_token
from omium.server.engine.reading import fetch_records
from omium.server.engine.writes import write_batch
from omium.server.principal import Principal
from omium.server.store.executions import get_execution
from omium.server.web.endpoint import Call, Idempotency, endpoint
from omium.states import Scope

TAGS = ("drivers",)


@endpoint(
    "POST",
    "/v1/writes",
    scope=None,
    any_key=True,
    idempotent=Idempotency.NATURAL,
    body=WriteBatch,
    reply=WriteAnswer,
    problems=(ScopeMissing,),
    summary="Record what a driver's steps did, fenced by its grant; with scope run or worker",
    tags=TAGS,
)
async def write(call: Call[WriteBatch]) -> WriteAnswer:
    require_driver(call.principal)
    body = await call.server.known_secrets.mask(call.principal.tenant_id, call.body)
    return await write_batch(call.server.engine, call.principal, body)


@endpoint(
    "POST",
    "/v1/executions/{execution_id}/records",
    scope=None,
    any_key=True,
    idempotent=Idempotency.NATURAL,
    body=FetchRecords,
    reply=RecordValues,
    problems=(CheckpointGone, InvalidRequest, LeaseLostProblem, NotFound, ScopeMissing, WorkflowNotAllowed),
    summary="Fetch recorded outputs exactly, as a driver; with scope run or worker",
    tags=TAGS,
)
async def fetch_recorded(call: Call[FetchRecords]) -> RecordValues:
    require_driver(call.principal)
    execution_id, asked = call.path["execution_id"], call.body
    if (asked.epoch is None) != (asked.lease_token is None):
        raise InvalidRequest("epoch and lease_token belong together.")
    lease = None
    if asked.epoch is not None and asked.lease_token is not None:
        lease = Lease(call.principal, execution_id, asked.epoch, digest_token(asked.lease_token))
    elif call.principal.workflows is not None:  # no grant shows whose it is: the list decides
        row = await call.read(lambda tx: get_execution(tx, call.principal.tenant_id, execution_id))
        call.principal.require_workflow(row.workflow)
    return await fetch_records(call.server.engine, call.principal.tenant_id, execution_id, asked.paths, lease)


def require_driver(principal: Principal) -> None:
    """Raise `ScopeMissing` unless the key may drive: `run` for local executions, `worker` for claimed ones.

    Which execution it drives is shown by the grant's token, not by the key.
    """
    if Scope.WORKER not in principal.scopes:
        principal.require(Scope.RUN)


ENDPOINTS = [write, fetch_recorded]
