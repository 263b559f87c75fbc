"""Reading: what people and programs are shown of an execution. Read on one snapshot, opened after it.

Every function answers for another tenant's execution as for an unknown one (`NotFound`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from omium.errors import CheckpointGone, NotFound
from omium.jsonvalue import JsonValue
from omium.models.approval import AwaitedSignal
from omium.models.driver import RecordValue, RecordValues
from omium.models.execution import (
    Checkpoint,
    Cost,
    ExecutionDetail,
    RunnerAnswer,
    Step,
    Usage,
)
from omium.server.db.tx import Tx
from omium.server.engine import metering
from omium.server.engine.driver_signals import list_awaited
from omium.server.engine.fence import Lease, holds, refusal
from omium.server.engine.parts import EngineParts
from omium.server.engine.runners import find_runner
from omium.server.engine.usage import sum_usage
from omium.server.engine.values import StoredValue, fetch_value, fetch_values
from omium.server.engine.views import (
    view_checkpoint,
    view_code,
    view_error,
    view_execution,
    view_process,
    view_slot,
    view_step,
    view_whole,
)
from omium.server.store import (
    checkpoints,
    details,
    effects,
    engine_runs,
    execution_lists,
    labels,
    slot_lists,
    steps,
    traces,
)
from omium.server.store.checkpoints import CheckpointRow
from omium.server.store.details import DetailsRow
from omium.server.store.executions import ExecutionRow, get_execution
from omium.server.store.slot_lists import ListedSlot
from omium.server.store.steps import StepRow
from omium.states import Driver, StepStatus, WaitingReason

DETAIL_STEPS = 100
DETAIL_CHECKPOINTS = 100
AWAITED_SLOTS = 100
StepKey = tuple[int, str, int, int]


@dataclass(frozen=True, slots=True)
class StepPage:
    """Steps with what their columns point at; `following` is the key of the last one if more follow."""

    rows: list[StepRow]
    values: Mapping[bytes, StoredValue]
    states: Mapping[str, str]
    following: StepKey | None


@dataclass(frozen=True, slots=True)
class _Detail:
    row: ExecutionRow
    details: DetailsRow
    page: StepPage
    checkpoints: list[CheckpointRow]
    values: Mapping[bytes, StoredValue]
    children: list[str]
    replays: list[str]
    usage: Usage
    cost: Cost | None
    runner: RunnerAnswer
    refused_spans: int
    labels: labels.LabelsRow | None
    run: engine_runs.RunRow | None
    slot: ListedSlot | None
    signals: list[AwaitedSignal]


async def read_detail(
    parts: EngineParts, tenant_id: str, execution_id: str
) -> tuple[ExecutionDetail, StepKey | None]:
    """Return everything about an execution that fits on a page, and where its steps go on."""

    def read(tx: Tx) -> _Detail:
        row = get_execution(tx, tenant_id, execution_id)
        detail = details.get_details(tx, row.id)
        saved = checkpoints.list_checkpoints(tx, row.id, limit=DETAIL_CHECKPOINTS)
        columns = [detail.input, detail.output, *(each.state for each in saved)]
        return _Detail(
            row=row,
            details=detail,
            page=_read_steps(tx, row, (-1, "", 0, 0), DETAIL_STEPS),
            checkpoints=saved,
            values=fetch_values(tx, tenant_id, columns),
            children=execution_lists.list_child_ids(tx, tenant_id, row.id),
            replays=execution_lists.list_replay_ids(tx, tenant_id, row.id),
            usage=sum_usage(tx, tenant_id, row.id),
            cost=metering.read_cost(tx, row),
            runner=find_runner(tx, row, parts.policy),
            refused_spans=traces.count_refused(tx, row.id) if row.driver == Driver.OBSERVED else 0,
            labels=labels.find_labels(tx, row.id),
            run=engine_runs.find_run(tx, row.id),
            slot=_find_awaited_slot(tx, row),
            signals=list_awaited(tx, row),
        )

    found = await parts.db.read(read)
    return _view_detail(parts, found), found.page.following


def _find_awaited_slot(tx: Tx, row: ExecutionRow) -> ListedSlot | None:
    """Return the slot for which an execution has waited longest, where it waits for one."""
    if row.reason != WaitingReason.SLOT:
        return None
    found = slot_lists.list_slots(tx, row.tenant_id, execution_id=row.id, limit=AWAITED_SLOTS)
    return min((each for each in found if each.waits), key=lambda each: each.asked_us, default=None)


def _view_detail(parts: EngineParts, found: _Detail) -> ExecutionDetail:
    tenant_id, detail, vault = found.row.tenant_id, found.details, parts.vault
    return ExecutionDetail(
        **view_execution(found.row).model_dump(),
        input=view_whole(vault, tenant_id, found.values, detail.input),
        output=view_whole(vault, tenant_id, found.values, detail.output),
        error=view_error(detail.error),
        code=view_code(detail.code),
        version=found.run.version if found.run is not None else None,
        steps=view_steps(parts, tenant_id, found.page),
        checkpoints=[view_checkpoint(vault, tenant_id, each, found.values) for each in found.checkpoints],
        children=found.children,
        replays=found.replays,
        running_steps=_list_running(found),
        process=view_process(detail.process),
        usage=found.usage,
        cost=found.cost,
        runner=found.runner,
        refused_spans=found.refused_spans,
        awaited_slot=view_slot(found.slot) if found.slot is not None else None,
        awaited_signals=found.signals,
        tags=found.labels.list_tags() if found.labels else [],
        business_key=found.labels.business_key if found.labels else None,
    )


def _list_running(found: _Detail) -> list[str]:
    """List what ran at the driver's last beat and has not ended since, as far as the page of steps tells."""
    told: list[str] = json.loads(found.details.running) if found.details.running else []
    current = (step for step in found.page.rows if step.superseded_seq is None)
    ended = {step.path for step in current if step.status == StepStatus.COMPLETED}
    return [path for path in told if path not in ended]


