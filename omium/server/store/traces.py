"""Traces and their spans, and the rows of the executions that are made of them.

Owns the upserts that make a repeat change nothing, and replacing an observed execution's records, which no
driver writes. What they are made of is decided in omium/server/traces.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from omium.server.db.light import light
from omium.server.db.tx import Sql, Tx
from omium.server.store.executions import ExecutionRow, column_values
from omium.server.store.retention import Values
from omium.server.store.unsummed import UsedRow
from omium.server.store.usage import UsageRow


@dataclass(frozen=True, slots=True)
class TraceRow:
    """A trace: what has come of it (`revision`), and what its execution shows (`shown_revision`).

    `spans` counts those that came, refused ones included: what is stored is the rest.
    """

    execution_id: str
    tenant_id: str
    environment: str
    trace_id: str
    started_by: str
    spans: int
    revision: int
    shown_revision: int
    shown_us: int
    closed: int
    first_us: int
    seen_us: int
    due_us: int | None
    kept_bytes: int


@light(frozen=True, slots=True)
class SpanRow:
    """What is kept of a span; `body` is JSON, redacted."""

    execution_id: str
    span_id: str
    ended_us: int
    digest: str
    body: bytes


@light(frozen=True, slots=True)
class KeptSpan:
    """What is stored under a span's id."""

    span_id: str
    ended_us: int
    digest: str
    size_bytes: int


_TRACE = ", ".join(TraceRow.__slots__)

BEGIN = Sql(f"""
    INSERT INTO traces ({_TRACE})
    VALUES (:execution_id, :tenant_id, :environment, :trace_id, :started_by, 0, 0, 0, 0, 0, :now_us, :now_us,
            NULL, 0)
    ON CONFLICT (execution_id) DO NOTHING
""")
LOCK = Sql(f"SELECT {_TRACE} FROM traces WHERE execution_id = :execution_id {{for_update}}")
FIND = Sql(f"SELECT {_TRACE} FROM traces WHERE execution_id = :execution_id")
PUT_SPAN = Sql("""
    INSERT INTO trace_spans (execution_id, span_id, ended_us, digest, body)
    VALUES (:execution_id, :span_id, :ended_us, :digest, :body)
    ON CONFLICT (execution_id, span_id) DO UPDATE
       SET ended_us = excluded.ended_us, digest = excluded.digest, body = excluded.body
     WHERE (trace_spans.ended_us, trace_spans.digest) < (excluded.ended_us, excluded.digest)
""")  # a repeat changes nothing; of two that differ always the same one stays
COUNT_SPANS = Sql("SELECT COUNT(*) FROM trace_spans WHERE execution_id = :execution_id")
LIST_SPAN_IDS = Sql("SELECT span_id FROM trace_spans WHERE execution_id = :execution_id")
LIST_KEPT = Sql("""
    SELECT span_id, ended_us, digest, LENGTH(body) AS size_bytes FROM trace_spans
     WHERE execution_id = :execution_id
""")
NOTE_NEWS = Sql("""
    UPDATE traces SET spans = :spans, kept_bytes = :kept_bytes, revision = revision + 1, seen_us = :now_us,
                      closed = 0, due_us = :due_us
     WHERE execution_id = :execution_id
""")
NOTE_REFUSED = Sql("""
    UPDATE traces SET spans = spans + :refused, seen_us = :now_us WHERE execution_id = :execution_id
""")
COUNT_REFUSED = Sql("""
    SELECT spans - (SELECT COUNT(*) FROM trace_spans WHERE trace_spans.execution_id = traces.execution_id)
      FROM traces WHERE execution_id = :execution_id
""")
LIST_DUE = Sql(
    f"SELECT {_TRACE} FROM traces WHERE due_us IS NOT NULL AND due_us <= :now_us ORDER BY due_us LIMIT :limit"
)
LIST_SPANS = Sql("""
    SELECT execution_id, span_id, ended_us, digest, body FROM trace_spans
     WHERE execution_id = :execution_id ORDER BY span_id
""")
NOTE_SHOWN = Sql("""
    UPDATE traces
       SET shown_revision = :shown_revision, shown_us = :now_us, closed = :closed, due_us = :due_us
     WHERE execution_id = :execution_id AND revision = :revision
""")
DROP_UNSHOWN = Sql("""
    DELETE FROM traces WHERE execution_id IN (
      SELECT execution_id FROM traces WHERE shown_revision = 0 AND seen_us < :before_us AND due_us IS NULL
       ORDER BY seen_us LIMIT :limit)
""")


