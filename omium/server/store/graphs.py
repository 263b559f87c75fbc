"""Graph checkpoints: the rows behind a graph framework's saver.

Owns `graph_checkpoints`, `graph_channels` and `graph_writes`. Their bytes are sealed before they come here
and opened after they have left (engine/graphs.py); nothing here knows what they mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from omium.server.db.tx import Sql, SqlValue, Tx


@dataclass(frozen=True, slots=True)
class CheckpointRow:
    """One stored checkpoint, still sealed."""

    thread_id: str
    namespace: str
    checkpoint_id: str
    parent_id: str | None
    run_id: str | None
    checkpoint: bytes
    metadata: bytes
    facts: bytes
    versions: bytes


@dataclass(frozen=True, slots=True)
class ChannelRow:
    """One version of a channel; `value` None is the empty channel."""

    channel: str
    version: str
    value: bytes | None


@dataclass(frozen=True, slots=True)
class WriteRow:
    """One pending write of a task."""

    checkpoint_id: str
    task_path: str
    task_id: str
    idx: int
    channel: str
    value: bytes


@dataclass(frozen=True, slots=True)
class CheckpointKey:
    """Identity of a checkpoint inside a tenant, and what a prune needs to know of it."""

    thread_id: str
    namespace: str
    checkpoint_id: str
    parent_id: str | None
    versions: bytes


INSERT_CHECKPOINT = Sql("""
    INSERT INTO graph_checkpoints
           (tenant_id, thread_id, namespace, checkpoint_id, parent_id, run_id, execution_id,
            seq, checkpoint, metadata, facts, versions, created_us)
    VALUES (:tenant_id, :thread_id, :namespace, :checkpoint_id, :parent_id, :run_id, :execution_id,
            :seq, :checkpoint, :metadata, :facts, :versions, :created_us)
    ON CONFLICT (tenant_id, thread_id, namespace, checkpoint_id) DO UPDATE
       SET parent_id = excluded.parent_id, run_id = excluded.run_id, execution_id = excluded.execution_id,
           seq = excluded.seq, checkpoint = excluded.checkpoint, metadata = excluded.metadata,
           facts = excluded.facts, versions = excluded.versions, superseded_seq = NULL
""")  # the saver's contract: a second put of one id replaces the first


def insert_checkpoint(tx: Tx, **columns: SqlValue) -> None:
    """Save a checkpoint, in place of an earlier one with the same id."""
    tx.execute(INSERT_CHECKPOINT, **columns)


INSERT_CHANNEL = Sql("""
    INSERT INTO graph_channels (tenant_id, thread_id, namespace, channel, version, value)
    VALUES (:tenant_id, :thread_id, :namespace, :channel, :version, :value)
    ON CONFLICT (tenant_id, thread_id, namespace, channel, version) DO UPDATE SET value = excluded.value
""")


def insert_channels(tx: Tx, rows: Iterable[Mapping[str, SqlValue]]) -> None:
    """Save channel versions."""
    tx.execute_many(INSERT_CHANNEL, rows)


KEEP_WRITE = Sql("""
    INSERT INTO graph_writes
           (tenant_id, thread_id, namespace, checkpoint_id, task_path, task_id, idx, channel, value,
            execution_id, seq)
    VALUES (:tenant_id, :thread_id, :namespace, :checkpoint_id, :task_path, :task_id, :idx, :channel, :value,
            :execution_id, :seq)
    ON CONFLICT (tenant_id, thread_id, namespace, checkpoint_id, task_id, idx) DO NOTHING
""")  # an ordinary write is a task's result: the first one stays

REPLACE_WRITE = Sql("""
    INSERT INTO graph_writes
           (tenant_id, thread_id, namespace, checkpoint_id, task_path, task_id, idx, channel, value,
            execution_id, seq)
    VALUES (:tenant_id, :thread_id, :namespace, :checkpoint_id, :task_path, :task_id, :idx, :channel, :value,
            :execution_id, :seq)
    ON CONFLICT (tenant_id, thread_id, namespace, checkpoint_id, task_id, idx) DO UPDATE
       SET channel = excluded.channel, value = excluded.value, task_path = excluded.task_path,
           execution_id = excluded.execution_id, seq = excluded.seq
