"""Schedules: made, paused, resumed, deleted, run at once, and shown.

Each change is one transaction that the endpoint audits. Twice: a second one of the same name is refused,
pausing and resuming change nothing, deleting answers `NotFound`, as another tenant's schedule does.
"""

from __future__ import annotations

from typing import cast

from omium.errors import InvalidRequest, LimitReached, NotFound
from omium.jsonvalue import JsonValue
from omium.models.schedules import CreateSchedule, Fire, Schedule
from omium.server.db.tx import Tx
from omium.server.engine.parts import EngineParts
from omium.server.engine.values import drop_value, put_value
from omium.server.principal import Principal
from omium.server.schedules import cron
from omium.server.schedules.firing import origin_of, read_input
from omium.server.schedules.starting import require_place, start_once
from omium.server.store import fires
from omium.server.store import schedules as store
from omium.server.store.fires import FireRow
from omium.server.store.schedules import ScheduleRow

SCHEDULES_MAX = 1_000
PREVIEW = 5


def create_schedule(tx: Tx, parts: EngineParts, principal: Principal, command: CreateSchedule) -> Schedule:
    """Store a schedule; raises `InvalidRequest`, `LimitReached`, `WorkflowNotAllowed`."""
    environment = (command.environment or principal.environment).value
    require_place(principal, environment, command.workflow)
    try:
        next_us = cron.check(command.cron, command.timezone, tx.now_us)
    except cron.CronInvalid as invalid:
        raise InvalidRequest(str(invalid), errors=[{"pointer": "/cron", "detail": str(invalid)}]) from None
    if store.count_schedules(tx, principal.tenant_id) >= SCHEDULES_MAX:
        raise LimitReached(f"A tenant has at most {SCHEDULES_MAX} schedules; delete one first.")
    packed = parts.vault.pack(principal.tenant_id, cast("JsonValue", command.input), what="The input")
    row = ScheduleRow(
        id=tx.new_id("sc"),
        tenant_id=principal.tenant_id,
        environment=environment,
        name=command.name,
        workflow=command.workflow,
        queue=command.queue,
        cron=" ".join(command.cron.split()),
        timezone=command.timezone,
        input=put_value(tx, principal.tenant_id, packed),
        missed=command.missed.value,
        missed_max=command.missed_max,
        overlap=command.overlap.value,
        status="active",
        note="",
        next_us=next_us,
        last_us=None,
        created_us=tx.now_us,
        created_by=principal.id,
    )
    if not store.insert_schedule(tx, row):
        raise InvalidRequest(
            f"There is a schedule {command.name} in {row.environment} already; choose another name.",
            errors=[{"pointer": "/name", "detail": "is taken"}],
        )
    return view_schedule(row)


def get_schedule(tx: Tx, tenant_id: str, schedule_id: str) -> ScheduleRow:
    """Return a tenant's schedule; raises `NotFound`."""
    row = store.find_schedule(tx, tenant_id, schedule_id)
    if row is None:
        raise NotFound(f"There is no schedule {schedule_id} here; see `omium schedules list`.")
    return row


def set_paused(tx: Tx, principal: Principal, schedule_id: str, *, paused: bool) -> Schedule:
    """Pause a schedule, or let it go on with its next time: what came in between is not made up for."""
    row = _lock(tx, principal, schedule_id)
    if not paused:
        require_place(principal, row.environment, row.workflow)
    if (row.status == "paused") != paused:
        next_us = cron.next_after(row.cron, row.timezone, tx.now_us)
        store.set_status(tx, row.id, "paused" if paused else "active", "", next_us)
    return view_schedule(get_schedule(tx, principal.tenant_id, schedule_id))


def run_now(tx: Tx, parts: EngineParts, principal: Principal, schedule_id: str, request_key: str) -> Fire:
    """Start a schedule's workflow at once, whatever runs, on behalf of who made the schedule."""
    row = _lock(tx, principal, schedule_id)
    require_place(principal, row.environment, row.workflow)
    value = read_input(tx, parts, row)
    live = row.overlap != "allow"
    return view_fire(start_once(tx, parts, origin_of(row), f"now:{request_key}", tx.now_us, value, live=live))


def delete_schedule(tx: Tx, principal: Principal, schedule_id: str) -> None:
    """Delete a schedule with the list of its times; what it started goes on."""
    row = _lock(tx, principal, schedule_id)
    fires.delete_fires_of(tx, row.id)
    store.delete_schedule(tx, principal.tenant_id, row.id)
    drop_value(tx, row.tenant_id, row.input)


def _lock(tx: Tx, principal: Principal, schedule_id: str) -> ScheduleRow:
    get_schedule(tx, principal.tenant_id, schedule_id)
    row = store.lock_schedule(tx, schedule_id)
    if row is None:
        raise NotFound(f"There is no schedule {schedule_id} here; see `omium schedules list`.")
    principal.require_workflow(row.workflow)
    return row


def view_schedule(row: ScheduleRow) -> Schedule:
    """Return the schedule as it travels."""
    active = row.status == "active"
    after_us = max(row.next_us - 1, 0)
    names = Schedule.model_fields.keys() & set(ScheduleRow.__slots__)
    return Schedule.model_validate(
        {name: getattr(row, name) for name in names}
        | {
            "next_at_us": cron.list_next(row.cron, row.timezone, after_us, PREVIEW) if active else [],
            "created_at_us": row.created_us,
        }
    )


def view_fire(row: FireRow) -> Fire:
    """Return a time as it travels."""
    return Fire.model_validate(
        {
            "key": row.key,
            "due_at_us": row.due_us,
            "at_us": row.at_us,
            "outcome": row.outcome,
            "execution_id": row.execution_id,
            "code": row.code,
            "detail": row.detail,
        }
    )
