"""Checkpoints of a graph framework's own saver: opaque, typed bytes that only the client decodes.

A thread holds checkpoints by namespace (the path of subgraphs) and id; a channel's value is sent once per
version; pending writes belong to a task of a checkpoint. The words are LangGraph's own.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from omium.models.wire import Command, Count, Json, Reply

Label = Annotated[str, Field(max_length=1024)]


class Blob(Command):
    """Serialised bytes: `type` is the serialiser's name for them, `data` their base64."""

    type: Label
    data: str


class LeaseHeld(Command):
    """The grant under which a driver writes; without it the thread belongs to no execution."""

    execution_id: str
    epoch: Count
    lease_token: str


class ChannelValue(Command):
    """One version of one channel; `value` None means that the channel was empty."""

    channel: Label
    version: Label
    value: Blob | None


class GraphCheckpoint(Command):
    """A checkpoint without its channel values, which are sent in `channels` where they are new."""

    thread_id: Label
    namespace: Label = ""
    checkpoint_id: Label
    parent_id: Label | None = None
    run_id: Label | None = None
    checkpoint: Blob
    metadata: Blob
    facts: dict[str, Json] = Field(default_factory=dict)
    """Plain metadata that `filter` compares with."""
    versions: dict[str, str] = Field(default_factory=dict)
    delta_channels: list[Label] = Field(default_factory=list)
    """Channels that are rebuilt from the pending writes of earlier checkpoints: a prune must leave those."""
    channels: list[ChannelValue] = Field(default_factory=list)


class GraphWrite(Command):
    """One pending write. `replace` overwrites what stands at (task, index); otherwise the first one stays."""

    index: Annotated[int, Field(ge=-1000, le=1_000_000)]
    channel: Label
    value: Blob
    replace: bool = False


class GraphTaskWrites(Command):
    """Pending writes of one task of one checkpoint."""

    thread_id: Label
    namespace: Label = ""
    checkpoint_id: Label
    task_id: Label
    task_path: Label = ""
    writes: Annotated[list[GraphWrite], Field(max_length=10_000)]


class PutGraph(Command):
    """Save checkpoints and pending writes, all or nothing; a repeat changes nothing."""

    lease: LeaseHeld | None = None
    checkpoints: Annotated[list[GraphCheckpoint], Field(max_length=64)] = Field(default_factory=list)
    writes: Annotated[list[GraphTaskWrites], Field(max_length=256)] = Field(default_factory=list)


class PutGraphAnswer(Reply):
    saved: int


class FindGraphCheckpoint(Command):
    """Get one checkpoint: this one, or the newest of the namespace."""

    thread_id: Label
    namespace: Label = ""
    checkpoint_id: Label | None = None


class ListGraphCheckpoints(Command):
    """List checkpoints, newest first; `next` of the answer goes into `cursor`."""

    thread_id: Label | None = None
    namespace: Label | None = None
    checkpoint_id: Label | None = None
    before: Label | None = None
    filter: dict[str, Json] = Field(default_factory=dict)
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: str | None = None


class StoredGraphWrite(Reply):
    task_id: str
    task_path: str
    index: int
    channel: str
    value: Blob


class StoredGraphCheckpoint(Reply):
    """A checkpoint with all its channel values and pending writes."""

    thread_id: str
    namespace: str
    checkpoint_id: str
    parent_id: str | None
    checkpoint: Blob
    metadata: Blob
    channels: list[ChannelValue]
    writes: list[StoredGraphWrite]


class FoundGraphCheckpoint(Reply):
    checkpoint: StoredGraphCheckpoint | None


class GraphCheckpointPage(Reply):
    items: list[StoredGraphCheckpoint]
    next: str | None = None


class DeleteGraphThread(Command):
    thread_id: Label


class DeleteGraphRuns(Command):
    run_ids: Annotated[list[Label], Field(max_length=1000)]


class CopyGraphThread(Command):
    """Copy a thread; with `until`, only root checkpoints up to this id and what belongs to them."""

    source_thread_id: Label
    target_thread_id: Label
    until: Label | None = None
    without_tasks: Annotated[list[Label], Field(max_length=10_000)] = Field(default_factory=list)
    """Tasks whose pending writes are left behind, because they shall run again."""


class PruneGraphThreads(Command):
    thread_ids: Annotated[list[Label], Field(max_length=1000)]
    strategy: Literal["keep_latest", "delete"] = "keep_latest"


class GraphDeleted(Reply):
    deleted: int
