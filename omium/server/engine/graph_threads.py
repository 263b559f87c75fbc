"""Graph threads as a whole: copying, pruning and deleting them.

Owns what concerns more than one checkpoint. Each function runs a series of small transactions, so that a
long thread does not hold up its neighbours; every one of them can be repeated: a copy that was cut off is
completed by the next, a delete goes on with what is left. Single checkpoints are in graphs.py.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import cast

from omium.jsonvalue import parse_json
from omium.models.graph import (
    CopyGraphThread,
    GraphCheckpoint,
    GraphTaskWrites,
    GraphWrite,
    PutGraph,
    StoredGraphCheckpoint,
)
from omium.server.db.tx import Database, Tx
from omium.server.engine import graphs
from omium.server.engine.graphs import GraphVault, SealedCheckpoint, channel_versions
from omium.server.store import graph_threads as threads
from omium.server.store import graphs as store
from omium.server.store.graphs import CheckpointKey

_BATCH = 50


async def copy_thread(db: Database, vault: GraphVault, command: CopyGraphThread) -> int:
    """Copy a thread's checkpoints, oldest first, and return how many there were.

    With `until` only checkpoints up to that id are copied (ids sort by time), and the pending writes of
    `without_tasks` stay behind: what is left is the thread as it stood before those tasks ran.
    """
    source = command.source_thread_id
    keys = await db.read(lambda tx: threads.list_keys(tx, vault.tenant_id, source))
    wanted = [key for key in keys if command.until is None or key.checkpoint_id <= command.until]
    left_behind = frozenset(command.without_tasks)
    for batch in _batches(wanted):
        sealed = await db.read(lambda tx, batch=batch: _read(tx, vault.tenant_id, batch))  # type: ignore[misc]
        copies = PutGraph.model_construct(lease=None, checkpoints=[], writes=[])
        for one in sealed:
            opened = graphs.unseal(vault, one)
            copies.checkpoints.append(_copy_of(vault, one, opened, command.target_thread_id))
            copies.writes.extend(_writes_of(opened, command.target_thread_id, left_behind))
        packed = graphs.pack(vault, copies)
        await db.write(lambda tx, packed=packed: graphs.put(tx, packed, execution_id=None, seq=None))  # type: ignore[misc]
    return len(wanted)


def _read(tx: Tx, tenant_id: str, keys: Sequence[CheckpointKey]) -> list[SealedCheckpoint]:
    found = []
    for key in keys:
        row = store.find_checkpoint(tx, tenant_id, key.thread_id, key.namespace, key.checkpoint_id)
        if row is not None:  # deleted since the keys were listed
            found.append(graphs.with_parts(tx, tenant_id, row))
    return found


def _copy_of(
    vault: GraphVault, sealed: SealedCheckpoint, opened: StoredGraphCheckpoint, target_thread_id: str
) -> GraphCheckpoint:
    row = sealed.row
    facts = parse_json(vault.open("facts", row.facts, row.thread_id, row.namespace, row.checkpoint_id))
    return GraphCheckpoint.model_construct(
        thread_id=target_thread_id,
        namespace=row.namespace,
        checkpoint_id=row.checkpoint_id,
        parent_id=row.parent_id,
        run_id=row.run_id,
        checkpoint=opened.checkpoint,
        metadata=opened.metadata,
        facts=cast("dict[str, object]", facts),
        versions=dict(channel_versions(row.versions)),
        delta_channels=graphs.delta_channels(row.versions),
        channels=opened.channels,
    )


def _writes_of(
    opened: StoredGraphCheckpoint, target_thread_id: str, left_behind: Collection[str]
) -> Iterator[GraphTaskWrites]:
    for write in opened.writes:
        if write.task_id not in left_behind:
            yield GraphTaskWrites.model_construct(
                thread_id=target_thread_id,
                namespace=opened.namespace,
                checkpoint_id=opened.checkpoint_id,
                task_id=write.task_id,
                task_path=write.task_path,
                writes=[
                    GraphWrite.model_construct(
                        index=write.index, channel=write.channel, value=write.value, replace=write.index < 0
                    )
                ],
            )


async def delete_thread(db: Database, tenant_id: str, thread_id: str) -> int:
    """Delete a thread; return how many checkpoints it had. A thread that is not there is no error."""
    return await db.write(lambda tx: threads.delete_thread(tx, tenant_id, thread_id))


async def delete_runs(db: Database, tenant_id: str, run_ids: Sequence[str]) -> int:
    """Delete every checkpoint that these runs of the framework made, in all threads."""
    deleted = 0
    for run_id in run_ids:
        keys = await db.read(lambda tx, run_id=run_id: threads.list_keys_of_run(tx, tenant_id, run_id))  # type: ignore[misc]
        deleted += await _delete(db, tenant_id, keys)
    return deleted


async def prune(db: Database, tenant_id: str, thread_ids: Sequence[str], strategy: str) -> int:
    """Delete these threads whole, or all but the newest checkpoint of each namespace.

    `keep_latest` also keeps the ancestors that a delta channel of the newest one is rebuilt from, back to the
    one that holds a value: without them the channel would come back empty, and nobody would be told.
    """
    deleted = 0
    for thread_id in thread_ids:
        if strategy == "delete":
            deleted += await delete_thread(db, tenant_id, thread_id)
            continue
        doomed = await db.read(lambda tx, thread_id=thread_id: _older_than_newest(tx, tenant_id, thread_id))  # type: ignore[misc]
        deleted += await _delete(db, tenant_id, doomed)
    return deleted


def _older_than_newest(tx: Tx, tenant_id: str, thread_id: str) -> list[CheckpointKey]:
    keys = threads.list_keys(tx, tenant_id, thread_id)
    newest = {key.namespace: key for key in keys}  # oldest first, so the last of a namespace stays
    kept = set(newest.values())
    by_place = {(key.namespace, key.checkpoint_id): key for key in keys}
    for key in newest.values():
        kept |= _needed_by(tx, tenant_id, key, by_place)
    return [key for key in keys if key not in kept]


def _needed_by(
    tx: Tx, tenant_id: str, newest: CheckpointKey, by_place: dict[tuple[str, str], CheckpointKey]
) -> set[CheckpointKey]:
    """Return the ancestors from which the delta channels of `newest` are rebuilt."""
    missing = set(graphs.delta_channels(newest.versions))
    needed: set[CheckpointKey] = set()
    current: CheckpointKey | None = newest
    while current is not None and missing:
        needed.add(current)
        all_versions = channel_versions(current.versions)
        versions = {name: all_versions[name] for name in missing & set(all_versions)}
        rows = store.find_channels(tx, tenant_id, current.thread_id, current.namespace, versions)
        missing -= {row.channel for row in rows if row.value is not None}
        current = None if current.parent_id is None else by_place.get((current.namespace, current.parent_id))
    return needed


async def _delete(db: Database, tenant_id: str, keys: Sequence[CheckpointKey]) -> int:
    deleted = 0
    for batch in _batches(keys):
        deleted += await db.write(lambda tx, batch=batch: threads.delete_checkpoints(tx, tenant_id, batch))  # type: ignore[misc]
    for thread_id, namespace in sorted({(key.thread_id, key.namespace) for key in keys}):
        await db.write(lambda tx, place=(thread_id, namespace): _drop_unused_channels(tx, tenant_id, *place))  # type: ignore[misc]
    return deleted


def _drop_unused_channels(tx: Tx, tenant_id: str, thread_id: str, namespace: str) -> None:
    used = {
        (channel, version)
        for key in threads.list_keys(tx, tenant_id, thread_id)
        if key.namespace == namespace
        for channel, version in channel_versions(key.versions).items()
    }
    stored = threads.list_channel_versions(tx, tenant_id, thread_id, namespace)
    unused = [version for version in stored if (version.channel, version.version) not in used]
    threads.delete_channels(
        tx, tenant_id, [(thread_id, namespace, version.channel, version.version) for version in unused]
    )


def _batches(keys: Sequence[CheckpointKey]) -> Iterator[Sequence[CheckpointKey]]:
    for start in range(0, len(keys), _BATCH):
        yield keys[start : start + _BATCH]
