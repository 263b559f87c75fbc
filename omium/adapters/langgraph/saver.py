"""OmiumSaver: LangGraph's checkpoints on the Omium server, instead of in a database beside it.

Owns the translation between LangGraph's saver contract and the server's graph endpoints. What a checkpoint
means is LangGraph's own affair: its serialiser makes typed bytes, and the server seals and keeps those.
Inside an execution every save carries the driver's lease, so a process that was replaced cannot write into
the thread of the one that replaced it.

    graph = builder.compile(checkpointer=OmiumSaver())
    graph.invoke({"question": "…"}, {"configurable": {"thread_id": "t-1"}}, durability="sync")
"""

from __future__ import annotations

import asyncio
import base64
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    get_checkpoint_id,
    get_serializable_checkpoint_metadata,
)

from omium.sdk.calling import find_active_frame
from omium.sdk.flows import Ports, drive_sync
from omium.sdk.session import current_session
from omium.sdk.starting import call

_PAGE = 20
_DELTA_COUNTERS = "counters_since_delta_snapshot"  # in the metadata of graphs with delta channels, by channel


class OmiumSaver(BaseCheckpointSaver[str]):
    """A checkpoint saver for sync and async graphs, safe to share between threads and event loops.

    It talks to the server of this process (`omium.init`, the environment or the profile). The async methods
    run the same code on a thread, because a graph's saver may be called from any event loop.

    Raises `ConnectionLost` while the server is away, `LeaseLost` once another driver has the execution.
    """

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Save a checkpoint; only the channels in `new_versions` are sent."""
        body = self._checkpoint_body(config, checkpoint, metadata, new_versions)
        self._put({"checkpoints": [body]})
        where = config["configurable"]
        return _config(str(where["thread_id"]), str(where.get("checkpoint_ns", "")), checkpoint["id"])

    def _checkpoint_body(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> dict[str, object]:
        where = config["configurable"]
        values = checkpoint["channel_values"]
        bare = {name: part for name, part in checkpoint.items() if name != "channel_values"}
        full_metadata = get_serializable_checkpoint_metadata(config, metadata)
        facts = {name: value for name, value in full_metadata.items() if _is_comparable(value)}
        return {
            "thread_id": str(where["thread_id"]),
            "namespace": str(where.get("checkpoint_ns", "")),
            "checkpoint_id": checkpoint["id"],
            "parent_id": where.get("checkpoint_id"),
            "run_id": _text_or_none(full_metadata.get("run_id")),
            "checkpoint": self._dump(bare),
            "metadata": self._dump(full_metadata),
            "facts": facts,
            "versions": {name: str(version) for name, version in checkpoint["channel_versions"].items()},
            "delta_channels": sorted(cast("Mapping[str, object]", full_metadata.get(_DELTA_COUNTERS) or {})),
            "channels": [
                {
                    "channel": name,
                    "version": str(version),
                    "value": self._dump(values[name]) if name in values else None,
                }
                for name, version in new_versions.items()
            ],
        }

    def put_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Save what a task wrote, so that it need not run again when a neighbour fails."""
        self._put({"writes": [self._writes_body(config, writes, task_id, task_path)]})

    def _writes_body(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str
    ) -> dict[str, object]:
        where = config["configurable"]
        return {
            "thread_id": str(where["thread_id"]),
            "namespace": str(where.get("checkpoint_ns", "")),
            "checkpoint_id": where["checkpoint_id"],
            "task_id": task_id,
            "task_path": task_path,
            "writes": [
                {
                    "index": WRITES_IDX_MAP.get(channel, position),
                    "channel": channel,
                    "value": self._dump(value),
                    "replace": channel in WRITES_IDX_MAP,
                }
                for position, (channel, value) in enumerate(writes)
            ],
        }

    def put_copy(self, found: CheckpointTuple, new_versions: ChannelVersions) -> None:
        """Save a checkpoint of another saver together with what its tasks wrote, or nothing of it."""
        tasks: dict[str, list[tuple[str, Any]]] = {}
        for task_id, channel, value in found.pending_writes or ():
            tasks.setdefault(task_id, []).append((channel, value))
        writes = [self._writes_body(found.config, said, task_id, "") for task_id, said in tasks.items()]
        self._put({"checkpoints": [self._copy_body(found, new_versions)], "writes": writes})

    def replace_metadata(self, found: CheckpointTuple) -> None:
        """Save the metadata of a checkpoint anew; what an execution is rolled back by stays as it is."""
        self._call("put", {"checkpoints": [self._copy_body(found, {})]})

    def _copy_body(self, found: CheckpointTuple, new_versions: ChannelVersions) -> dict[str, object]:
        where = found.config["configurable"]
        above = get_checkpoint_id(found.parent_config) if found.parent_config else None
        before: RunnableConfig = {
            "configurable": {
                "thread_id": where["thread_id"],
                "checkpoint_ns": where.get("checkpoint_ns", ""),
                "checkpoint_id": above,
            }
        }
        return self._checkpoint_body(before, found.checkpoint, found.metadata, new_versions)

    def _put(self, body: dict[str, object]) -> None:
        frame = find_active_frame()
        if frame is not None:
            lease = frame.driving.lease
            lease.require()
            body["lease"] = {
                "execution_id": lease.execution_id,
                "epoch": lease.epoch,
                "lease_token": lease.token,
            }
        self._call("put", body)

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Return the checkpoint that `config` names, or the newest of its thread and namespace."""
        where = config["configurable"]
        answer = self._call(
            "find",
            {
                "thread_id": str(where["thread_id"]),
                "namespace": str(where.get("checkpoint_ns", "")),
                "checkpoint_id": get_checkpoint_id(config),
            },
        )
        found = answer["checkpoint"]
        return None if found is None else self._tuple(found)

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002  # LangGraph's own name
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """Yield checkpoints, newest first, fetched page by page."""
        where = config["configurable"] if config else {}
        left = limit
        body: dict[str, object] = {
            "thread_id": _text_or_none(where.get("thread_id")),
            "namespace": where.get("checkpoint_ns"),
            "checkpoint_id": get_checkpoint_id(config) if config else None,
            "before": get_checkpoint_id(before) if before else None,
            "filter": filter or {},
        }
        while left is None or left > 0:
            answer = self._call("list", {**body, "limit": _PAGE if left is None else min(left, _PAGE)})
            for item in answer["items"]:
                yield self._tuple(item)
            if left is not None:
                left -= len(answer["items"])
            if answer["next"] is None:
                return
            body["cursor"] = answer["next"]

    def _tuple(self, stored: Mapping[str, Any]) -> CheckpointTuple:
        thread_id, namespace = stored["thread_id"], stored["namespace"]
        checkpoint = cast("Checkpoint", self._load(stored["checkpoint"]))
        checkpoint["channel_values"] = {
            part["channel"]: self._load(part["value"])
            for part in stored["channels"]
            if part["value"] is not None
        }
        return CheckpointTuple(
            config=_config(thread_id, namespace, stored["checkpoint_id"]),
            checkpoint=checkpoint,
            metadata=cast("CheckpointMetadata", self._load(stored["metadata"])),
            parent_config=_config(thread_id, namespace, stored["parent_id"]) if stored["parent_id"] else None,
            pending_writes=[
                (part["task_id"], part["channel"], self._load(part["value"])) for part in stored["writes"]
            ],
        )

    def delete_thread(self, thread_id: str) -> None:
        """Delete a thread; one that is not there is no error."""
        self._call("delete-thread", {"thread_id": str(thread_id)})

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Delete the checkpoints that these runs made, in all threads."""
        if run_ids:
            self._call("delete-runs", {"run_ids": [str(run_id) for run_id in run_ids]})

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy a thread with its whole history."""
        self.copy_thread_until(source_thread_id, target_thread_id)

    def copy_thread_until(
        self,
        source_thread_id: str,
        target_thread_id: str,
        *,
        until: str | None = None,
        without_tasks: Sequence[str] = (),
    ) -> int:
        """Copy checkpoints up to the id `until`, and not the pending writes of `without_tasks`.

        What is left is the thread as it stood before those tasks ran; returns how many checkpoints it has.
        """
        body = {
            "source_thread_id": str(source_thread_id),
            "target_thread_id": str(target_thread_id),
            "until": until,
            "without_tasks": [*without_tasks],
        }
        return int(self._call("copy-thread", body)["saved"])

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Keep the newest checkpoint of each namespace (`keep_latest`), or nothing (`delete`).

        What a `DeltaChannel` of the newest checkpoint is rebuilt from is kept too.
        """
        if thread_ids:
            body = {"thread_ids": [str(thread_id) for thread_id in thread_ids], "strategy": strategy}
            self._call("prune", body)

    def get_next_version(self, current: str | None, channel: None) -> str:  # noqa: ARG002  # the contract's
        """Return a version that sorts after `current` as text, and that no fork of the thread will repeat."""
        number = 0 if current is None else int(str(current).partition(".")[0])
        return f"{number + 1:032}.{secrets.token_hex(8)}"

    def _call(self, verb: str, body: Mapping[str, object]) -> dict[str, Any]:
        return drive_sync(call("POST", f"/v1/graphs/{verb}", body), _ports())

    def _dump(self, value: object) -> dict[str, str]:
        type_name, data = self.serde.dumps_typed(value)
        return {"type": type_name, "data": base64.b64encode(data).decode()}

    def _load(self, blob: Mapping[str, str]) -> Any:
        return self.serde.loads_typed((blob["type"], base64.b64decode(blob["data"])))

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """As `put`."""
        return await asyncio.to_thread(self.put, config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """As `put_writes`."""
        await asyncio.to_thread(self.put_writes, config, writes, task_id, task_path)

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """As `get_tuple`."""
        return await asyncio.to_thread(self.get_tuple, config)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002  # LangGraph's own name
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """As `list`."""
        items = self.list(config, filter=filter, before=before, limit=limit)
        while (item := await asyncio.to_thread(next, items, None)) is not None:
            yield item

    async def adelete_thread(self, thread_id: str) -> None:
        """As `delete_thread`."""
        await asyncio.to_thread(self.delete_thread, thread_id)

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """As `delete_for_runs`."""
        await asyncio.to_thread(self.delete_for_runs, run_ids)

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """As `copy_thread`."""
        await asyncio.to_thread(self.copy_thread, source_thread_id, target_thread_id)

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """As `prune`."""
        await asyncio.to_thread(lambda: self.prune(thread_ids, strategy=strategy))


def _ports() -> Ports:
    frame = find_active_frame()
    ports = current_session().link.ports if frame is None else frame.driving.link.ports
    return cast("Ports", ports)


def _config(thread_id: str, namespace: str, checkpoint_id: str) -> RunnableConfig:
    return {
        "configurable": {
            "thread_id": thread_id,
            "checkpoint_ns": namespace,
            "checkpoint_id": checkpoint_id,
        }
    }


def _text_or_none(value: object) -> str | None:
    return None if value is None else str(value)


def _is_comparable(value: object) -> bool:
    """Say whether a filter can compare `value` on the server: what is JSON as it is, and small."""
    return value is None or isinstance(value, bool | int) or (isinstance(value, str) and len(value) <= 1_000)
