"""Verify: proof that the stored data keeps what execution.md promises, as far as data can show it.

    I2, I8  the events of an execution have no gap, and folding them gives its row; each record has its event
    I3      nothing changes after a final status
    I6      what waits for a time has one
    I7      stored replies can be sent again
    also    effects fit their steps, digests their values, payloads their references, groups their occurrences

Reads in bounded pieces, so it runs beside a live server: what is found of an execution is looked at a second
time before it is told, because it may have been changed or removed in between. Used by `GET /v1/admin/verify`
and by `omium db verify`.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

from omium.errors import InvalidJson
from omium.jsonvalue import canonical_bytes, digest, parse_json
from omium.server.db.tx import Database, Tx
from omium.server.engine.fold import Folded, find_differences, fold_events
from omium.server.engine.references import check_references, each_execution
from omium.server.engine.values import address_of
from omium.server.store import audit as store
from omium.server.store.events import EventRow
from omium.server.store.executions import ExecutionRow
from omium.server.store.failures import find_failure
from omium.server.store.retention import RETIRED
from omium.server.store.steps import StepRow
from omium.states import (
    FINAL_STATUSES,
    EffectState,
    ExecutionStatus,
    FailureStatus,
    StepStatus,
    WaitingReason,
)

EVENTS_PER_READ = 2_000
ROWS_PER_READ = 500
FINDINGS_MAX = 1_000
_RECORDING = frozenset(
    {
        "step.completed",
        "effect.done",
        "step.reused",
        "step.patched",
        "effect.reported_late",
        "compensation.completed",
    }
)
_TIMED = frozenset({WaitingReason.TIMER.value, WaitingReason.RETRY.value})


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it must be; `subject` is what it was found in."""

    invariant: str
    subject: str
    text: str

    def __str__(self) -> str:
        return f"{self.invariant}: {self.text}"


async def list_problems(db: Database) -> list[str]:
    """Return what `verify` finds, as sentences, at most `FINDINGS_MAX`."""
    found = []
    async for finding in verify(db):
        found.append(str(finding))
        if len(found) >= FINDINGS_MAX:
            found.append("There is more; these are the first.")
            break
    return found


async def verify(db: Database) -> AsyncIterator[Finding]:
    """Yield everything that is wrong."""
    async for row in each_execution(db):
        findings = await _check_execution(db, row)
        if findings:  # again, on what is there now
            now = await db.read(lambda tx, i=row.id: store.find_execution(tx, i))  # type: ignore[misc]
            gone = now is None or now.reason == RETIRED
            findings = [] if now is None or gone else await _check_execution(db, now)
        for finding in findings:
            yield finding
    for check in (_check_effects, _check_groups, _check_replies):
        async for finding in check(db):
            yield finding
    async for address, text in check_references(db):
        yield Finding("payloads", address, text)


# ---- one execution


async def _check_execution(db: Database, row: ExecutionRow) -> list[Finding]:
    events: dict[int, EventRow] = {}
    folded = Folded()
    final_at: int | None = None
    findings: list[Finding] = []
    while True:
        portion = await db.read(
            lambda tx: store.list_events(tx, row.id, folded.last_seq, row.last_seq, EVENTS_PER_READ)
        )
        if not portion:
            break
        for event in portion:
            data = json.loads(event.data)
            if final_at is not None and "status" in data:
                findings.append(Finding("I3", row.id, f"{row.id}: event {event.seq} came after its end."))
            if data.get("status") in FINAL_STATUSES:
                final_at = event.seq
            if event.type in _RECORDING:
                events[event.seq] = event
        fold_events(portion, folded)
    findings += [Finding("I8", row.id, text) for text in find_differences(row, folded)]
    if row.status == ExecutionStatus.WAITING and row.reason in _TIMED and row.wake_us is None:
        findings.append(Finding("I6", row.id, f"{row.id} waits for a time, but has none."))
    return findings + await db.read(lambda tx: _check_records(tx, row, events))


def _check_records(tx: Tx, row: ExecutionRow, events: dict[int, EventRow]) -> list[Finding]:
    findings: list[Finding] = []
    for step in store.list_steps(tx, row.id):
        findings += [
            Finding("I2", row.id, f"{row.id}, {step.path}: {text}") for text in _judge(step, row, events)
        ]
        if step.effect_key is not None and step.status == StepStatus.COMPLETED:
            effect = store.find_effect(tx, row.tenant_id, step.effect_key)
            if effect is None or effect.state not in {EffectState.DONE, EffectState.SKIPPED}:
                state = effect.state if effect else "not there"
                findings.append(
                    Finding("effects", row.id, f"{row.id}, {step.path}: recorded, but its effect is {state}.")
                )
    return findings


def _judge(step: StepRow, row: ExecutionRow, events: dict[int, EventRow]) -> list[str]:
    found = []
    if step.completed_seq is not None and step.completed_seq <= row.last_seq:
        event = events.get(step.completed_seq)
        if event is None or json.loads(event.data).get("path") != step.path:
            found.append(f"event {step.completed_seq} does not tell of its record.")
    if step.output is not None and address_of(step.output) is None:
        try:
            same = digest(canonical_bytes(parse_json(step.output))) == step.output_digest
        except InvalidJson:
            same = False
        if not same:
            found.append("the digest of its output is not that of the stored one.")
    return found


# ---- the rest


async def _check_effects(db: Database) -> AsyncIterator[Finding]:
    after = ("", "")
    while rows := await db.read(lambda tx, a=after: store.list_effects(tx, a, ROWS_PER_READ)):  # type: ignore[misc]
        after = (rows[-1].tenant_id, rows[-1].effect_key)
        for row in rows:
            execution = await db.read(lambda tx, i=row.execution_id: store.find_execution(tx, i))  # type: ignore[misc]
            if execution is not None and (row.done_seq or 0) > execution.last_seq:
                text = f"{row.execution_id}, {row.path}: its effect was done after the last event."
                yield Finding("effects", row.execution_id, text)


async def _check_groups(db: Database) -> AsyncIterator[Finding]:
    after_id = ""
    while rows := await db.read(lambda tx, a=after_id: store.list_failures(tx, a, ROWS_PER_READ)):  # type: ignore[misc]
        after_id = rows[-1].id
        for listed in rows:
            found = await db.read(lambda tx, r=listed: _count_group(tx, r.tenant_id, r.id))  # type: ignore[misc]
            if found is not None:
                yield Finding("failures", listed.id, found)


def _count_group(tx: Tx, tenant_id: str, failure_id: str) -> str | None:
    row = find_failure(tx, tenant_id, failure_id)
    if row is None:
        return None
    opened = store.count_open(tx, failure_id)
    if opened != row.open_count:
        return f"{failure_id} has {opened} open occurrences, but counts {row.open_count}."
    if (row.status == FailureStatus.OPEN) != (opened > 0):
        return f"{failure_id} is {row.status} with {opened} open occurrences."
    return None


async def _check_replies(db: Database) -> AsyncIterator[Finding]:
    after = ("", "", "", "")
    while rows := await db.read(lambda tx, a=after: store.list_replies(tx, a, ROWS_PER_READ)):  # type: ignore[misc]
        last = rows[-1]
        after = (last.tenant_id, last.principal_id, last.endpoint, last.key)
        for row in rows:
            try:
                json.loads(row.reply or b"null")
            except ValueError:
                text = f"the stored reply of {row.endpoint} for {row.principal_id} cannot be sent again."
                yield Finding("I7", row.principal_id, text)
