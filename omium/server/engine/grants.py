"""Grants: the right to drive an execution. A grant is an epoch and a secret token; every write carries both.

Owns how one is given (epoch + 1, a new token of which only the digest is stored) and what travels with it:
the recorded steps, saved states, compensations. Whoever is granted is decided in start.py, claims.py and
resume.py.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel

from omium.jsonvalue import json_bytes, parse_json
from omium.models.driver import CompensationTask, Grant, PinnedVersion, Record
from omium.models.execution import CodeVersion, ProcessIdentity
from omium.server.db.tx import Tx
from omium.server.engine.compensations import list_pending
from omium.server.engine.native import find_pinned_version
from omium.server.engine.parts import EngineParts
from omium.server.engine.transitions import move
from omium.server.engine.values import PackedValue, StoredValue, address_of, fetch_values
from omium.server.engine.views import view_execution
from omium.server.ledger.tranches import UNLIMITED
from omium.server.store import checkpoints, details, effects, epochs, steps
from omium.server.store.checkpoints import CheckpointRow
from omium.server.store.compensations import PendingCompensation
from omium.server.store.executions import ExecutionRow
from omium.server.store.steps import StepRow
from omium.states import EffectState, EventType, ExecutionStatus, PausedReason, StepStatus

INLINE_VALUE_BYTES: Final = 4 * 1024  # of one value that travels with a grant
INLINE_TOTAL_BYTES: Final = 1024 * 1024  # of all together
TOKEN_BYTES: Final = 16
_RECORDS_MAX: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Taker:
    """Who is granted: the principal's id, the digest of the token, and what it told about itself (JSON)."""

    principal_id: str
    lease_digest: str
    process: bytes | None = None
    code: bytes | None = None
    worker_id: str | None = None


def make_taker(
    principal_id: str,
    lease_token: str,
    process: ProcessIdentity | None,
    code: CodeVersion | None,
    worker_id: str | None = None,
) -> Taker:
    return Taker(principal_id, digest_token(lease_token), pack_model(process), pack_model(code), worker_id)


def new_token() -> str:
    """Return 128 random bits as text."""
    return secrets.token_hex(TOKEN_BYTES)


def digest_token(lease_token: str) -> str:
    """Return what is stored of a lease token."""
    return hashlib.sha256(lease_token.encode()).hexdigest()


def pack_model(model: BaseModel | None) -> bytes | None:
    return json_bytes(model.model_dump(mode="json")) if model is not None else None


def give_grant(
    tx: Tx,
    row: ExecutionRow,
    taker: Taker,
    event: EventType,
    *,
    data: Mapping[str, object] | None = None,
    **columns: Any,
) -> ExecutionRow:
    """Make `row` running under a new epoch for `taker`; the former driver's writes change nothing now.

    The caller has locked the row and resolved what was in flight (`effects.cut_off`). If the process dies
    before the commit, nobody was granted; after it, the taker may never learn of the grant, and the lease
    decides.

    Raises `CreditsExhausted`, `LimitReached` or `UnknownPrice` where the execution is metered and may not go
    on; not for a rollback, which has to be possible without credits.
    """
    row = move(
        tx,
        row,
        ExecutionStatus.RUNNING,
        event,
        data={**(data or {}), "by": taker.principal_id},
        cover_otherwise=UNLIMITED if _goes_back(row) else None,
        epoch=row.epoch + 1,
        lease_digest=taker.lease_digest,
        lease_touched_us=tx.lease_now_us,
        worker_id=taker.worker_id,
        **columns,
    )
    epochs.insert_epoch(
        tx,
        row.id,
        row.epoch,
        granted_to=taker.worker_id or taker.principal_id,
        cause=event.value,
        process=taker.process,
        code=taker.code,
    )
    details.set_driver(tx, row.id, taker.process, taker.code)
    return row


def _goes_back(row: ExecutionRow) -> bool:
    return row.status == ExecutionStatus.PAUSED and row.reason in {
        PausedReason.ROLLBACK,
        PausedReason.ROLLBACK_FAILED,
    }


@dataclass(frozen=True, slots=True)
class GrantRows:
    """What `build_grant` reads, before it is opened."""

    row: ExecutionRow
    input: StoredValue
    steps: list[StepRow]
    effect_states: Mapping[str, str]
    checkpoints: list[CheckpointRow]
    compensations: list[PendingCompensation]
    compensation_values: Mapping[bytes, StoredValue]
    pinned: PinnedVersion | None = None