def lock_trace(tx: Tx, row: TraceRow) -> TraceRow:
    """Return the stored trace, locked; `row` where it is new. Several are taken in the order of their ids."""
    tx.execute(
        BEGIN,
        execution_id=row.execution_id,
        tenant_id=row.tenant_id,
        environment=row.environment,
        trace_id=row.trace_id,
        started_by=row.started_by,
        now_us=tx.now_us,
    )
    return tx.one(LOCK, TraceRow, execution_id=row.execution_id)


def lock_if_there(tx: Tx, execution_id: str) -> TraceRow | None:
    return tx.one_or_none(LOCK, TraceRow, execution_id=execution_id)


def find_trace(tx: Tx, execution_id: str) -> TraceRow | None:
    return tx.one_or_none(FIND, TraceRow, execution_id=execution_id)


def put_spans(tx: Tx, rows: Iterable[SpanRow]) -> int:
    """Store spans of locked traces; returns how many told something new."""
    return tx.execute_many(
        PUT_SPAN, [{name: getattr(row, name) for name in SpanRow.__dataclass_fields__} for row in rows]
    )


def count_spans(tx: Tx, execution_id: str) -> int:
    return tx.one(COUNT_SPANS, int, execution_id=execution_id)


def list_span_ids(tx: Tx, execution_id: str) -> set[str]:
    return set(tx.all(LIST_SPAN_IDS, str, execution_id=execution_id))


def list_kept(tx: Tx, execution_id: str) -> dict[str, KeptSpan]:
    """Return what is stored of a trace's spans, by their ids."""
    return {kept.span_id: kept for kept in tx.all(LIST_KEPT, KeptSpan, execution_id=execution_id)}


def note_news(tx: Tx, execution_id: str, *, spans: int, kept_bytes: int, due_us: int) -> None:
    """Note that a locked trace has changed, and when its execution is to be made again."""
    tx.execute(
        NOTE_NEWS,
        execution_id=execution_id,
        spans=spans,
        kept_bytes=kept_bytes,
        due_us=due_us,
        now_us=tx.now_us,
    )


def note_refused(tx: Tx, execution_id: str, refused: int) -> None:
    """Note that spans of a locked trace were refused, and nothing else came; what is shown stays."""
    tx.execute(NOTE_REFUSED, execution_id=execution_id, refused=refused, now_us=tx.now_us)


def count_refused(tx: Tx, execution_id: str) -> int:
    """Return how many spans of the execution's trace were refused; 0 where it has no trace."""
    return tx.one_or_none(COUNT_REFUSED, int, execution_id=execution_id) or 0


def list_due(tx: Tx, now_us: int, limit: int) -> list[TraceRow]:
    """List traces whose executions are to be made again, the longest due first."""
    return tx.all(LIST_DUE, TraceRow, now_us=now_us, limit=limit)


def list_spans(tx: Tx, execution_id: str) -> list[SpanRow]:
    return tx.all(LIST_SPANS, SpanRow, execution_id=execution_id)


def note_shown(tx: Tx, row: TraceRow, *, shown: bool, closed: bool, due_us: int | None) -> None:
    """Note what the execution shows now; nothing if further spans have come in between."""
    tx.execute(
        NOTE_SHOWN,
        execution_id=row.execution_id,
        revision=row.revision,
        shown_revision=row.revision if shown else 0,
        closed=int(closed),
        due_us=due_us,
        now_us=tx.now_us,
    )


