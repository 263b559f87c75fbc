"""Graph checkpoints: what a graph framework's saver keeps on the server, and under whose lease.

Owns the rules of saving, finding and listing; whole threads (copy, prune, delete) are in graph_threads.py.
All bytes are sealed here, outside of any transaction, and opened here again: the database never holds them
in clear, and this process never decodes what they mean.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from omium.errors import InvalidRequest, PayloadTooLarge
from omium.jsonvalue import JsonValue, canonical_bytes, parse_json
from omium.models.graph import (
    Blob,
    ChannelValue,
    FindGraphCheckpoint,
    GraphCheckpoint,
    GraphCheckpointPage,
    GraphTaskWrites,
    ListGraphCheckpoints,
    PutGraph,
    StoredGraphCheckpoint,
    StoredGraphWrite,
)
from omium.server.db.tx import SqlValue, Tx
from omium.server.seal import KeyFile
from omium.server.store import graphs as store

BLOB_BYTES_MAX = 8 * 1024 * 1024
PAGE_BYTES = 4 * 1024 * 1024  # a page ends after the checkpoint that passes this, however many were asked for
_COMPRESS_FROM_BYTES = 4096
_SCAN = 100  # rows looked at per read while a filter refuses them
_NEWEST = ("\U0010ffff", "\U0010ffff", "\U0010ffff")


@dataclass(frozen=True, slots=True)
class PackedGraph:
    """A `PutGraph` whose bytes are sealed and which can be written as it is, any number of times."""

    checkpoints: list[dict[str, SqlValue]]
    channels: list[dict[str, SqlValue]]
    kept_writes: list[dict[str, SqlValue]]
    replaced_writes: list[dict[str, SqlValue]]


class GraphVault:
    """Seals and opens the bytes of one tenant's graph checkpoints.

    The associated data of every blob is its tenant, table, row and column, so that no stored byte string
    can be moved to another place and still be opened.
    """

    def __init__(self, keys: KeyFile, tenant_id: str) -> None:
        self._keys = keys
        self.tenant_id = tenant_id

    def seal(self, kind: str, data: bytes, *where: str) -> bytes:
        """Return `data` compressed where that is worth it, then sealed for its place."""
        body = b"z" + zlib.compress(data, 1) if len(data) >= _COMPRESS_FROM_BYTES else b"r" + data
        return self._keys.seal(body, self._aad(kind, where))

    def open(self, kind: str, sealed: bytes, *where: str) -> bytes:
        """Return what was sealed for this place; raises as `KeyFile.unseal` does where it was not."""
        body = self._keys.unseal(sealed, self._aad(kind, where))
        return zlib.decompress(body[1:]) if body[:1] == b"z" else body[1:]

    def seal_blob(self, kind: str, blob: Blob, *where: str) -> bytes:
        """Seal a typed blob; raises `InvalidRequest` for bad base64 and `PayloadTooLarge` above 8 MiB."""
        try:
            data = base64.b64decode(blob.data, validate=True)
        except (ValueError, binascii.Error) as error:
            raise InvalidRequest(f"The {kind} of {where[-1]} is not base64: {error}.") from error
        if len(data) > BLOB_BYTES_MAX:
            raise PayloadTooLarge(
                f"The {kind} of {where[-1]} has {len(data)} bytes, at most {BLOB_BYTES_MAX} are kept; "
                "keep large data elsewhere and put a reference into the graph's state."
            )
        return self.seal(kind, blob.type.encode() + b"\0" + data, *where)

    def open_blob(self, kind: str, sealed: bytes, *where: str) -> Blob:
        """Open what `seal_blob` made."""
        type_name, _, data = self.open(kind, sealed, *where).partition(b"\0")
        return Blob(type=type_name.decode(), data=base64.b64encode(data).decode())

    def _aad(self, kind: str, where: tuple[str, ...]) -> bytes:
        return canonical_bytes([self.tenant_id, kind, *where])


def pack(vault: GraphVault, command: PutGraph) -> PackedGraph:
    """Seal everything in `command`. Runs outside the transaction: it is the slow part."""
    packed = PackedGraph([], [], [], [])
    for checkpoint in command.checkpoints:
        _pack_checkpoint(vault, checkpoint, packed)
    for writes in command.writes:
        _pack_writes(vault, writes, packed)
    return packed


def _pack_checkpoint(vault: GraphVault, given: GraphCheckpoint, packed: PackedGraph) -> None:
    where = (given.thread_id, given.namespace, given.checkpoint_id)
    packed.checkpoints.append(
        {
            "tenant_id": vault.tenant_id,
            "thread_id": given.thread_id,
            "namespace": given.namespace,
            "checkpoint_id": given.checkpoint_id,
            "parent_id": given.parent_id,
            "run_id": given.run_id,
            "checkpoint": vault.seal_blob("checkpoint", given.checkpoint, *where),
            "metadata": vault.seal_blob("metadata", given.metadata, *where),
            "facts": vault.seal("facts", canonical_bytes(cast("JsonValue", given.facts)), *where),
            "versions": canonical_bytes(
                {"channels": dict(given.versions), "delta": list[JsonValue](sorted(given.delta_channels))}
            ),
        }
    )
    for channel in given.channels:
        place = (given.thread_id, given.namespace, channel.channel, channel.version)
        packed.channels.append(
            {
                "tenant_id": vault.tenant_id,
                "thread_id": given.thread_id,
                "namespace": given.namespace,
                "channel": channel.channel,
                "version": channel.version,
                "value": None if channel.value is None else vault.seal_blob("channel", channel.value, *place),
            }
        )


def _pack_writes(vault: GraphVault, given: GraphTaskWrites, packed: PackedGraph) -> None:
    for write in given.writes:
        place = (given.thread_id, given.namespace, given.checkpoint_id, given.task_id, str(write.index))
        row: dict[str, SqlValue] = {
            "tenant_id": vault.tenant_id,
            "thread_id": given.thread_id,
            "namespace": given.namespace,
            "checkpoint_id": given.checkpoint_id,
            "task_path": given.task_path,
            "task_id": given.task_id,
            "idx": write.index,
            "channel": write.channel,
            "value": vault.seal_blob("write", write.value, *place),
        }
        (packed.replaced_writes if write.replace else packed.kept_writes).append(row)


def put(tx: Tx, packed: PackedGraph, *, execution_id: str | None, seq: int | None) -> int:
    """Write what was packed, all or nothing; return how many checkpoints and pending writes it held.

    Called twice it leaves the same rows. `execution_id` and `seq` (the execution's last event) say to which
    point of which execution it belongs, so that a rollback can take it back.
    """
    for row in packed.checkpoints:
        store.insert_checkpoint(tx, **row, execution_id=execution_id, seq=seq, created_us=tx.now_us)
    store.insert_channels(tx, packed.channels)
    owned = {"execution_id": execution_id, "seq": seq}
    store.insert_writes(tx, [row | owned for row in packed.kept_writes], replace=False)
    store.insert_writes(tx, [row | owned for row in packed.replaced_writes], replace=True)
    return len(packed.checkpoints) + len(packed.kept_writes) + len(packed.replaced_writes)


@dataclass(frozen=True, slots=True)
class SealedCheckpoint:
    """A checkpoint as it was read, with what belongs to it, not opened yet."""

    row: store.CheckpointRow
    channels: list[store.ChannelRow]
    writes: list[store.WriteRow]

    @property
    def size_bytes(self) -> int:
        """How many sealed bytes it holds."""
        channels = sum(len(channel.value or b"") for channel in self.channels)
        return len(self.row.checkpoint) + channels + sum(len(write.value) for write in self.writes)


def find(tx: Tx, tenant_id: str, command: FindGraphCheckpoint) -> SealedCheckpoint | None:
    """Return the named or the newest checkpoint, still sealed."""
    row = store.find_checkpoint(tx, tenant_id, command.thread_id, command.namespace, command.checkpoint_id)
    return None if row is None else with_parts(tx, tenant_id, row)


def with_parts(tx: Tx, tenant_id: str, row: store.CheckpointRow) -> SealedCheckpoint:
    """Return `row` together with its channel values and pending writes."""
    return SealedCheckpoint(
        row,
        store.find_channels(tx, tenant_id, row.thread_id, row.namespace, channel_versions(row.versions)),
        store.list_writes(tx, tenant_id, row.thread_id, row.namespace, row.checkpoint_id),
    )


def channel_versions(stored: bytes) -> Mapping[str, str]:
    """Return a checkpoint's channels and their versions."""
    parsed = parse_json(stored)
    assert isinstance(parsed, dict)
    return cast("Mapping[str, str]", parsed["channels"])  # written by _pack_checkpoint


def delta_channels(stored: bytes) -> list[str]:
    """Return a checkpoint's channels that are rebuilt from earlier pending writes."""
    parsed = parse_json(stored)
    assert isinstance(parsed, dict)
    return cast("list[str]", parsed["delta"])  # written by _pack_checkpoint


def unseal(vault: GraphVault, sealed: SealedCheckpoint) -> StoredGraphCheckpoint:
    """Open a checkpoint for the tenant that owns it. Runs outside the transaction."""
    row = sealed.row
    thread = (row.thread_id, row.namespace)
    where = (*thread, row.checkpoint_id)
    return StoredGraphCheckpoint(
        thread_id=row.thread_id,
        namespace=row.namespace,
        checkpoint_id=row.checkpoint_id,
        parent_id=row.parent_id,
        checkpoint=vault.open_blob("checkpoint", row.checkpoint, *where),
        metadata=vault.open_blob("metadata", row.metadata, *where),
        channels=[
            ChannelValue(
                channel=part.channel,
                version=part.version,
                value=None
                if part.value is None
                else vault.open_blob("channel", part.value, *thread, part.channel, part.version),
            )
            for part in sealed.channels
        ],
        writes=[
            StoredGraphWrite(
                task_id=part.task_id,
                task_path=part.task_path,
                index=part.idx,
                channel=part.channel,
                value=vault.open_blob("write", part.value, *where, part.task_id, str(part.idx)),
            )
            for part in sealed.writes
        ],
    )


@dataclass(frozen=True, slots=True)
class SealedPage:
    """What one read found, and where the next one goes on; None where there is no more."""

    items: list[SealedCheckpoint]
    after: tuple[str, str, str] | None


def read_page(tx: Tx, vault: GraphVault, command: ListGraphCheckpoints) -> SealedPage:
    """Return up to `limit` checkpoints that fit, newest first; bounded in rows read and bytes returned."""
    before = _NEWEST if command.cursor is None else _parse_cursor(command.cursor)
    if command.cursor is None and command.before is not None:
        before = (command.before, "", "")
    rows = store.list_checkpoints(tx, vault.tenant_id, command.thread_id, before, _SCAN)
    found: list[SealedCheckpoint] = []
    size_bytes = 0
    for row in rows:
        if not _fits(vault, row, command):
            continue
        sealed = with_parts(tx, vault.tenant_id, row)
        found.append(sealed)
        size_bytes += sealed.size_bytes
        if len(found) == command.limit or size_bytes > PAGE_BYTES:
            return SealedPage(found, _place(row))
    return SealedPage(found, _place(rows[-1]) if len(rows) == _SCAN else None)


def _fits(vault: GraphVault, row: store.CheckpointRow, command: ListGraphCheckpoints) -> bool:
    if command.namespace is not None and row.namespace != command.namespace:
        return False
    if command.checkpoint_id is not None and row.checkpoint_id != command.checkpoint_id:
        return False
    if command.before is not None and row.checkpoint_id >= command.before:
        return False
    if not command.filter:
        return True
    facts = parse_json(vault.open("facts", row.facts, row.thread_id, row.namespace, row.checkpoint_id))
    assert isinstance(facts, dict)
    return all(name in facts and facts[name] == value for name, value in command.filter.items())


def _place(row: store.CheckpointRow) -> tuple[str, str, str]:
    return (row.checkpoint_id, row.thread_id, row.namespace)


def page(vault: GraphVault, sealed: SealedPage) -> GraphCheckpointPage:
    """Open a page for the tenant that owns it."""
    return GraphCheckpointPage(
        items=[unseal(vault, item) for item in sealed.items],
        next=None if sealed.after is None else canonical_bytes(list(sealed.after)).decode(),
    )


def _parse_cursor(cursor: str) -> tuple[str, str, str]:
    parts = parse_json(cursor)
    if not isinstance(parts, list) or len(parts) != 3 or not all(isinstance(part, str) for part in parts):
        raise InvalidRequest("The cursor is not one that this list gave; start again without a cursor.")
    return (str(parts[0]), str(parts[1]), str(parts[2]))