""")  # an error or an interrupt gives way to the next one


def insert_writes(tx: Tx, rows: Iterable[Mapping[str, SqlValue]], *, replace: bool) -> None:
    """Save pending writes."""
    tx.execute_many(REPLACE_WRITE if replace else KEEP_WRITE, rows)


_COLUMNS = """thread_id, namespace, checkpoint_id, parent_id, run_id, checkpoint, metadata, facts, versions"""

FIND_CHECKPOINT = Sql(f"""
    SELECT {_COLUMNS}
      FROM graph_checkpoints
     WHERE tenant_id = :tenant_id AND thread_id = :thread_id AND namespace = :namespace
       AND checkpoint_id = :checkpoint_id AND superseded_seq IS NULL
""")

FIND_NEWEST = Sql(f"""
    SELECT {_COLUMNS}
      FROM graph_checkpoints
     WHERE tenant_id = :tenant_id AND thread_id = :thread_id AND namespace = :namespace
       AND superseded_seq IS NULL
  ORDER BY checkpoint_id DESC
     LIMIT 1
""")


def find_checkpoint(
    tx: Tx, tenant_id: str, thread_id: str, namespace: str, checkpoint_id: str | None
) -> CheckpointRow | None:
    """Return the checkpoint, or the newest of the namespace where `checkpoint_id` is None."""
    where = {"tenant_id": tenant_id, "thread_id": thread_id, "namespace": namespace}
    if checkpoint_id is None:
        return tx.one_or_none(FIND_NEWEST, CheckpointRow, **where)
    return tx.one_or_none(FIND_CHECKPOINT, CheckpointRow, **where, checkpoint_id=checkpoint_id)


LIST_OF_THREAD = Sql(f"""
    SELECT {_COLUMNS}
      FROM graph_checkpoints
     WHERE tenant_id = :tenant_id AND thread_id = :thread_id
       AND (checkpoint_id, namespace) < (:before_id, :before_namespace) AND superseded_seq IS NULL
  ORDER BY checkpoint_id DESC, namespace DESC
     LIMIT :limit
""")

LIST_OF_TENANT = Sql(f"""
    SELECT {_COLUMNS}
      FROM graph_checkpoints
     WHERE tenant_id = :tenant_id
       AND (checkpoint_id, thread_id, namespace) < (:before_id, :before_thread, :before_namespace)
       AND superseded_seq IS NULL
  ORDER BY checkpoint_id DESC, thread_id DESC, namespace DESC
     LIMIT :limit
""")


def list_checkpoints(
    tx: Tx, tenant_id: str, thread_id: str | None, before: tuple[str, str, str], limit: int
) -> list[CheckpointRow]:
    """Return checkpoints that come before `before` (checkpoint id, thread, namespace), newest first."""
    before_id, before_thread, before_namespace = before
    if thread_id is None:
        return tx.all(
            LIST_OF_TENANT,
            CheckpointRow,
            tenant_id=tenant_id,
            before_id=before_id,
            before_thread=before_thread,
            before_namespace=before_namespace,
            limit=limit,
        )
    return tx.all(
        LIST_OF_THREAD,
        CheckpointRow,
        tenant_id=tenant_id,
        thread_id=thread_id,
        before_id=before_id,
        before_namespace=before_namespace,
        limit=limit,
    )


FIND_CHANNEL = Sql("""
    SELECT channel, version, value
      FROM graph_channels
     WHERE tenant_id = :tenant_id AND thread_id = :thread_id AND namespace = :namespace
       AND channel = :channel AND version = :version
""")


def find_channels(
    tx: Tx, tenant_id: str, thread_id: str, namespace: str, versions: Mapping[str, str]
) -> list[ChannelRow]:
    """Return the stored values of `versions` (channel to version); one that was never sent is left out."""
    where = {"tenant_id": tenant_id, "thread_id": thread_id, "namespace": namespace}
    rows = []
    for channel, version in versions.items():
        row = tx.one_or_none(FIND_CHANNEL, ChannelRow, **where, channel=channel, version=version)
        if row is not None:
            rows.append(row)
    return rows


LIST_WRITES = Sql("""
    SELECT checkpoint_id, task_path, task_id, idx, channel, value
      FROM graph_writes
     WHERE tenant_id = :tenant_id AND thread_id = :thread_id AND namespace = :namespace
       AND checkpoint_id = :checkpoint_id
  ORDER BY task_path, task_id, idx
""")  # the order that a saver must give pending writes in


def list_writes(tx: Tx, tenant_id: str, thread_id: str, namespace: str, checkpoint_id: str) -> list[WriteRow]:
    """Return the pending writes of a checkpoint in task order."""
    return tx.all(
        LIST_WRITES,
        WriteRow,
        tenant_id=tenant_id,
        thread_id=thread_id,
        namespace=namespace,
        checkpoint_id=checkpoint_id,
    )
