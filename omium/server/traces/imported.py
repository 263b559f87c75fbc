"""Imported runs: what a framework stored itself, drawn like a trace, so that the same rows come of it.

A run has an identity of its own, and its execution's id follows from that, the tenant and the environment:
said twice, or again after a client died halfway, it is the same execution. What was imported is remembered as
a digest; a run that has gone on since replaces what was shown before, one that is older changes nothing.
"""

from __future__ import annotations

from typing import Final, cast

from omium.clock import US_PER_S
from omium.errors import InvalidRequest
from omium.ids import derived_id
from omium.jsonvalue import JsonValue, canonical_bytes, digest
from omium.models.imports import (
    ImportedError,
    ImportedRun,
    ImportedStatus,
    ImportedStep,
    ImportedUsage,
    ImportOutcome,
    ImportRun,
)
from omium.redact import redact
from omium.server.db.tx import Tx
from omium.server.engine.retention import get_retention
from omium.server.engine.values import Vault
from omium.server.principal import Principal
from omium.server.store import details, imports, labels, retention
from omium.server.store.executions import ExecutionRow, lock_if_there
from omium.server.traces.content import shorten
from omium.server.traces.picture import (
    UNNAMED,
    ObservedState,
    ObservedStep,
    ObservedUsage,
    Picture,
    name_segment,
)
from omium.server.traces.reading import FUTURE_US, MESSAGE_MAX, Span, clean_name
from omium.server.traces.showing import Owner, PackedPicture, pack_picture, place
from omium.states import Driver, ExecutionStatus, PausedReason

TAG: Final = "imported"
DAY_US: Final = 86_400 * US_PER_S
_STATUSES: Final = {
    ImportedStatus.COMPLETED: ExecutionStatus.COMPLETED,
    ImportedStatus.FAILED: ExecutionStatus.FAILED,
    ImportedStatus.OPEN: ExecutionStatus.PAUSED,
}


def pack_import(
    vault: Vault, principal: Principal, run: ImportRun, secrets: tuple[str, ...], now_us: int
) -> tuple[Owner, PackedPicture]:
    """Return `run` ready to be written, secrets concealed. Raises `InvalidRequest` for impossible times."""
    _check_times(run, now_us)
    environment = principal.environment.value
    said = run.model_dump(mode="json")
    owner = Owner(
        execution_id=derived_id("ex", TAG, principal.tenant_id, environment, run.framework, run.identity),
        tenant_id=principal.tenant_id,
        environment=environment,
        started_by=principal.id,
        digest=digest(canonical_bytes(said)),
    )
    return owner, pack_picture(vault, principal.tenant_id, _draw(owner.execution_id, run, secrets))


def name_workflow(run: ImportRun, secrets: tuple[str, ...]) -> str:
    """Return the name under which `run` is shown: what a key must be allowed to run, whatever was sent."""
    return clean_name(str(redact(run.workflow, secrets)[0]), otherwise=UNNAMED)


def _check_times(run: ImportRun, now_us: int) -> None:
    for what, begun_us, ended_us in (
        ("The run", run.started_at_us, run.updated_at_us),
        *((f"Its step {step.name[:60]!r}", step.started_at_us, step.ended_at_us) for step in run.steps),
        *((f"Its state {state.name[:60]!r}", state.at_us, state.at_us) for state in run.states),
        *(("A call of a model", call.at_us, call.at_us) for call in run.usage),
    ):
        if ended_us < begun_us:
            raise InvalidRequest(f"{what} ends before it starts.")
        if ended_us > now_us + FUTURE_US:
            raise InvalidRequest(f"{what} ends more than 5 minutes from now; is a clock wrong?")


def _draw(execution_id: str, run: ImportRun, secrets: tuple[str, ...]) -> Picture:
    def conceal(value: JsonValue) -> JsonValue:
        return redact(value, secrets)[0]

    def shown(value: object) -> JsonValue:
        return shorten(conceal(cast("JsonValue", value)), conceal)

    counts: dict[str, int] = {}
    steps: list[ObservedStep] = []
    for step in run.steps:
        name = clean_name(str(conceal(step.name)))
        counts[name] = counts.get(name, 0) + 1
        span = Span(
            span_id=str(len(steps)),
            parent_id="",
            name=name,
            scope=run.framework,
            kind="",
            start_us=step.started_at_us,
            end_us=step.ended_at_us,
            failed=step.error is not None,
            error=_error(step, conceal(_said(step.error))),
            input=shown(step.input),
            output=shown(step.output),
        )
        steps.append(ObservedStep(name_segment(name, counts[name]), name, counts[name], span))
    usage = [
        ObservedUsage(
            derived_id("us", execution_id, TAG, str(place)),
            steps[call.step].path if call.step is not None and call.step < len(steps) else "",
            _make_call(run, call),
        )
        for place, call in enumerate(run.usage)
    ]
    failed = [step for step in steps if step.span.failed]
    cause = failed[-1] if failed and run.status is ImportedStatus.FAILED else None
    own = conceal(_said(run.error)) if run.error is not None else None
    error = cast("dict[str, JsonValue] | None", own) or (cause.span.error if cause is not None else None)
    status = _STATUSES[run.status]
    return Picture(
        workflow=name_workflow(run, secrets),
        status=status,
        start_us=run.started_at_us,
        end_us=run.updated_at_us,
        input=shown(run.input),
        output=shown(run.output),
        error=error if status is ExecutionStatus.FAILED else None,
        failed_path=cause.path if cause is not None else "",
        steps=sorted(steps, key=lambda step: step.span.end_us),
        states=[
            ObservedState(
                clean_name(str(conceal(state.name)), otherwise="state"), state.at_us, shown(state.state)
            )
            for state in sorted(run.states, key=lambda state: state.at_us)
        ],
        usage=usage,
        reason=PausedReason.IMPORTED if status is ExecutionStatus.PAUSED else None,
        origin=run.framework,
    )


