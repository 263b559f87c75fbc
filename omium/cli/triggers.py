"""`omium triggers create|list|show|rotate|delete`: workflows that start for a webhook, or after others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from omium.cli.automation import find_named, show_fires
from omium.cli.context import Common, for_server
from omium.cli.ending import WrongUse
from omium.cli.inputs import read_value
from omium.cli.options import Yes
from omium.cli.table import Column
from omium.states import EndOutcome, Environment, TriggerKind
from omium.words import local_time

if TYPE_CHECKING:
    from omium.models.schedules import NewTrigger, Trigger
    from omium.sdk.sync_client import Client

app = typer.Typer(
    help="Start workflows for a webhook, or after another one.", no_args_is_help=True, rich_markup_mode=None
)

Which = Annotated[str, typer.Argument(metavar="TRIGGER", help="Its name or id: omium triggers list.")]


@app.command("create")
@for_server
def create(
    common: Common,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the trigger is called.")],
    workflow: Annotated[str, typer.Option("--workflow", metavar="NAME", help="What it starts.")],
    webhook: Annotated[bool, typer.Option("--webhook", help="For a signed webhook that comes in.")] = False,
    after: Annotated[
        str | None, typer.Option("--after", metavar="WORKFLOW", help="When this workflow has ended.")
    ] = None,
    on: Annotated[
        EndOutcome | None, typer.Option("--on", help="After which ends. [default: completed]")
    ] = None,
    inputs: Annotated[
        str | None,
        typer.Option("--inputs", metavar="JSON|@FILE", help='The inputs, with {"$from": "body.…"} in them.'),
    ] = None,
    environment: Annotated[
        Environment | None, typer.Option("--environment", help="Where. [default: the key's]")
    ] = None,
    queue: Annotated[str, typer.Option("--queue", help="In which queue.")] = "default",
) -> None:
    """Start a workflow for a webhook, or after another one. A webhook's secret is shown this once.

    \b
    omium triggers create orders --workflow order --webhook --inputs '{"id": {"$from": "body.id"}}'
    omium triggers create alarm --workflow tell --after report --on failed
    """
    from omium.models.schedules import CreateTrigger

    if webhook == (after is not None):
        raise WrongUse("A trigger follows either --webhook or --after WORKFLOW.")
    command = CreateTrigger(
        name=name,
        kind=TriggerKind.WEBHOOK if webhook else TriggerKind.AFTER,
        workflow=workflow,
        inputs=None if inputs is None else read_value(inputs),
        after_workflow=after,
        outcome=on,
        environment=environment,
        queue=queue,
    )
    with common.client() as client:
        made = client.create_trigger(command)
        _tell(common, client, made)


@app.command("list")
@for_server
def list_triggers(common: Common) -> None:
    """List triggers.

    \b
    omium triggers list
    """
    with common.client() as client:
        found = list(client.each(client.list_triggers))
    if common.output.as_json:
        common.output.json(found)
        return
    common.output.table(
        [
            Column("NAME", lambda t: t.name, give="cut"),
            Column("FOR", _cause, give="cut", width_min=20),
            Column("STARTS", lambda t: t.workflow, give="cut"),
            Column("ENVIRONMENT", lambda t: t.environment, spare=1),
            Column("ID", lambda t: t.id, give="id", spare=2),
        ],
        found,
        empty="No trigger yet. Make one: omium triggers create NAME --workflow NAME --webhook",
    )


@app.command("show")
@for_server
def show(
    common: Common,
    which: Which,
    limit: Annotated[int, typer.Option("--limit", min=1, max=200, help="How many of its last times.")] = 20,
) -> None:
    """Show a trigger, and what became of its last times.

    \b
    omium triggers show orders
    """
    with common.client() as client:
        trigger = client.get_trigger(_find(client, which))
        fires = client.list_trigger_fires(trigger.id, limit=limit).items
    if common.output.as_json:
        common.output.json({**trigger.model_dump(mode="json"), "fires": fires})
        return
    common.output.facts(
        [
            ("Trigger", f"{trigger.name} ({trigger.id})"),
            ("For", _cause(trigger)),
            ("Starts", f"{trigger.workflow}, {trigger.environment}, queue {trigger.queue}"),
            ("Made", f"{local_time(trigger.created_at_us)} by {trigger.created_by}"),
        ]
    )
    common.output.heading("Last times")
    show_fires(common, fires, empty="It has not come to start anything yet.")


@app.command("rotate")
@for_server
def rotate(common: Common, which: Which) -> None:
    """Give a webhook's trigger another secret. The former one is good for a day more.

    \b
    omium triggers rotate orders
    """
    with common.client() as client:
        _tell(common, client, client.rotate_trigger(_find(client, which)))


@app.command("delete")
@for_server
def delete(common: Common, which: Which, yes: Yes = False) -> None:
    """Delete a trigger. What it has started goes on.

    \b
    omium triggers delete orders --yes
    """
    with common.client() as client:
        trigger_id = _find(client, which)
        common.output.confirm(f"Delete the trigger {which}?", yes=yes)
        client.delete_trigger(trigger_id)
    if common.output.as_json:
        common.output.json({"deleted": trigger_id})
    else:
        common.output.say(f"{which} is deleted.")


def _find(client: Client, given: str) -> str:
    listed: Iterator[Trigger] = client.each(client.list_triggers)
    return find_named(given, "tr", listed, "trigger")


def _cause(trigger: Trigger) -> str:
    if trigger.path is not None:
        return f"POST {trigger.path}"
    return f"{trigger.after_workflow} is {'over' if trigger.outcome == 'any' else trigger.outcome}"


def _tell(common: Common, client: Client, made: NewTrigger) -> None:
    if common.output.as_json:
        common.output.json(made)
        return
    if made.signing_secret is not None:
        common.output.show(made.signing_secret)
        common.output.say(f"That is the only time that the signing secret of {made.id} is shown.")
        common.output.say(f"{made.name} waits for POST {client.settings.base_url}{made.path}")
    else:
        common.output.say(f"{made.name} ({made.id}) starts {made.workflow} when {_cause(made)}.")
