"""Replays: a new execution that begins with what another one has recorded, edited where asked.

Owns making that execution and the disposition of the source's failures; its records are replay_records.py.
The source itself is not changed otherwise. Rules: semantics 2.6; for users docs/replay-and-rollback.md.

The new id follows from the request (`PackedReplay.id`), so the same request twice is one replay. If the
process dies before the commit there is none; after it, the client asks again and gets the same answer.
"""

from __future__ import annotations

from dataclasses import dataclass

from omium.errors import ExecutionExists, InvalidRequest, PlanNeeded
from omium.models.execution import Limits
from omium.server.db.tx import Tx
from omium.server.engine import decisions, metering
from omium.server.engine.failures import close_occurrences, lock_groups
from omium.server.engine.grants import give_grant
from omium.server.engine.native import pin
from omium.server.engine.nodes.driving import drive
from omium.server.engine.nodes.settling import settle
from omium.server.engine.nodes.starting import as_engine_row, begin_run, describe_code
from omium.server.engine.parts import EngineParts
from omium.server.engine.plan import make_plan
from omium.server.engine.plan_token import check_token
from omium.server.engine.replay_packing import PackedReplay
from omium.server.engine.replay_records import Draft, draft_records, write_records
from omium.server.engine.replay_versions import read_pinned
from omium.server.engine.savings import save_replay
from omium.server.engine.source import Source, is_current, read_source, refuse_source
from omium.server.engine.transitions import append_event, record_first_event
from omium.server.engine.values import copy_value, put_value
from omium.server.engine.verdicts import Plan
from omium.server.seal import KeyFile
from omium.server.store import details as detail_store
from omium.server.store import effects
from omium.server.store.details import DetailsRow
from omium.server.store.epochs import insert_epoch
from omium.server.store.executions import (
    ExecutionRow,
    find_execution,
    insert_execution,
    lock_execution,
)
from omium.server.store.labels import copy_labels
from omium.server.store.meters import insert_meter
from omium.states import (
    Driver,
    Durability,
    EffectDecision,
    EffectState,
    EventType,
    ExecutionStatus,
    FailureKind,
    FailureStatus,
    Takeover,
)

