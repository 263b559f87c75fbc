"""Graph threads as a whole: which checkpoints they hold, and what deleting takes away.

Owns the statements over `graph_checkpoints`, `graph_channels` and `graph_writes` that concern more than one
checkpoint at a time; single rows are in graphs.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from omium.server.db.tx import Sql, Tx
from omium.server.store.graphs import CheckpointKey

LIST_KEYS = Sql("""
    SELECT thread_id, namespace, checkpoint_id, parent_id, versions
      FROM graph_checkpoints
     WHERE tenant_id = :tenant_id AND thread_id = :thread_id AND superseded_seq IS NULL
  ORDER BY checkpoint_id, namespace
""")


def list_keys(tx: Tx, tenant_id: str, thread_id: str) -> list[CheckpointKey]:
    """Return every checkpoint of a thread, oldest first, without its contents."""
    return tx.all(LIST_KEYS, CheckpointKey, tenant_id=tenant_id, thread_id=thread_id)


LIST_KEYS_OF_RUN = Sql("""
    SELECT thread_id, namespace, checkpoint_id, parent_id, versions
      FROM graph_checkpoints
     WHERE tenant_id = :tenant_id AND run_id = :run_id
""")


def list_keys_of_run(tx: Tx, tenant_id: str, run_id: str) -> list[CheckpointKey]:
    """Return the checkpoints that a run of the framework made, in whatever thread."""
    return tx.all(LIST_KEYS_OF_RUN, CheckpointKey, tenant_id=tenant_id, run_id=run_id)


DELETE_CHECKPOINT = Sql("""
    DELETE FROM graph_checkpoints
     WHERE tenant_id = :tenant_id AND thread_id = :thread_id AND namespace = :namespace
       AND checkpoint_id = :checkpoint_id
""")

DELETE_WRITES = Sql("""
    DELETE FROM graph_writes
     WHERE tenant_id = :tenant_id AND thread_id = :thread_id AND namespace = :namespace
       AND checkpoint_id = :checkpoint_id
""")


def delete_checkpoints(tx: Tx, tenant_id: str, keys: Iterable[CheckpointKey]) -> int:
    """Delete these checkpoints with their pending writes; channel versions stay until `delete_channels`."""
    rows = [
        {
            "tenant_id": tenant_id,
            "thread_id": key.thread_id,
            "namespace": key.namespace,
            "checkpoint_id": key.checkpoint_id,
        }
        for key in keys
    ]
    tx.execute_many(DELETE_WRITES, rows)
    return tx.execute_many(DELETE_CHECKPOINT, rows)


@dataclass(frozen=True, slots=True)
class ChannelVersion:
    """One stored version of a channel."""

    channel: str
    version: str


LIST_CHANNEL_VERSIONS = Sql("""
    SELECT channel, version
      FROM graph_channels
     WHERE tenant_id = :tenant_id AND thread_id = :thread_id AND namespace = :namespace
""")


def list_channel_versions(tx: Tx, tenant_id: str, thread_id: str, namespace: str) -> list[ChannelVersion]:
    """Return every stored channel version of a namespace, without the values."""
    return tx.all(
        LIST_CHANNEL_VERSIONS, ChannelVersion, tenant_id=tenant_id, thread_id=thread_id, namespace=namespace
    )


DELETE_CHANNEL = Sql("""
    DELETE FROM graph_channels
     WHERE tenant_id = :tenant_id AND thread_id = :thread_id AND namespace = :namespace
       AND channel = :channel AND version = :version
""")


def delete_channels(tx: Tx, tenant_id: str, versions: Iterable[tuple[str, str, str, str]]) -> None:
    """Delete channel versions, each (thread, namespace, channel, version): no checkpoint names them now."""
    tx.execute_many(
        DELETE_CHANNEL,
        [
            {
                "tenant_id": tenant_id,
                "thread_id": thread_id,
                "namespace": namespace,
                "channel": channel,
                "version": version,
            }
            for thread_id, namespace, channel, version in versions
        ],
    )


DELETE_THREAD_CHECKPOINTS = Sql(
    "DELETE FROM graph_checkpoints WHERE tenant_id = :tenant_id AND thread_id = :thread_id"
)
DELETE_THREAD_CHANNELS = Sql(
    "DELETE FROM graph_channels WHERE tenant_id = :tenant_id AND thread_id = :thread_id"
)
DELETE_THREAD_WRITES = Sql("DELETE FROM graph_writes WHERE tenant_id = :tenant_id AND thread_id = :thread_id")


def delete_thread(tx: Tx, tenant_id: str, thread_id: str) -> int:
    """Delete everything of a thread; return how many checkpoints there were."""
    tx.execute(DELETE_THREAD_WRITES, tenant_id=tenant_id, thread_id=thread_id)
    tx.execute(DELETE_THREAD_CHANNELS, tenant_id=tenant_id, thread_id=thread_id)
    return tx.execute(DELETE_THREAD_CHECKPOINTS, tenant_id=tenant_id, thread_id=thread_id)


SUPERSEDE_AFTER = Sql("""
    UPDATE graph_checkpoints
       SET superseded_seq = :at_seq
     WHERE execution_id = :execution_id AND seq > :after_seq AND superseded_seq IS NULL
""")


DELETE_WRITES_AFTER = Sql("""
    DELETE FROM graph_writes
     WHERE execution_id = :execution_id AND seq > :after_seq
""")  # a pending write is a task's result: left behind, it would count as done


def supersede_after(tx: Tx, execution_id: str, after_seq: int, at_seq: int) -> int:
    """Take back what an execution saved after `after_seq` (a rollback); checkpoints stay for people."""
    tx.execute(DELETE_WRITES_AFTER, execution_id=execution_id, after_seq=after_seq)
    return tx.execute(SUPERSEDE_AFTER, execution_id=execution_id, after_seq=after_seq, at_seq=at_seq)


LIST_KEYS_BETWEEN = Sql("""
    SELECT thread_id, namespace, checkpoint_id, parent_id, versions
      FROM graph_checkpoints
     WHERE tenant_id = :tenant_id AND thread_id >= :first AND thread_id < :beyond
     LIMIT :limit
""")

DELETE_CHANNELS_BETWEEN = Sql("""
    DELETE FROM graph_channels
     WHERE tenant_id = :tenant_id AND thread_id >= :first AND thread_id < :beyond
""")

DELETE_WRITES_BETWEEN = Sql("""
    DELETE FROM graph_writes
     WHERE tenant_id = :tenant_id AND thread_id >= :first AND thread_id < :beyond
""")


def take_own_threads(tx: Tx, tenant_id: str, execution_id: str, limit: int) -> int:
    """Delete up to `limit` checkpoints of the threads that are an execution's own; return how many.

    Those are called as the execution, or as it, a colon and a path. A thread that the user named belongs to
    the user, whatever ran on it. Channels go with the last checkpoint.
    """
    taken = 0
    for first, beyond in ((execution_id, f"{execution_id}!"), (f"{execution_id}:", f"{execution_id};")):
        between = {"tenant_id": tenant_id, "first": first, "beyond": beyond}
        left = limit - taken
        keys = tx.all(LIST_KEYS_BETWEEN, CheckpointKey, **between, limit=left)
        delete_checkpoints(tx, tenant_id, keys)
        taken += len(keys)
        if len(keys) == left:
            return taken
        tx.execute(DELETE_WRITES_BETWEEN, **between)
        tx.execute(DELETE_CHANNELS_BETWEEN, **between)
    return taken
