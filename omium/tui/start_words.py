"""How schedules, triggers and what became of their times are said, in lists and in details."""

from __future__ import annotations

from typing import Final

from rich.text import Text

from omium.models.schedules import Fire, Schedule, Trigger
from omium.states import Scope
from omium.tui.actions import Action
from omium.tui.content import cell, state
from omium.tui.widgets.listing import Column
from omium.words import ago, local_time, now_us, zoned_time

PAUSE: Final = Action(
    "pause",
    "h",
    "pause/resume",
    "Pause a schedule, or let a paused one go on with its next time.",
    "Act",
    scope=Scope.OPERATE,
    changes=True,
)

FIRE_COLUMNS: Final[tuple[Column[Fire], ...]] = (
    Column("Due", lambda fire: cell(local_time(fire.due_at_us)), 19),
    Column("Outcome", lambda fire: state(fire.outcome.value), 12),
    Column("Execution", lambda fire: cell(fire.execution_id or "-"), 29),
    Column("Why", lambda fire: cell(": ".join(filter(None, (fire.code, fire.detail))) or "-")),
)


def next_time(schedule: Schedule) -> Text:
    """Return the schedule's next time, from now."""
    return cell(ago(schedule.next_at_us[0], now_us()) if schedule.next_at_us else "-")


def cause(trigger: Trigger) -> str:
    """Return for what a trigger starts its workflow."""
    if trigger.path is not None:
        return f"POST {trigger.path}"
    return f"{trigger.after_workflow} is {'over' if trigger.outcome == 'any' else trigger.outcome}"


def schedule_facts(schedule: Schedule) -> list[tuple[str, str]]:
    """Return what is known of a schedule, each with its name."""
    missed = (
        f"{schedule.missed}, up to {schedule.missed_max}" if schedule.missed == "all" else schedule.missed
    )
    return [
        ("Status", f"{schedule.status}" + (f" ({schedule.note})" if schedule.note else "")),
        ("Starts", f"{schedule.workflow}, {schedule.environment}, queue {schedule.queue}"),
        ("When", f"{schedule.cron}, {schedule.timezone}"),
        ("Missed times", str(missed)),
        ("Overlapping", str(schedule.overlap)),
        ("Next", ", ".join(zoned_time(at_us) for at_us in schedule.next_at_us[:3]) or "when it is resumed"),
        ("Made", f"{local_time(schedule.created_at_us)} by {schedule.created_by}"),
    ]


def trigger_facts(trigger: Trigger) -> list[tuple[str, str]]:
    """Return what is known of a trigger, each with its name."""
    return [
        ("For", cause(trigger)),
        ("Starts", f"{trigger.workflow}, {trigger.environment}, queue {trigger.queue}"),
        ("Made", f"{local_time(trigger.created_at_us)} by {trigger.created_by}"),
    ]
