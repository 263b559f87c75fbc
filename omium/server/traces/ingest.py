"""Ingest: one request's spans are read, redacted, and stored in one work before it is answered.

The process dies before the commit: nothing is stored, the exporter hears nothing and sends again. After it:
everything is stored, and a repeat finds the same spans. Called twice, late or out of order: the same spans
stay. Another tenant's trace with the same id is another trace: the id of its execution follows from the
tenant, the environment and the trace id.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from omium.clock import US_PER_S
from omium.errors import InvalidRequest, UnsupportedMediaType
from omium.ids import derived_id
from omium.jsonvalue import canonical_bytes, digest
from omium.models.traces import TRACE_SPANS_MAX
from omium.redact import redact
from omium.redact.screen import may_hold_secret
from omium.server.db.tx import Database, Tx
from omium.server.principal import Principal
from omium.server.secrets.known import KnownSecrets
from omium.server.store import traces as store
from omium.server.store.traces import KeptSpan, SpanRow, TraceRow
from omium.server.traces import json_form, protobuf
from omium.server.traces.body import inflate
from omium.server.traces.reading import Span, find_fault, pack_span, read_span
from omium.server.traces.wire import SPANS_MAX, NotOtlp, RawSpan

TRACE_BYTES_MAX: Final = 32 * 2**20
"""Contents of a trace that are kept: all of it is read, and shown in one transaction, again and again."""
LEFT_OUT: Final = "its contents were left out: a trace keeps 32 MiB"
SETTLE_US: Final = US_PER_S
"""After news, how long is waited for more before the execution is made again."""
SHARE_OF_AGE: Final = 20
"""A trace that goes on for long is shown again each time that it has grown older by this part."""
PAUSE_US_MAX: Final = 10 * US_PER_S
PAUSE_US_PER_MIB: Final = US_PER_S
"""A trace that keeps much is shown less often: each time all of it is written, while others wait."""
INLINE_BYTES: Final = 64 * 2**10
"""A larger body is read on another thread, so that others are answered meanwhile."""
MESSAGE_FAULTS_MAX: Final = 5


@dataclass(slots=True)
class Batch:
    """What a request brings: rows by the execution that they belong to, and what was refused of it."""

    rows: dict[str, list[SpanRow]] = field(default_factory=dict)
    trace_ids: dict[str, str] = field(default_factory=dict)
    faults: Counter[str] = field(default_factory=Counter)
    flags: Counter[str] = field(default_factory=Counter)

    def describe(self, stored: Stored) -> tuple[int, str]:
        """Return how many spans were refused, and sentences for the exporter's log."""
        faults, flags = self.faults + stored.faults, self.flags + stored.flags
        said = [f"{count} refused: {fault}" for fault, count in faults.most_common(MESSAGE_FAULTS_MAX)]
        said += [f"{count} flagged: {flag}" for flag, count in flags.most_common(MESSAGE_FAULTS_MAX)]
        return sum(faults.values()), "; ".join(said)


@dataclass(slots=True)
class Stored:
    """What became of a batch: what had no room at all, and what lost its contents."""

    faults: Counter[str] = field(default_factory=Counter)
    flags: Counter[str] = field(default_factory=Counter)


async def ingest(
    db: Database,
    known: KnownSecrets,
    principal: Principal,
    body: bytes,
    *,
    media_type: str,
    encoding: str,
    now_us: int,
) -> tuple[bytes, str]:
    """Store the spans of `body` and return the answer with its media type.

    Raises `UnsupportedMediaType`, `PayloadTooLarge`, `InvalidRequest` for what is not OTLP.
    """
    form = media_type.partition(";")[0].strip().lower()
    if form not in {protobuf.MEDIA_TYPE, json_form.MEDIA_TYPE}:
        raise UnsupportedMediaType(
            f"Spans come as {protobuf.MEDIA_TYPE} or {json_form.MEDIA_TYPE}, not as {form[:60]!r}."
        )
    secrets = await known.list_values(principal.tenant_id)
    spelled = known.spelled(principal.tenant_id)
    small = len(body) <= INLINE_BYTES
    inflated = inflate(body, encoding) if small else await asyncio.to_thread(inflate, body, encoding)
    read = partial(read_batch, principal, inflated, form, secrets, spelled)
    small = len(inflated) <= INLINE_BYTES  # what was sent small may be large
    batch = read(now_us) if small else await asyncio.to_thread(read, now_us)
    stored = await db.write(lambda tx: store_batch(tx, principal, batch)) if batch.rows else Stored()
    rejected, message = batch.describe(stored)
    write = protobuf.write_reply if form == protobuf.MEDIA_TYPE else json_form.write_reply
    return write(rejected, message), form


def read_batch(
    principal: Principal,
    body: bytes,
    form: str,
    secrets: tuple[str, ...],
    spelled: tuple[bytes, ...],
    now_us: int,
) -> Batch:
    """Return what `body` says, redacted and ready to be stored; raises what `ingest` does."""
    batch = Batch()
    spans: list[tuple[str, Span]] = []
    try:
        for number, raw in enumerate(_read(body, form)):
            fault = (
                f"more than {SPANS_MAX:,} spans at a time" if number >= SPANS_MAX else find_fault(raw, now_us)
            )
            if fault:
                batch.faults[fault] += 1
                continue
            spans.append((raw.trace_id, read_span(raw, lambda value: redact(value, secrets)[0])))
    except NotOtlp as error:
        raise InvalidRequest(str(error)) from None
    bodies = [pack_span(span) for _, span in spans]
    packed = [canonical_bytes(each) for each in bodies]
    whole = b"\n".join(packed)  # one look for all: mostly there is nothing
    if may_hold_secret(whole) or any(each in whole for each in spelled):
        packed = [
            canonical_bytes(redact(kept, secrets)[0])
            if may_hold_secret(each) or any(secret in each for secret in spelled)
            else each
            for kept, each in zip(bodies, packed, strict=True)
        ]
    environment, ids = principal.environment.value, dict[str, str]()
    for (trace_id, span), kept_bytes in zip(spans, packed, strict=True):
        if trace_id not in ids:
            ids[trace_id] = derived_id("ex", "trace", principal.tenant_id, environment, trace_id)
            batch.trace_ids[ids[trace_id]] = trace_id
        row = SpanRow(ids[trace_id], span.span_id, span.end_us, digest(kept_bytes), kept_bytes)
        batch.rows.setdefault(row.execution_id, []).append(row)
        if span.flags:
            batch.flags.update(span.flags)
    return batch


