"""`omium schedules create|list|show|pause|resume|run-now|delete`: workflows that start again and again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from omium.cli.automation import find_named, show_fires
from omium.cli.cells import state
from omium.cli.context import Common, for_server
from omium.cli.ending import FAILED
from omium.cli.inputs import read_inputs
from omium.cli.options import Yes
from omium.cli.table import Column
from omium.safetext import safe_text
from omium.states import Environment, MissedPolicy, OverlapPolicy
from omium.words import zoned_time

if TYPE_CHECKING:
    from omium.models.schedules import Schedule
    from omium.sdk.sync_client import Client

app = typer.Typer(help="Start workflows again and again.", no_args_is_help=True, rich_markup_mode=None)

Which = Annotated[str, typer.Argument(metavar="SCHEDULE", help="Its name or id: omium schedules list.")]


@app.command("create")
@for_server
def create(
    common: Common,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the schedule is called.")],
    workflow: Annotated[str, typer.Option("--workflow", metavar="NAME", help="What it starts.")],
    cron: Annotated[
        str,
        typer.Option("--cron", metavar="CRON", help="Minute, hour, day, month, weekday: '0 9 * * MON-FRI'."),
    ],
    timezone: Annotated[
        str, typer.Option("--timezone", metavar="ZONE", help="Whose clock, such as Europe/Berlin.")
    ] = "UTC",
    pairs: Annotated[
        list[str] | None, typer.Option("-i", "--input", metavar="NAME=VALUE", help="An input; repeatable.")
    ] = None,
    inputs: Annotated[
        str | None, typer.Option("--inputs", metavar="JSON|@FILE", help="All inputs as one JSON object.")
    ] = None,
    missed: Annotated[
        MissedPolicy, typer.Option("--missed", help="Times at which no server ran.")
    ] = MissedPolicy.ONE,
    missed_max: Annotated[
        int, typer.Option("--missed-max", min=1, max=100, help="How many of them with all.")
    ] = 10,
    overlap: Annotated[
        OverlapPolicy, typer.Option("--overlap", help="While the one before still runs.")
    ] = OverlapPolicy.SKIP,
    environment: Annotated[
        Environment | None, typer.Option("--environment", help="Where. [default: the key's]")
    ] = None,
    queue: Annotated[str, typer.Option("--queue", help="In which queue.")] = "default",
) -> None:
    """Start a workflow again and again. It's started by its name, on workers or by the server's engine.

    \b
    omium schedules create morning --workflow report --cron '0 9 * * MON-FRI' --timezone Europe/Berlin
    omium schedules create sync --workflow sync --cron '*/15 * * * *' -i full=false --overlap queue
    """
    from omium.models.schedules import CreateSchedule

    command = CreateSchedule(
        name=name,
        workflow=workflow,
        cron=cron,
        timezone=timezone,
        input=read_inputs(pairs or [], inputs),
        missed=missed,
        missed_max=missed_max,
        overlap=overlap,
        environment=environment,
        queue=queue,
    )
    with common.client() as client:
        _tell(common, client.create_schedule(command))


@app.command("list")
@for_server
def list_schedules(common: Common) -> None:
    """List schedules with their next times.

    \b
    omium schedules list
    """
    with common.client() as client:
        found = list(client.each(client.list_schedules))
    if common.output.as_json:
        common.output.json(found)
        return
    common.output.table(
        [
            Column("NAME", lambda s: s.name, give="cut"),
            Column("STATUS", lambda s: state(s.status, s.note[:40])),
            Column("WORKFLOW", lambda s: s.workflow, give="cut"),
            Column("CRON", lambda s: f"{s.cron} {s.timezone}"),
            Column("NEXT", _next),
            Column("ENVIRONMENT", lambda s: s.environment, spare=1),
            Column("ID", lambda s: s.id, give="id", spare=2),
        ],
        found,
        empty="No schedule yet. Make one: omium schedules create NAME --workflow NAME --cron '0 9 * * *'",
    )


@app.command("show")
@for_server
def show(
    common: Common,
    which: Which,
    limit: Annotated[int, typer.Option("--limit", min=1, max=200, help="How many of its last times.")] = 20,
) -> None:
    """Show a schedule, its next times, and the last ones.

    \b
    omium schedules show morning
    """
    with common.client() as client:
        schedule = client.get_schedule(_find(client, which))
        fires = client.list_schedule_fires(schedule.id, limit=limit).items
    if common.output.as_json:
        common.output.json({**schedule.model_dump(mode="json"), "fires": fires})
        return
    missed = (
        f"{schedule.missed}, up to {schedule.missed_max}" if schedule.missed == "all" else schedule.missed
    )
    common.output.facts(
        [
            ("Schedule", f"{schedule.name} ({schedule.id})"),
            ("Status", state(schedule.status, schedule.note)),
            ("Starts", f"{schedule.workflow}, {schedule.environment}, queue {schedule.queue}"),
            ("When", f"{schedule.cron}, {schedule.timezone}"),
            ("Missed times", missed),
            ("Overlapping", str(schedule.overlap)),
            ("Next", "\n".join(zoned_time(at_us) for at_us in schedule.next_at_us) or None),
        ]
    )
    common.output.heading("Last times")
    show_fires(common, fires, empty="It has not come to start anything yet.")


@app.command("pause")
@for_server
def pause(common: Common, which: Which) -> None:
    """Pause a schedule. What it has started goes on.

    \b
    omium schedules pause morning
    """
    with common.client() as client:
        _tell(common, client.pause_schedule(_find(client, which)))


@app.command("resume")
@for_server
def resume(common: Common, which: Which) -> None:
    """Let a paused schedule go on. It goes on with its next time; nothing is made up for.

    \b
    omium schedules resume morning
    """
    with common.client() as client:
        _tell(common, client.resume_schedule(_find(client, which)))


@app.command("run-now")
@for_server
def run_now(common: Common, which: Which) -> None:
    """Start a schedule's workflow at once. Its times stay as they are.

    \b
    omium schedules run-now morning
    """
    with common.client() as client:
        fire = client.run_schedule(_find(client, which))
    if common.output.as_json:
        common.output.json(fire)
    elif fire.execution_id is not None:
        common.output.show(fire.execution_id)
    else:
        typer.echo(safe_text(f"omium: It was refused ({fire.code}): {fire.detail}"), err=True)
    if fire.execution_id is None:
        raise typer.Exit(FAILED)


@app.command("delete")
@for_server
def delete(common: Common, which: Which, yes: Yes = False) -> None:
    """Delete a schedule. What it has started goes on.

    \b
    omium schedules delete morning --yes
    """
    with common.client() as client:
        schedule_id = _find(client, which)
        common.output.confirm(f"Delete the schedule {which}?", yes=yes)
        client.delete_schedule(schedule_id)
    if common.output.as_json:
        common.output.json({"deleted": schedule_id})
    else:
        common.output.say(f"{which} is deleted.")


def _find(client: Client, given: str) -> str:
    listed: Iterator[Schedule] = client.each(client.list_schedules)
    return find_named(given, "sc", listed, "schedule")


def _next(schedule: Schedule) -> str:
    return zoned_time(schedule.next_at_us[0]) if schedule.next_at_us else "-"


def _tell(common: Common, schedule: Schedule) -> None:
    if common.output.as_json:
        common.output.json(schedule)
        return
    next_time = f"next at {_next(schedule)}" if schedule.next_at_us else "until it's resumed"
    common.output.say(f"{schedule.name} ({schedule.id}) is {schedule.status}, {next_time}.")