# Replaying does not say what became of an effect, nor undoes it: these stay in the inbox.
KEPT_OPEN = frozenset(
    {FailureKind.EFFECT_UNKNOWN, FailureKind.EFFECT_DUPLICATED, FailureKind.COMPENSATION_FAILED}
)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan and the rows that follow from it, made before the transaction."""

    plan: Plan
    draft: Draft


def prepare_replay(packed: PackedReplay, source: Source) -> Prepared:
    """Return the plan and the rows; `InvalidRequest` as `make_plan`."""
    plan = make_plan(source, packed.command)
    return Prepared(plan, draft_records(packed, plan))


@dataclass(frozen=True, slots=True)
class Replayed:
    """The new execution and the plan that it follows; `fresh` if this call began it."""

    row: ExecutionRow
    plan: Plan
    fresh: bool


def start_replay(
    tx: Tx, parts: EngineParts, keys: KeyFile, packed: PackedReplay, prepared: Prepared
) -> Replayed:
    """Start the replay, or return the one that the same request started.

    `prepared` is used if it still is what is recorded, and made again if not.
    Raises `PlanNeeded` where a plan with blocked steps or repeated effects was not looked at, `PlanStale`,
    `InvalidRequest`, `IllegalTransition` (the source runs), `ExecutionExists`, `CheckpointGone`,
    `AlreadyDecided`.
    """
    source_row = lock_execution(tx, packed.principal.tenant_id, packed.source_id)
    known = find_execution(tx, packed.principal.tenant_id, packed.id)
    if known is not None:
        return _repeat(tx, packed, prepared, known)
    refuse_source(tx, source_row)
    if packed.taker is not None and source_row.driver == Driver.ENGINE:
        raise InvalidRequest(f"{source_row.id} is scheduled by the server; replay it without a process.")
    if not is_current(tx, prepared.plan.source, source_row):
        pinned = read_pinned(tx, parts, source_row, packed.command.version)
        prepared = prepare_replay(packed, read_source(tx, source_row, pinned))
    plan = prepared.plan
    _check_plan(tx, keys, packed, plan)
    _lock_what_is_decided(tx, packed, plan)
    row = _insert(tx, packed, plan.source)
    source_row = append_event(
        tx,
        source_row,
        EventType.EXECUTION_REPLAYED,
        {"replay": row.id, "by": packed.principal.id, "comment": packed.command.reason},
    )
    close_occurrences(
        tx,
        source_row,
        status=FailureStatus.REPLAYED,
        by=packed.principal.id,
        reason=f"replayed as {row.id}",
        kept_open=KEPT_OPEN,
    )
    row = write_records(tx, row, prepared.draft)
    save_replay(tx, row, plan)
    row = _decide(tx, packed, plan, row)
    if packed.taker is not None:
        row = give_grant(tx, row, packed.taker, EventType.EXECUTION_CLAIMED)
    if plan.source.native is not None:
        pin(tx, row, plan.source.native.version)
    if plan.source.pinned is not None:
        work = begin_run(tx, parts, row, plan.source.pinned.version)
        drive(work)
        row = settle(work)
    return Replayed(row, plan, fresh=True)


def _repeat(tx: Tx, packed: PackedReplay, prepared: Prepared, known: ExecutionRow) -> Replayed:
    same = detail_store.get_details(tx, known.id).request_digest == packed.request_digest
    if known.replay_of != packed.source_id or not same:
        raise ExecutionExists(
            f"{known.id} exists, and was started with something else.", execution_id=known.id
        )
    if packed.taker is not None and (known.epoch, known.lease_digest) != (1, packed.taker.lease_digest):
        raise ExecutionExists(
            f"{known.id} was started before, under another lease; resume it to go on.", execution_id=known.id
        )
    return Replayed(known, prepared.plan, fresh=False)


def _check_plan(tx: Tx, keys: KeyFile, packed: PackedReplay, plan: Plan) -> None:
    token = packed.command.plan_token
    if token is not None:
        check_token(keys, packed.principal, plan.source, packed.command, token, tx.now_us)
    elif plan.needs_token:
        paths: list[object] = [
            verdict.path
            for verdict in plan.verdicts
            if verdict.disposition == "blocked" or plan.repeats_effect(verdict)
        ]
        raise PlanNeeded(
            "This replay is blocked by an effect or repeats one; look at its plan and send its token.",
            steps=paths,
        )


def _insert(tx: Tx, packed: PackedReplay, source: Source) -> ExecutionRow:
    was = source.row
    row = ExecutionRow(
        id=packed.id,
        tenant_id=was.tenant_id,
        environment=was.environment,
        workflow=was.workflow,
        queue=was.queue,
        driver=(Driver.LOCAL if packed.taker else Driver.WORKER).value,
        durability=Durability.STRICT.value,
        takeover=Takeover.NEVER.value,
        status=ExecutionStatus.QUEUED.value,
        reason=None,
        generation=1,
        epoch=0,
        last_seq=1,
        interruptions=0,
        steps_completed=0,
        lease_digest=None,
        lease_touched_us=None,
        silent=0,
        worker_id=None,
        parent_id=None,
        parent_path=None,
        replay_of=was.id,
        replay_batch=None,
        lineage_root=was.lineage_root,
        started_by=packed.principal.id,
        queued_us=tx.now_us,
        wake_us=None,
        suspend=None,
        cancel_requested_us=None,
        cancel_outcome=None,
        max_steps=was.max_steps,
        max_interruptions=was.max_interruptions,
        interruption_streak=0,
        interruption_steps=0,
        created_us=tx.now_us,
        started_us=None,
        ended_us=None,
        updated_us=tx.now_us,
        max_duration_us=was.max_duration_us,
        max_payload_bytes=was.max_payload_bytes,
        ran_us=0,
        run_since_us=None,
        payload_bytes=0,
        covered_steps=0 if packed.metered else None,
    )
    pinned = source.pinned
    if pinned is not None:
        row = as_engine_row(tx, row, pinned.now)
    if not insert_execution(tx, row):  # another tenant's id: random, so nobody meets one by chance
        raise ExecutionExists("This execution id cannot be used; make a new one.")
    recorded = source.details
    code = describe_code(pinned.version, row.workflow) if pinned is not None else recorded.code
    detail_store.insert_details(
        tx,
        DetailsRow(
            execution_id=row.id,
            request_digest=packed.request_digest,
            input=put_value(tx, row.tenant_id, packed.input)
            if packed.input
            else copy_value(tx, row.tenant_id, recorded.input),
            input_digest=packed.input_digest or recorded.input_digest,
            comparable=recorded.comparable,
            output=None,
            error=None,
            process=None,
            code=code,
            limits=recorded.limits,
            edits=packed.edits,
            running=None,
        ),
    )
    if pinned is not None:
        insert_epoch(
            tx,
            row.id,
            row.epoch,
            granted_to=packed.principal.id,
            cause=EventType.EXECUTION_STARTED.value,
            process=None,
            code=code,
        )
    copy_labels(tx, row.tenant_id, was.id, row.id, row.created_us)
    record_first_event(
        tx,
        row,
        EventType.EXECUTION_STARTED,
        {"workflow": row.workflow, "by": row.started_by, "replay_of": was.id},
    )
    if packed.metered:
        limits = Limits.model_validate_json(recorded.limits)
        _start_meter(tx, packed, row, limits.max_microcredits)
    return row


def _start_meter(tx: Tx, packed: PackedReplay, row: ExecutionRow, limit_microcredits: int | None) -> None:
    """Store the meter; a replay that waits for a worker holds nothing, the caller's own is granted later."""
    runs = row.driver == Driver.ENGINE
    meter = metering.make_meter(tx, packed.principal, row.id, limit_microcredits)
    if packed.taker is None:
        metering.start_meter(tx, row, meter, runs=runs)
    else:
        insert_meter(tx, meter)


