"""Reading everything once, in bounded pieces, to check that it fits together (engine/verify.py)."""

from __future__ import annotations

from dataclasses import dataclass

from omium.server.db.tx import Sql, Tx
from omium.server.store.events import EventRow
from omium.server.store.executions import COLUMNS, ExecutionRow
from omium.server.store.failures import FailureRow
from omium.server.store.steps import COLUMNS as STEP_COLUMNS
from omium.server.store.steps import StepRow

EXECUTIONS = Sql(f"SELECT {COLUMNS} FROM executions WHERE id > :after_id ORDER BY id LIMIT :limit")
EXECUTION = Sql(f"SELECT {COLUMNS} FROM executions WHERE id = :id")
EVENTS = Sql("""
    SELECT seq, type, at_us, data FROM events
     WHERE execution_id = :execution_id AND seq > :after_seq AND seq <= :through_seq ORDER BY seq LIMIT :limit
""")
STEPS = Sql(f"SELECT {STEP_COLUMNS} FROM steps WHERE execution_id = :execution_id")
COLUMNS_OF = Sql("""
    SELECT state AS value FROM checkpoints WHERE execution_id = :execution_id
    UNION ALL SELECT input FROM execution_details WHERE execution_id = :execution_id
    UNION ALL SELECT output FROM execution_details WHERE execution_id = :execution_id AND output IS NOT NULL
    UNION ALL SELECT input FROM steps WHERE execution_id = :execution_id AND input IS NOT NULL
    UNION ALL SELECT output FROM steps WHERE execution_id = :execution_id AND output IS NOT NULL
    UNION ALL SELECT input FROM activations WHERE execution_id = :execution_id AND input IS NOT NULL
    UNION ALL SELECT output FROM map_items WHERE execution_id = :execution_id AND output IS NOT NULL
    UNION ALL SELECT payload FROM signals WHERE execution_id = :execution_id
       AND (consumed_by IS NULL OR EXISTS (
         SELECT 1 FROM executions x WHERE x.id = :execution_id AND x.driver <> 'engine'))
""")  # the payload of a signal that was taken is counted by the record of the node that took it
FAILURES = Sql("""
    SELECT id, tenant_id, environment, workflow, fingerprint, kind, status, error_type, message, step, count,
           open_count, first_seen_us, last_seen_us, last_execution_id, ignored_until_us, ignored_count_left,
           ignored_code, ignored_reason
      FROM failures WHERE id > :after_id ORDER BY id LIMIT :limit
""")
OPEN = Sql("SELECT COUNT(*) FROM failure_occurrences WHERE failure_id = :failure_id AND status = 'open'")
PAYLOADS = Sql("""
    SELECT tenant_id, address, refs FROM payloads
     WHERE (tenant_id, address) > (:tenant_id, :address) ORDER BY tenant_id, address LIMIT :limit
""")
BATCHES = Sql("""
    SELECT id, tenant_id, command AS value FROM replay_batches
     WHERE id > :after_id AND status = 'running' ORDER BY id LIMIT :limit
""")  # what has ended points at nothing any more
SCHEDULES = Sql("""
    SELECT id, tenant_id, input AS value FROM schedules WHERE id > :after_id ORDER BY id LIMIT :limit
""")
TRIGGERS = Sql("""
    SELECT id, tenant_id, inputs AS value FROM triggers WHERE id > :after_id ORDER BY id LIMIT :limit
""")
REPLIES = Sql("""
    SELECT tenant_id, principal_id, endpoint, key, reply FROM idempotency_records
     WHERE (tenant_id, principal_id, endpoint, key) > (:tenant_id, :principal_id, :endpoint, :key)
     ORDER BY tenant_id, principal_id, endpoint, key LIMIT :limit
""")


@dataclass(frozen=True, slots=True)
class EffectFacts:
    """What is checked of an effect."""

    effect_key: str
    tenant_id: str
    execution_id: str
    path: str
    state: str
    done_seq: int | None
    input: bytes | None
    output: bytes | None