def drop_unshown(tx: Tx, before_us: int, limit: int) -> int:
    """Remove traces in which nothing of an agent was seen, and nothing at all since `before_us`."""
    return tx.execute(DROP_UNSHOWN, before_us=before_us, limit=limit)


# ---- the execution's own rows

_CHANGED = (
    *("workflow", "status", "reason", "last_seq", "steps_completed", "ended_us", "updated_us", "created_us"),
    *(
        "started_us",
        "payload_bytes",
        "ran_us",
        "run_since_us",
        "suspend",
        "cancel_requested_us",
        "cancel_outcome",
    ),
)
REPLACE = Sql(f"""
    UPDATE executions SET {", ".join(f"{name} = :{name}" for name in _CHANGED)} WHERE id = :id
""")
REPLACE_DETAILS = Sql("""
    UPDATE execution_details
       SET input = :input, input_digest = :input_digest, output = :output, error = :error
     WHERE execution_id = :execution_id
""")
VALUES = Sql("""
    SELECT input AS first, output AS second FROM steps WHERE execution_id = :execution_id
    UNION ALL SELECT input, output FROM execution_details WHERE execution_id = :execution_id
""")
DELETE_STEPS = Sql("DELETE FROM steps WHERE execution_id = :execution_id")
DELETE_EVENTS = Sql("DELETE FROM events WHERE execution_id = :execution_id")
INSERT_EVENT = Sql("""
    INSERT INTO events (execution_id, seq, type, at_us, data)
    VALUES (:execution_id, :seq, :type, :at_us, :data)
""")
_USAGE = ", ".join(UsageRow.__dataclass_fields__)
LIST_USAGE = Sql(f"SELECT {_USAGE} FROM usage_records WHERE execution_id = :execution_id ORDER BY id")
TAKE_USAGE = Sql(f"""
    DELETE FROM usage_records WHERE tenant_id = :tenant_id AND id = :id
 RETURNING {", ".join(UsedRow.__dataclass_fields__)}, COALESCE(summed, 0) AS summed
""")
MOVE_OCCURRENCE = Sql(
    "UPDATE failure_occurrences SET seq = :seq, path = :path, error = :error WHERE id = :id"
)


@dataclass(frozen=True, slots=True)
class EventDraft:
    """An event of an observed execution, at the time of what it tells."""

    seq: int
    type: str
    at_us: int
    data: bytes


@dataclass(frozen=True, slots=True)
class TakenUsage(UsedRow):
    """A report that was removed; `summed` says whether it is in the sums."""

    summed: int


def replace_execution(tx: Tx, row: ExecutionRow) -> None:
    """Write what a picture changes of the locked execution."""
    values = column_values(row)
    tx.execute(REPLACE, id=row.id, **{name: values[name] for name in _CHANGED})


def replace_details(
    tx: Tx, execution_id: str, *, given: bytes, given_digest: str, made: bytes | None, error: bytes | None
) -> None:
    tx.execute(
        REPLACE_DETAILS,
        execution_id=execution_id,
        input=given,
        input_digest=given_digest,
        output=made,
        error=error,
    )


def take_records(tx: Tx, execution_id: str) -> list[Values]:
    """Remove the steps and events of a locked observed execution; returns the values that it held."""
    values = tx.all(VALUES, Values, execution_id=execution_id)
    tx.execute(DELETE_STEPS, execution_id=execution_id)
    tx.execute(DELETE_EVENTS, execution_id=execution_id)
    return values


def insert_events(tx: Tx, execution_id: str, drafts: Iterable[EventDraft]) -> None:
    tx.execute_many(
        INSERT_EVENT,
        [
            {
                "execution_id": execution_id,
                "seq": each.seq,
                "type": each.type,
                "at_us": each.at_us,
                "data": each.data,
            }
            for each in drafts
        ],
    )