def _make_call(run: ImportRun, call: ImportedUsage) -> Span:
    return Span(
        span_id="",
        parent_id="",
        name="call",
        scope=run.framework,
        kind="llm",
        start_us=call.at_us,
        end_us=call.at_us,
        failed=False,
        model=clean_name(call.model, otherwise=""),
        input_tokens=call.input_tokens,
        output_tokens=call.output_tokens,
        cached_tokens=call.cached_tokens,
        cache_write_tokens=call.cache_write_tokens,
        reasoning_tokens=call.reasoning_tokens,
    )


def _said(error: ImportedError | None) -> JsonValue:
    if error is None:
        return None
    return {"type": clean_name(error.type, otherwise="Error"), "message": error.message[:MESSAGE_MAX]}


def _error(step: ImportedStep, said: JsonValue) -> dict[str, JsonValue] | None:
    return cast("dict[str, JsonValue]", said) if step.error is not None else None


def place_import(
    tx: Tx, principal: Principal, owner: Owner, packed: PackedPicture, run: ImportRun
) -> ImportedRun:
    """Make the execution of an imported run what `packed` shows; `principal` may run its workflow.

    Raises `WorkflowNotAllowed` where it showed another workflow before, and `principal` may not run that.

    The process dies before the commit: nothing is there, and the client says it again. Called twice: the
    second finds the digest of the first. Late: an older state of a run changes nothing. Another tenant has
    other ids.
    """
    was = _lock(tx, principal, owner, packed)
    outcome = _judge(tx, owner, packed.picture, was)
    if outcome in (ImportOutcome.CREATED, ImportOutcome.UPDATED):
        if not place(tx, owner, was, packed):  # a neighbour imported the same run just now
            was = _lock(tx, principal, owner, packed)
            outcome = _judge(tx, owner, packed.picture, was) if was is not None else ImportOutcome.TAKEN
            if outcome is not ImportOutcome.UPDATED or not place(tx, owner, was, packed):
                return ImportedRun(execution_id=owner.execution_id, outcome=outcome)
        if was is None:
            labels.insert_labels(
                tx,
                owner.tenant_id,
                owner.execution_id,
                packed.picture.start_us,
                business_key=run.run_id,
                tags=[TAG, run.framework],
            )
        else:
            imports.set_request_digest(tx, owner.execution_id, owner.digest)
    return ImportedRun(execution_id=owner.execution_id, outcome=outcome)


def _lock(tx: Tx, principal: Principal, owner: Owner, packed: PackedPicture) -> ExecutionRow | None:
    was = lock_if_there(tx, owner.tenant_id, owner.execution_id)
    if was is not None and was.workflow != packed.picture.workflow:
        principal.require_workflow(was.workflow)
    return was


def _judge(tx: Tx, owner: Owner, picture: Picture, was: ExecutionRow | None) -> ImportOutcome:
    if was is None:
        return ImportOutcome.EXPIRED if _is_expired(tx, owner, picture) else ImportOutcome.CREATED
    if was.driver != Driver.OBSERVED or was.reason == retention.RETIRED:
        return ImportOutcome.TAKEN
    if details.get_details(tx, was.id).request_digest == owner.digest:
        return ImportOutcome.UNCHANGED
    if picture.end_us < was.created_us + was.ran_us:
        return ImportOutcome.OLDER
    return ImportOutcome.EXPIRED if _is_expired(tx, owner, picture) else ImportOutcome.UPDATED


def _is_expired(tx: Tx, owner: Owner, picture: Picture) -> bool:
    """Say whether retention would remove the execution at once."""
    kept = get_retention(tx, owner.tenant_id)
    days = {
        ExecutionStatus.COMPLETED: kept.completed_days,
        ExecutionStatus.FAILED: kept.failed_days,
    }.get(picture.status)
    return days is not None and picture.end_us < tx.now_us - days * DAY_US
