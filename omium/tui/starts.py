"""What is done with schedules and triggers, from a list of them or from the detail of one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import Final, TypeVar

from omium.models.schedules import Fire, Schedule, Trigger
from omium.sdk.async_client import AsyncClient
from omium.states import ScheduleStatus
from omium.tui.asking import Asking
from omium.tui.content import safe
from omium.tui.start_forms import show_trigger_secret

Start = Schedule | Trigger
T = TypeVar("T")
LISTED_MAX: Final = 1_000


def pause_or_resume(page: Asking, schedule: Schedule) -> None:
    """Pause a schedule, or let it go on."""
    if schedule.status is ScheduleStatus.ACTIVE:
        page.act(
            f"Pause {schedule.name}",
            partial(page.client.pause_schedule, schedule.id),
            said=f"{safe(schedule.name)} is paused; what it started goes on.",
        )
    else:
        page.act(
            f"Resume {schedule.name}",
            partial(page.client.resume_schedule, schedule.id),
            said=f"{safe(schedule.name)} goes on with its next time; nothing is made up for.",
        )


def run_now(page: Asking, schedule: Schedule) -> None:
    """Start a schedule's workflow at once, and show what became of it."""

    def fired(fire: Fire) -> None:
        if fire.execution_id is not None:
            page.dashboard.open_id(fire.execution_id)
        else:
            page.dashboard.notify(
                safe(f"It was refused ({fire.code}): {fire.detail}"),
                severity="error",
                timeout=12,
                markup=False,
            )
            page.load()

    page.act(f"Start {schedule.name} now", partial(page.client.run_schedule, schedule.id), fired)


def rotate(page: Asking, trigger: Trigger) -> None:
    """Give a webhook's trigger another secret, and show it."""

    def go() -> None:
        page.act(
            f"Rotate {trigger.name}",
            partial(page.client.rotate_trigger, trigger.id),
            lambda made: show_trigger_secret(page, made),
        )

    page.ask(
        f"Give {trigger.name} another signing secret?",
        "The former one is good for a day more.",
        go,
        yes="Rotate",
    )


def delete(page: Asking, chosen: Sequence[Start], done: Callable[[], None]) -> None:
    """Delete some after asking; `done` is called for each that is deleted."""

    def go() -> None:
        for each in chosen:
            remove = page.client.delete_schedule if isinstance(each, Schedule) else page.client.delete_trigger
            page.act(
                f"Delete {each.name}",
                partial(remove, each.id),
                lambda _: done(),
                said=f"{safe(each.name)} is deleted.",
            )

    if chosen:
        what = chosen[0].name if len(chosen) == 1 else f"{len(chosen)} of them"
        page.ask(
            f"Delete {what}?",
            "What was started goes on.",
            go,
            yes="Delete",
            count=len(chosen) if len(chosen) > 1 else None,
        )


async def list_starts(client: AsyncClient, workflow: str) -> list[Start]:
    """Return the schedules and triggers that start a workflow or follow it, of the first thousand of each."""
    schedules = await _first(client.each(client.list_schedules, limit=200))
    triggers = await _first(client.each(client.list_triggers, limit=200))
    return [
        *(each for each in schedules if each.workflow == workflow),
        *(each for each in triggers if workflow in (each.workflow, each.after_workflow)),
    ]


async def _first(listed: AsyncIterator[T]) -> list[T]:
    found: list[T] = []
    async for each in listed:
        found.append(each)
        if len(found) == LISTED_MAX:
            break
    return found
