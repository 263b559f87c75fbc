"""Graph checkpoints over HTTP: what `omium.adapters.langgraph.OmiumSaver` calls."""

from __future__ import annotations

from omium.errors import LeaseLostProblem, NotFound, PayloadTooLarge
from omium.models.graph import (
    CopyGraphThread,
    DeleteGraphRuns,
    DeleteGraphThread,
    FindGraphCheckpoint,
    FoundGraphCheckpoint,
    GraphCheckpointPage,
    GraphDeleted,
    ListGraphCheckpoints,
    PruneGraphThreads,
    PutGraph,
    PutGraphAnswer,
)
from omium.server.db.tx import Tx
from omium.server.engine import graph_threads, graphs
from omium.server.engine.fence import Lease, enter
from omium.server.engine.grants import digest_token
from omium.server.engine.graphs import GraphVault
from omium.server.web.endpoint import Call, Idempotency, endpoint
from omium.states import Scope


def _vault(call: Call) -> GraphVault:
    return GraphVault(call.server.key_file, call.principal.tenant_id)


@endpoint(
    "POST",
    "/v1/graphs/put",
    scope=Scope.RUN,
    idempotent=Idempotency.NATURAL,
    body=PutGraph,
    reply=PutGraphAnswer,
    problems=(NotFound, LeaseLostProblem, PayloadTooLarge),
    summary="Save checkpoints and pending writes of a graph",
    tags=("graphs",),
)
async def put_graph(call: Call[PutGraph]) -> PutGraphAnswer:
    """Save them in one transaction; under a lease nothing is saved unless it is the current one."""
    packed = graphs.pack(_vault(call), call.body)
    held = call.body.lease

    def work(tx: Tx) -> int:
        if held is None:
            return graphs.put(tx, packed, execution_id=None, seq=None)
        row = enter(tx, Lease(call.principal, held.execution_id, held.epoch, digest_token(held.lease_token)))
        return graphs.put(tx, packed, execution_id=row.id, seq=row.last_seq)

    return PutGraphAnswer(saved=await call.write(work))


@endpoint(
    "POST",
    "/v1/graphs/find",
    scope=Scope.READ,
    idempotent=Idempotency.NATURAL,
    body=FindGraphCheckpoint,
    reply=FoundGraphCheckpoint,
    summary="Get one checkpoint of a graph, or its newest",
    tags=("graphs",),
)
async def find_graph_checkpoint(call: Call[FindGraphCheckpoint]) -> FoundGraphCheckpoint:
    """Answer None for an unknown thread: to a saver that is an ordinary state."""
    found = await call.read(lambda tx: graphs.find(tx, call.principal.tenant_id, call.body))
    return FoundGraphCheckpoint(checkpoint=None if found is None else graphs.unseal(_vault(call), found))


@endpoint(
    "POST",
    "/v1/graphs/list",
    scope=Scope.READ,
    idempotent=Idempotency.NATURAL,
    body=ListGraphCheckpoints,
    reply=GraphCheckpointPage,
    summary="List checkpoints of graphs, newest first",
    tags=("graphs",),
)
async def list_graph_checkpoints(call: Call[ListGraphCheckpoints]) -> GraphCheckpointPage:
    """Answer one page; an empty page with `next` means that a filter refused all that were looked at."""
    vault = _vault(call)
    return graphs.page(vault, await call.read(lambda tx: graphs.read_page(tx, vault, call.body)))


@endpoint(
    "POST",
    "/v1/graphs/delete-thread",
    scope=Scope.RUN,
    idempotent=Idempotency.NATURAL,
    body=DeleteGraphThread,
    reply=GraphDeleted,
    summary="Delete a graph's thread",
    tags=("graphs",),
)
async def delete_graph_thread(call: Call[DeleteGraphThread]) -> GraphDeleted:
    """Delete it; one that is not there is no error."""
    tenant_id = call.principal.tenant_id
    deleted = await graph_threads.delete_thread(call.server.db, tenant_id, call.body.thread_id)
    return GraphDeleted(deleted=deleted)


@endpoint(
    "POST",
    "/v1/graphs/delete-runs",
    scope=Scope.RUN,
    idempotent=Idempotency.NATURAL,
    body=DeleteGraphRuns,
    reply=GraphDeleted,
    summary="Delete the checkpoints that some runs of a graph made",
    tags=("graphs",),
)
async def delete_graph_runs(call: Call[DeleteGraphRuns]) -> GraphDeleted:
    """Delete them in whatever thread they are."""
    deleted = await graph_threads.delete_runs(call.server.db, call.principal.tenant_id, call.body.run_ids)
    return GraphDeleted(deleted=deleted)


@endpoint(
    "POST",
    "/v1/graphs/copy-thread",
    scope=Scope.RUN,
    idempotent=Idempotency.NATURAL,
    body=CopyGraphThread,
    reply=PutGraphAnswer,
    summary="Copy a graph's thread, whole or up to a checkpoint",
    tags=("graphs",),
)
async def copy_graph_thread(call: Call[CopyGraphThread]) -> PutGraphAnswer:
    """Copy it; a copy that was cut off is completed by calling this again."""
    return PutGraphAnswer(saved=await graph_threads.copy_thread(call.server.db, _vault(call), call.body))


@endpoint(
    "POST",
    "/v1/graphs/prune",
    scope=Scope.RUN,
    idempotent=Idempotency.NATURAL,
    body=PruneGraphThreads,
    reply=GraphDeleted,
    summary="Prune graph threads to their newest checkpoints, or away",
    tags=("graphs",),
)
async def prune_graph_threads(call: Call[PruneGraphThreads]) -> GraphDeleted:
    """Prune; what a delta channel of the newest checkpoint is rebuilt from stays."""
    body = call.body
    deleted = await graph_threads.prune(
        call.server.db, call.principal.tenant_id, body.thread_ids, body.strategy
    )
    return GraphDeleted(deleted=deleted)


ENDPOINTS = [
    put_graph,
    find_graph_checkpoint,
    list_graph_checkpoints,
    delete_graph_thread,
    delete_graph_runs,
    copy_graph_thread,
    prune_graph_threads,
]
