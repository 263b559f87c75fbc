"""Calls of a graph framework's saver (`omium.adapters.langgraph`)."""

from __future__ import annotations

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
from omium.sdk.async_client.core import AsyncCore


class AsyncGraphs(AsyncCore):
    """Graph checkpoints."""

    async def put_graph(self, command: PutGraph) -> PutGraphAnswer:
        """Save checkpoints and pending writes of a graph."""
        return await self._send("POST", "/v1/graphs/put", PutGraphAnswer, command)

    async def find_graph_checkpoint(self, command: FindGraphCheckpoint) -> FoundGraphCheckpoint:
        """Return one checkpoint of a graph, or its newest."""
        return await self._send("POST", "/v1/graphs/find", FoundGraphCheckpoint, command)

    async def list_graph_checkpoints(self, command: ListGraphCheckpoints) -> GraphCheckpointPage:
        """Return checkpoints of graphs, newest first; `next` of the answer goes into the next `cursor`."""
        return await self._send("POST", "/v1/graphs/list", GraphCheckpointPage, command)

    async def delete_graph_thread(self, command: DeleteGraphThread) -> GraphDeleted:
        """Delete a graph's thread; one that is not there is no error."""
        return await self._send("POST", "/v1/graphs/delete-thread", GraphDeleted, command)

    async def delete_graph_runs(self, command: DeleteGraphRuns) -> GraphDeleted:
        """Delete the checkpoints that some runs of a graph made."""
        return await self._send("POST", "/v1/graphs/delete-runs", GraphDeleted, command)

    async def copy_graph_thread(self, command: CopyGraphThread) -> PutGraphAnswer:
        """Copy a graph's thread, whole or up to a checkpoint."""
        return await self._send("POST", "/v1/graphs/copy-thread", PutGraphAnswer, command)

    async def prune_graph_threads(self, command: PruneGraphThreads) -> GraphDeleted:
        """Prune graph threads to their newest checkpoints, or away."""
        return await self._send("POST", "/v1/graphs/prune", GraphDeleted, command)