EFFECTS = Sql("""
    SELECT effect_key, tenant_id, execution_id, path, state, done_seq, input, output FROM effects
     WHERE (tenant_id, effect_key) > (:tenant_id, :effect_key) ORDER BY tenant_id, effect_key LIMIT :limit
""")
FIND_EFFECT = Sql("""
    SELECT effect_key, tenant_id, execution_id, path, state, done_seq, input, output FROM effects
     WHERE tenant_id = :tenant_id AND effect_key = :effect_key
""")


@dataclass(frozen=True, slots=True)
class PayloadFacts:
    """A payload and how many rows it believes to be pointed at by."""

    tenant_id: str
    address: str
    refs: int


@dataclass(frozen=True, slots=True)
class HeldValue:
    """The value column of what starts executions: a batch replay that runs, a schedule, a trigger."""

    id: str
    tenant_id: str
    value: bytes | None


@dataclass(frozen=True, slots=True)
class ReplyFacts:
    """A stored reply."""

    tenant_id: str
    principal_id: str
    endpoint: str
    key: str
    reply: bytes


def list_executions(tx: Tx, after_id: str, limit: int) -> list[ExecutionRow]:
    return tx.all(EXECUTIONS, ExecutionRow, after_id=after_id, limit=limit)


def find_execution(tx: Tx, execution_id: str) -> ExecutionRow | None:
    return tx.one_or_none(EXECUTION, ExecutionRow, id=execution_id)


def list_events(tx: Tx, execution_id: str, after_seq: int, through_seq: int, limit: int) -> list[EventRow]:
    return tx.all(
        EVENTS, EventRow, execution_id=execution_id, after_seq=after_seq, through_seq=through_seq, limit=limit
    )


def list_steps(tx: Tx, execution_id: str) -> list[StepRow]:
    """List every record of an execution, superseded ones too."""
    return tx.all(STEPS, StepRow, execution_id=execution_id)


def list_columns(tx: Tx, execution_id: str) -> list[bytes]:
    """List the value columns of an execution, but for its effects'."""
    return tx.all(COLUMNS_OF, bytes, execution_id=execution_id)


def find_effect(tx: Tx, tenant_id: str, effect_key: str) -> EffectFacts | None:
    return tx.one_or_none(FIND_EFFECT, EffectFacts, tenant_id=tenant_id, effect_key=effect_key)


def list_effects(tx: Tx, after: tuple[str, str], limit: int) -> list[EffectFacts]:
    return tx.all(EFFECTS, EffectFacts, tenant_id=after[0], effect_key=after[1], limit=limit)


def list_failures(tx: Tx, after_id: str, limit: int) -> list[FailureRow]:
    return tx.all(FAILURES, FailureRow, after_id=after_id, limit=limit)


def count_open(tx: Tx, failure_id: str) -> int:
    return tx.one(OPEN, int, failure_id=failure_id)


def list_payloads(tx: Tx, after: tuple[str, str], limit: int) -> list[PayloadFacts]:
    return tx.all(PAYLOADS, PayloadFacts, tenant_id=after[0], address=after[1], limit=limit)


HOLDERS = (BATCHES, SCHEDULES, TRIGGERS)


def list_held_values(tx: Tx, holders: Sql, after_id: str, limit: int) -> list[HeldValue]:
    """List what one kind of `HOLDERS` points at, by id."""
    return tx.all(holders, HeldValue, after_id=after_id, limit=limit)


def list_replies(tx: Tx, after: tuple[str, str, str, str], limit: int) -> list[ReplyFacts]:
    tenant_id, principal_id, endpoint, key = after
    return tx.all(
        REPLIES,
        ReplyFacts,
        tenant_id=tenant_id,
        principal_id=principal_id,
        endpoint=endpoint,
        key=key,
        limit=limit,
    )
