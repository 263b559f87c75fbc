"""Runs of the engine: which version an execution is pinned to, whether it is failing, and its instances.

An execution that a worker drives has a run where its workflow is a stored native spec: its version only.
An instance is one blob of the scheduler's (omium/spec/schedule). Rows are changed under the lock of their
execution, so nothing here locks. What they mean is omium/server/engine/nodes.
"""

from __future__ import annotations

from omium.server.db.light import light
from omium.server.db.tx import Sql, Tx


@light(frozen=True, slots=True)
class RunRow:
    """A row of `engine_runs`; `failing` is JSON, None as long as every failure was handled.

    `loop_limits` is JSON too, None where none was raised.
    """

    execution_id: str
    tenant_id: str
    workflow_id: str
    version: int
    spec_digest: str
    failing: bytes | None
    activations: int
    loop_limits: bytes | None = None


_COLUMNS = "execution_id, tenant_id, workflow_id, version, spec_digest, failing, activations, loop_limits"

INSERT = Sql(f"""
    INSERT INTO engine_runs ({_COLUMNS})
    VALUES ({", ".join(f":{name}" for name in RunRow.__slots__)})
""")


def insert_run(tx: Tx, row: RunRow) -> None:
    tx.send(INSERT, **{name: getattr(row, name) for name in RunRow.__slots__})


FIND = Sql(f"SELECT {_COLUMNS} FROM engine_runs WHERE execution_id = :execution_id")


def get_run(tx: Tx, execution_id: str) -> RunRow:
    """Return the run of an execution whose driver is the engine: the same transaction inserted both."""
    return tx.one(FIND, RunRow, execution_id=execution_id)


def find_run(tx: Tx, execution_id: str) -> RunRow | None:
    """Return the version that an execution is pinned to; None for one that runs code alone."""
    return tx.one_or_none(FIND, RunRow, execution_id=execution_id)


UPDATE = Sql("""
    UPDATE engine_runs SET failing = :failing, activations = :activations, loop_limits = :loop_limits
     WHERE execution_id = :execution_id
""")


def update_run(tx: Tx, row: RunRow) -> None:
    """Write what changes of a run: its failure, how many activations it has had, its raised limits."""
    changing = ("execution_id", "failing", "activations", "loop_limits")
    tx.send(UPDATE, **{name: getattr(row, name) for name in changing})


PIN = Sql("""
    UPDATE engine_runs SET workflow_id = :workflow_id, version = :version, spec_digest = :spec_digest
     WHERE execution_id = :execution_id
""")


# ---- instances

FIND_INSTANCE = Sql("""
    SELECT state FROM engine_instances WHERE execution_id = :execution_id AND scope = :scope AND key = :key
""")
PUT_INSTANCE = Sql("""
    INSERT INTO engine_instances (execution_id, scope, key, state)
    VALUES (:execution_id, :scope, :key, :state)
    ON CONFLICT (execution_id, scope, key) DO UPDATE SET state = excluded.state
""")
DROP_INSTANCE = Sql("""
    DELETE FROM engine_instances WHERE execution_id = :execution_id AND scope = :scope AND key = :key
""")
DROP_SCOPE = Sql("""
    DELETE FROM engine_instances
     WHERE execution_id = :execution_id AND scope >= :scope AND scope < :beyond
""")
DROP_INSTANCES = Sql("DELETE FROM engine_instances WHERE execution_id = :execution_id")


def find_instance(tx: Tx, execution_id: str, scope: str, key: str) -> bytes | None:
    """Return the state of an instance, or None."""
    return tx.one_or_none(FIND_INSTANCE, bytes, execution_id=execution_id, scope=scope, key=key)


def put_instance(tx: Tx, execution_id: str, scope: str, key: str, state: bytes) -> None:
    tx.send(PUT_INSTANCE, execution_id=execution_id, scope=scope, key=key, state=state)


def drop_instance(tx: Tx, execution_id: str, scope: str, key: str) -> None:
    tx.send(DROP_INSTANCE, execution_id=execution_id, scope=scope, key=key)


def drop_scope(tx: Tx, execution_id: str, scope: str) -> None:
    """Drop the instances of a map's item, and of the maps inside of it."""
    tx.send(DROP_SCOPE, execution_id=execution_id, scope=scope, beyond=f"{scope}0")


def drop_instances(tx: Tx, execution_id: str) -> None:
    """Drop every instance of an execution: it has ended."""
    tx.send(DROP_INSTANCES, execution_id=execution_id)


# ---- conditions

PUT_CONDITIONS = Sql("""
    INSERT INTO edge_conditions (execution_id, path, seq, conditions)
    VALUES (:execution_id, :path, :seq, :conditions)
    ON CONFLICT (execution_id, path, seq) DO UPDATE SET conditions = excluded.conditions
""")
FIND_CONDITIONS = Sql("""
    SELECT conditions FROM edge_conditions
     WHERE execution_id = :execution_id AND path = :path AND seq = :seq
""")


def put_conditions(tx: Tx, execution_id: str, path: str, seq: int, conditions: bytes) -> None:
    """Keep how the conditions behind the record of event `seq` were judged: a JSON object by edge."""
    tx.send(PUT_CONDITIONS, execution_id=execution_id, path=path, seq=seq, conditions=conditions)


FIND_NEWEST_CONDITIONS = Sql("""
    SELECT conditions FROM edge_conditions
     WHERE execution_id = :execution_id AND path = :path ORDER BY seq DESC LIMIT 1
""")
DELETE_CONDITIONS = Sql("DELETE FROM edge_conditions WHERE execution_id = :execution_id AND seq > :after_seq")


def find_newest_conditions(tx: Tx, execution_id: str, path: str) -> bytes | None:
    """Return how the conditions behind a path were judged last."""
    return tx.one_or_none(FIND_NEWEST_CONDITIONS, bytes, execution_id=execution_id, path=path)


def delete_conditions(tx: Tx, execution_id: str, after_seq: int) -> None:
    """Forget what was judged behind records that a rollback takes away."""
    tx.send(DELETE_CONDITIONS, execution_id=execution_id, after_seq=after_seq)


def find_conditions(tx: Tx, execution_id: str, path: str, seq: int) -> bytes | None:
    return tx.one_or_none(FIND_CONDITIONS, bytes, execution_id=execution_id, path=path, seq=seq)