def _read(body: bytes, form: str) -> Iterator[RawSpan]:
    return protobuf.read_spans(body) if form == protobuf.MEDIA_TYPE else json_form.read_spans(body)


def store_batch(tx: Tx, principal: Principal, batch: Batch) -> Stored:
    """Store the batch's rows; returns what had no room. Traces are locked in the order of their ids."""
    stored = Stored()
    for execution_id in sorted(batch.rows):
        trace = store.lock_trace(tx, _new_trace(principal, execution_id, batch.trace_ids[execution_id]))
        rows = batch.rows[execution_id]
        refused = refused_before = 0
        if trace.spans + len(rows) > TRACE_SPANS_MAX:
            known = store.list_span_ids(tx, execution_id)
            refused_before = trace.spans - len(known)
            rows, refused = _fit(rows, known)
            if refused:
                stored.faults[f"a trace has more than {TRACE_SPANS_MAX:,} spans"] += refused
        kept_bytes = trace.kept_bytes + sum(len(row.body) for row in rows)
        if kept_bytes > TRACE_BYTES_MAX:
            rows, kept_bytes, emptied = _fit_bytes(rows, store.list_kept(tx, execution_id))
            stored.flags[LEFT_OUT] += emptied
        if store.put_spans(tx, rows):
            spans = store.count_spans(tx, execution_id) + refused_before + refused
            due_us = _due_us(tx, trace, kept_bytes)
            store.note_news(tx, execution_id, spans=spans, kept_bytes=kept_bytes, due_us=due_us)
        elif refused:
            store.note_refused(tx, execution_id, refused)
    return stored


def _fit(rows: list[SpanRow], known: set[str]) -> tuple[list[SpanRow], int]:
    """Return those of `rows` for which their trace has room beside the spans `known`; how many are left."""
    fitting = []
    for row in rows:
        if row.span_id in known or len(known) < TRACE_SPANS_MAX:
            known.add(row.span_id)
            fitting.append(row)
    return fitting, len(rows) - len(fitting)


def _fit_bytes(rows: list[SpanRow], known: dict[str, KeptSpan]) -> tuple[list[SpanRow], int, int]:
    """Return `rows` as their trace has room for them, what it then takes, and how many lost their contents.

    A repeat takes no room, and finds the same again, with its contents or without.
    """
    fitting, emptied = list[SpanRow](), 0
    kept_bytes = sum(kept.size_bytes for kept in known.values())
    for row in rows:
        before = known.get(row.span_id)
        if before is not None and before.digest == row.digest:
            continue
        size_bytes = before.size_bytes if before is not None else 0
        if kept_bytes - size_bytes + len(row.body) > TRACE_BYTES_MAX:
            row = _without_contents(row)  # noqa: PLW2901  # this one is kept
            emptied += 1
        if before is not None and (row.ended_us, row.digest) <= (before.ended_us, before.digest):
            continue  # what is there stays
        kept_bytes += len(row.body) - size_bytes
        fitting.append(row)
        known[row.span_id] = KeptSpan(row.span_id, row.ended_us, row.digest, len(row.body))
    return fitting, kept_bytes, emptied


def _without_contents(row: SpanRow) -> SpanRow:
    """Return the row without what went in, what came out and tracebacks; tokens and errors stay."""
    said = json.loads(row.body)
    error = said.get("error")
    if error:
        said["error"] = {name: value for name, value in error.items() if name != "traceback"}
    said = {name: value for name, value in said.items() if name not in ("input", "output")}
    said["flags"] = [*said.get("flags", []), LEFT_OUT]
    body = canonical_bytes(said)
    return SpanRow(row.execution_id, row.span_id, row.ended_us, digest(body), body)


def _new_trace(principal: Principal, execution_id: str, trace_id: str) -> TraceRow:
    return TraceRow(
        execution_id=execution_id,
        tenant_id=principal.tenant_id,
        environment=principal.environment.value,
        trace_id=trace_id,
        started_by=principal.id,
        spans=0,
        revision=0,
        shown_revision=0,
        shown_us=0,
        closed=0,
        first_us=0,
        seen_us=0,
        due_us=None,
        kept_bytes=0,
    )


def _due_us(tx: Tx, trace: TraceRow, kept_bytes: int) -> int:
    """Return when to show the trace: soon, but one that grows for an hour, or is large, not every second."""
    pause_us = min((tx.now_us - trace.first_us) // SHARE_OF_AGE, PAUSE_US_MAX)
    pause_us = max(pause_us, kept_bytes * PAUSE_US_PER_MIB // 2**20)
    due_us = max(tx.now_us + SETTLE_US, trace.shown_us + pause_us)
    return min(due_us, trace.due_us) if trace.due_us is not None else due_us