def _lock_what_is_decided(tx: Tx, packed: PackedReplay, plan: Plan) -> None:
    """Lock the effects of the decisions, then every group that the replay closes something in."""
    decided = [plan.source.effects[each.path] for each in packed.command.decisions]
    for key in sorted(effect.effect_key for effect in decided):
        effects.lock_effect(tx, packed.principal.tenant_id, key)
    source_row = plan.source.row
    lock_groups(tx, source_row, open_of={source_row.id} | {effect.execution_id for effect in decided})


def _decide(tx: Tx, packed: PackedReplay, plan: Plan, row: ExecutionRow) -> ExecutionRow:
    """Apply the decisions to the lineage's effects, on the new execution's log; the driver finds them."""
    for decision in packed.command.decisions:
        effect = effects.lock_effect(tx, row.tenant_id, plan.source.effects[decision.path].effect_key)
        assert effect is not None, "it was read in this transaction"
        ended = effect.state in {EffectState.DONE, EffectState.SKIPPED}
        if ended and decision.decision is EffectDecision.REDO:
            row = append_event(
                tx,
                row,
                EventType.EFFECT_DECIDED,
                {
                    "path": effect.path,
                    "decision": "redo",
                    "by": packed.principal.id,
                    "comment": decision.reason,
                },
            )
            decisions.redo_done(tx, packed.principal, row, effect)
        elif not ended and effect.state != EffectState.NOT_APPLIED:
            output = packed.decided.get(decision.path)
            row, _ = decisions.decide(
                tx, packed.principal, row, effect, decision.decision, output, decision.reason
            )
    return row
