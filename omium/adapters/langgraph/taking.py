"""Taking a thread: from the saver that kept it before into Omium's, so that it goes on as an execution.

The user's own saver reads its own store, with its own serialiser, in the user's process; nothing is written
there. Subgraphs' checkpoints are copied first, then the graph's own, the newest first and each with what its
tasks wrote: wherever the process dies, the thread is not there yet, or goes on where it stood, and taking it
again copies what is missing.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    CheckpointMetadata,
    CheckpointTuple,
)

from omium.adapters.langgraph.saver import OmiumSaver
from omium.adapters.langgraph.threads import MARK
from omium.errors import ConfigError


def take_thread(saver: OmiumSaver, source: BaseCheckpointSaver[Any], thread_id: str) -> int:
    """Copy a thread out of `source`, and return how many checkpoints that were; 0 if it has gone on here.

    Raises `ConfigError` where `source` has no such thread, or Omium another one under its id.
    """
    thread: RunnableConfig = {"configurable": {"thread_id": thread_id}}
    if not _is_wanted(saver, source.get_tuple(thread), thread_id):
        return 0
    taking = _Taking(saver)
    for own in (False, True):
        for found in source.list(thread):
            taking.put(found, own=own)
    return taking.count


async def atake_thread(saver: OmiumSaver, source: BaseCheckpointSaver[Any], thread_id: str) -> int:
    """As `take_thread`, for a saver whose methods are async."""
    thread: RunnableConfig = {"configurable": {"thread_id": thread_id}}
    if not await asyncio.to_thread(_is_wanted, saver, await source.aget_tuple(thread), thread_id):
        return 0
    taking = _Taking(saver)
    for own in (False, True):
        async for found in source.alist(thread):
            await asyncio.to_thread(taking.put, found, own=own)
    return taking.count


def _is_wanted(saver: OmiumSaver, newest: CheckpointTuple | None, thread_id: str) -> bool:
    """Say whether the thread is to be copied; False once an execution here went on with it."""
    if newest is None:
        raise ConfigError(f"The saver has no thread {thread_id!r}; `omium attach` shows which it has.")
    here = saver.get_tuple({"configurable": {"thread_id": thread_id}})
    id_ = newest.checkpoint["id"]
    if here is None or (here.checkpoint["id"] == id_ and MARK not in here.metadata):
        return True  # what is there already is only said again
    place: RunnableConfig = {
        "configurable": {"thread_id": thread_id, "checkpoint_ns": "", "checkpoint_id": id_}
    }
    if saver.get_tuple(place) is None:
        raise ConfigError(
            f"Omium has another thread {thread_id!r}, or the saver's went on after it was taken: neither is"
            " changed. Go on with the one here, or delete it: OmiumSaver().delete_thread(...)."
        )
    return False


class _Taking:
    """Puts checkpoints; a value that several of them share is sent once."""

    def __init__(self, saver: OmiumSaver) -> None:
        self._saver = saver
        self._sent: set[tuple[str, str, str]] = set()
        self.count = 0

    def put(self, found: CheckpointTuple, *, own: bool) -> None:
        """Save `found` if it is the graph's `own`, or if it is a subgraph's."""
        namespace = str(found.config["configurable"].get("checkpoint_ns", ""))
        if (namespace == "") != own:
            return
        checkpoint = found.checkpoint.copy()
        checkpoint["channel_versions"] = _as_text(checkpoint["channel_versions"])
        checkpoint["versions_seen"] = {
            node: _as_text(seen) for node, seen in checkpoint["versions_seen"].items()
        }
        versions = {
            channel: version
            for channel, version in checkpoint["channel_versions"].items()
            if (namespace, channel, str(version)) not in self._sent
        }
        metadata = {name: value for name, value in found.metadata.items() if name != MARK}
        changed = found._replace(checkpoint=checkpoint, metadata=cast("CheckpointMetadata", metadata))
        self._saver.put_copy(changed, versions)
        self._sent.update((namespace, channel, str(version)) for channel, version in versions.items())
        self.count += 1


def _as_text(versions: ChannelVersions) -> ChannelVersions:
    """Return versions as Omium's saver counts on from them; those of some savers are numbers."""
    return {
        channel: version if isinstance(version, str) else f"{int(version):032}."
        for channel, version in versions.items()
    }