async def read_steps(
    parts: EngineParts, tenant_id: str, execution_id: str, after: StepKey, limit: int
) -> tuple[list[Step], StepKey | None]:
    """Return a page of steps by their start, superseded ones too."""
    page = await parts.db.read(
        lambda tx: _read_steps(tx, get_execution(tx, tenant_id, execution_id), after, limit)
    )
    return view_steps(parts, tenant_id, page), page.following


def _read_steps(tx: Tx, row: ExecutionRow, after: StepKey, limit: int) -> StepPage:
    found = steps.list_steps(tx, row.id, after=after, limit=limit + 1)
    shown = found[:limit]
    columns = [column for step in shown for column in (step.input, step.output)]
    last = shown[-1] if len(found) > limit else None
    kinds = {step.kind for step in shown}
    states = effects.list_effects(tx, row.id, limit=1000) if "effect" in kinds else []
    return StepPage(
        rows=shown,
        values=fetch_values(tx, row.tenant_id, columns),
        states={effect.effect_key: effect.state for effect in states},
        following=(last.started_us, last.path, last.generation, last.attempt) if last else None,
    )


def view_steps(parts: EngineParts, tenant_id: str, page: StepPage) -> list[Step]:
    return [
        view_step(parts.vault, tenant_id, row, page.values, page.states.get(row.effect_key or ""))
        for row in page.rows
    ]


async def read_step_value(parts: EngineParts, tenant_id: str, execution_id: str, path: str) -> JsonValue:
    """Return the whole output of the live step at `path`, for people: a sealed one is `[sealed]`."""

    def read(tx: Tx) -> StoredValue | None:
        row = get_execution(tx, tenant_id, execution_id)
        step = steps.find_live_step(tx, row.id, path)
        if step is None:
            raise NotFound(f"{execution_id} has no step {path}.")
        return fetch_value(tx, tenant_id, step.output) if step.output is not None else None

    stored = await parts.db.read(read)
    return parts.vault.display(tenant_id, stored) if stored is not None else None


async def read_checkpoint(
    parts: EngineParts, tenant_id: str, execution_id: str, checkpoint_id: str
) -> Checkpoint:
    """Return a saved state whole."""

    def read(tx: Tx) -> tuple[CheckpointRow, StoredValue]:
        row = get_execution(tx, tenant_id, execution_id)
        saved = checkpoints.find_checkpoint(tx, row.id, checkpoint_id)
        if saved is None:
            raise NotFound(f"{execution_id} has no checkpoint {checkpoint_id}.")
        return saved, fetch_value(tx, tenant_id, saved.state)

    saved, stored = await parts.db.read(read)
    shown = view_checkpoint(parts.vault, tenant_id, saved, {saved.state: stored})
    return shown.model_copy(update={"state": parts.vault.display(tenant_id, stored)})


async def fetch_records(
    parts: EngineParts, tenant_id: str, execution_id: str, paths: list[str], lease: Lease | None
) -> RecordValues:
    """Return recorded values exactly, for a driver.

    Steps' outputs by path, saved states by `$checkpoint/<id>`, the execution's own output by `$output`.
    Raises `LeaseLostProblem` if a `lease` is shown that is not the current one, `CheckpointGone`, `NotFound`.
    """

    def read(tx: Tx) -> list[tuple[str, StoredValue | None]]:
        row = get_execution(tx, tenant_id, execution_id)
        if lease is not None and not holds(row, lease):
            raise refusal(row)
        found: list[tuple[str, StoredValue | None]] = []
        for path in paths:
            column = _find_column(tx, row, path)
            found.append((path, fetch_value(tx, row.tenant_id, column) if column is not None else None))
        return found

    stored = await parts.db.read(read)
    vault = parts.vault
    return RecordValues(
        records=[
            RecordValue(path=path, output=vault.open_value(tenant_id, value) if value else None)
            for path, value in stored
        ]
    )


CHECKPOINT_PREFIX = "$checkpoint/"
OWN_OUTPUT = "$output"


def _find_column(tx: Tx, row: ExecutionRow, path: str) -> bytes | None:
    if path.startswith(CHECKPOINT_PREFIX):
        saved = checkpoints.find_checkpoint(tx, row.id, path.removeprefix(CHECKPOINT_PREFIX))
        if saved is None:
            raise CheckpointGone(f"{row.id} has no such checkpoint any more.")
        return saved.state
    if path == OWN_OUTPUT:
        return details.get_details(tx, row.id).output
    step = steps.find_live_step(tx, row.id, path)
    return step.output if step is not None else None