def list_usage(tx: Tx, execution_id: str) -> list[UsageRow]:
    return tx.all(LIST_USAGE, UsageRow, execution_id=execution_id)


def take_usage(tx: Tx, tenant_id: str, usage_id: str) -> list[TakenUsage]:
    return tx.all(TAKE_USAGE, TakenUsage, tenant_id=tenant_id, id=usage_id)


def move_occurrence(tx: Tx, occurrence_id: str, *, seq: int, path: str, error: bytes) -> None:
    """Point an occurrence at the event that tells of it now."""
    tx.execute(MOVE_OCCURRENCE, id=occurrence_id, seq=seq, path=path, error=error)


# ---- one call in two traces


@dataclass(frozen=True, slots=True)
class CallRow:
    """A call of a model whose answer has an id; `lone` is one that is all of its trace."""

    execution_id: str
    span_id: str
    tenant_id: str
    environment: str
    response_id: str
    scope: str
    started_us: int
    ended_us: int
    lone: int


_CALL = ", ".join(CallRow.__slots__)
DELETE_CALLS = Sql("DELETE FROM trace_calls WHERE execution_id = :execution_id")
INSERT_CALL = Sql(f"""
    INSERT INTO trace_calls ({_CALL})
    VALUES ({", ".join(f":{name}" for name in CallRow.__slots__)})
""")
LIST_SAME = Sql(f"""
    SELECT {_CALL} FROM trace_calls
     WHERE tenant_id = :tenant_id AND environment = :environment AND response_id = :response_id
       AND execution_id <> :execution_id AND scope <> :scope AND lone = :lone
       AND started_us BETWEEN :earliest_us AND :until_us AND ended_us >= :since_us
     ORDER BY execution_id, span_id LIMIT 20
""")
HOLD = Sql("SELECT {hold}(:number)")
MAKE_DUE = Sql("""
    UPDATE traces SET due_us = :now_us WHERE execution_id = :execution_id AND shown_revision > 0
""")


def replace_calls(tx: Tx, execution_id: str, rows: Iterable[CallRow]) -> None:
    """Note which calls the locked trace tells of."""
    tx.execute(DELETE_CALLS, execution_id=execution_id)
    tx.execute_many(INSERT_CALL, [{name: getattr(row, name) for name in CallRow.__slots__} for row in rows])


def list_same_calls(tx: Tx, call: CallRow, *, lone: bool, slack_us: int, longest_us: int) -> list[CallRow]:
    """List calls that others told of in other traces: the same answer's id, about that time.

    What took longer than `longest_us` before `call` began may be missing.
    """
    return tx.all(
        LIST_SAME,
        CallRow,
        tenant_id=call.tenant_id,
        environment=call.environment,
        response_id=call.response_id,
        execution_id=call.execution_id,
        scope=call.scope,
        lone=int(lone),
        until_us=call.ended_us + slack_us,
        since_us=call.started_us - slack_us,
        earliest_us=call.started_us - slack_us - longest_us,
    )


def hold_calls(tx: Tx, numbers: Iterable[int]) -> None:
    """Keep others from telling of the calls with these numbers until this work ends."""
    for number in sorted(set(numbers)):
        tx.send(HOLD, number=number)


def make_due(tx: Tx, execution_id: str) -> None:
    """Have a trace judged again that is shown."""
    tx.execute(MAKE_DUE, execution_id=execution_id, now_us=tx.now_us)


# ---- checks

LIST_TRACES = Sql(
    f"SELECT {_TRACE} FROM traces WHERE execution_id > :after_id ORDER BY execution_id LIMIT :limit"
)


def list_traces(tx: Tx, after_id: str, limit: int) -> list[TraceRow]:
    return tx.all(LIST_TRACES, TraceRow, after_id=after_id, limit=limit)