async def build_grant(parts: EngineParts, row: ExecutionRow, lease_token: str) -> Grant:
    """Return what the new driver of `row` is sent.

    Read after the grant has been committed: nobody else can record steps any more, and the writer is not
    held up by a long list.
    """
    rows = await parts.db.read(lambda tx: _read(tx, parts, row))
    return _assemble(parts, rows, lease_token)


def build_first_grant(parts: EngineParts, row: ExecutionRow, given: PackedValue, lease_token: str) -> Grant:
    """Return what the driver of a new execution is sent: nothing is recorded of it yet."""
    rows = GrantRows(
        row=row,
        input=StoredValue(given.column, given.payload),
        steps=[],
        effect_states={},
        checkpoints=[],
        compensations=[],
        compensation_values={},
    )
    return _assemble(parts, rows, lease_token)


def _read(tx: Tx, parts: EngineParts, row: ExecutionRow) -> GrantRows:
    detail = details.get_details(tx, row.id)
    pending = list_pending(tx, row)
    live = [
        step
        for step in steps.list_live_steps(tx, row.id, limit=_RECORDS_MAX)
        if step.kind != "compensation"  # those are for people
    ]
    values = fetch_values(
        tx,
        row.tenant_id,
        [detail.input, *(each.input for each in pending), *(each.output for each in pending)],
    )
    return GrantRows(
        row=row,
        input=values[detail.input],
        steps=live,
        effect_states={
            each.path: each.state for each in effects.list_effects(tx, row.id, limit=_RECORDS_MAX)
        },
        checkpoints=checkpoints.list_newest(tx, row.id),
        compensations=pending,
        compensation_values=values,
        pinned=find_pinned_version(tx, parts.runtimes, row),
    )


def _assemble(parts: EngineParts, rows: GrantRows, lease_token: str) -> Grant:
    tenant_id = rows.row.tenant_id
    budget = _Budget(INLINE_TOTAL_BYTES)

    def opened(column: bytes | None) -> object:
        stored = rows.compensation_values.get(column) if column is not None else None
        return parts.vault.open_value(tenant_id, stored) if stored is not None else None

    return Grant(
        execution=view_execution(rows.row),
        epoch=rows.row.epoch,
        lease_token=lease_token,
        lease_s=parts.policy.lease_s,
        heartbeat_s=parts.policy.heartbeat_s,
        self_fence_s=parts.policy.self_fence_s,
        input=parts.vault.open_value(tenant_id, rows.input),
        records=[make_record(step, rows.effect_states.get(step.path), budget) for step in rows.steps],
        checkpoints={
            saved.name: parse_json(saved.state) if budget.take(saved.state) else {"$checkpoint": saved.id}
            for saved in rows.checkpoints
        },
        compensations=[
            CompensationTask(
                position=each.position,
                path=each.path,
                effect_path=each.effect_path,
                effect_key=each.effect_key,
                compensate=each.compensate,
                input=opened(each.input),
                output=opened(each.output),
                attempt=each.attempt,
            )
            for each in rows.compensations
        ],
        pinned=rows.pinned,
    )


class _Budget:
    """How many bytes of values may still travel."""

    def __init__(self, left_bytes: int) -> None:
        self._left_bytes = left_bytes

    def take(self, column: bytes) -> bool:
        """Say whether the value of `column` travels along; payloads never do."""
        if (
            len(column) > INLINE_VALUE_BYTES
            or len(column) > self._left_bytes
            or address_of(column) is not None
        ):
            return False
        self._left_bytes -= len(column)
        return True


def make_record(step: StepRow, effect_state: str | None, budget: _Budget) -> Record:
    """Return the record that the driver's lookup uses (semantics 2.4)."""
    inline = step.output is not None and budget.take(step.output)
    return Record(
        path=step.path,
        name=step.name,
        occurrence=step.occurrence,
        explicit_key=bool(step.explicit_key),
        kind=step.kind,  # type: ignore[arg-type]  # the schema checks it
        status=StepStatus(step.status),
        attempt=step.attempt,
        input_digest=step.input_digest,
        comparable=step.comparable,  # type: ignore[arg-type]  # the schema checks it
        has_output=step.output is not None,
        output=parse_json(step.output) if inline and step.output is not None else None,
        inline=inline,
        effect_key=step.effect_key,
        effect_state=_effect_state(step, effect_state),
        error=parse_json(step.error) if step.error is not None else None,
        completed_seq=step.completed_seq,
    )


def _effect_state(step: StepRow, state: str | None) -> EffectState | None:
    if state is not None:
        return EffectState(state)
    reused = (
        step.kind == "effect" and step.status == StepStatus.COMPLETED
    )  # the effect is another execution's
    return EffectState.DONE if reused else None
