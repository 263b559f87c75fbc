"""`omium executions list|show|events|checkpoints|diff`: looking at what ran."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Final

import typer

from omium.cli.cells import Cell, state
from omium.cli.context import Common, for_server
from omium.cli.detail import show_detail, took
from omium.cli.following import follow_events, until_interrupted
from omium.cli.ids import ExecutionId, find_execution_id
from omium.cli.output import Output, width_of_stdout
from omium.cli.recorded import with_whole_outputs
from omium.cli.table import Column
from omium.states import ExecutionStatus
from omium.words import ago, local_time, now_us, size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from omium.models.execution import Event, Execution

NARROW: Final = 80

app = typer.Typer(
    help="Look at executions, and what happened in them.", no_args_is_help=True, rich_markup_mode=None
)


@app.command("list")
@for_server
def list_executions(
    common: Common,
    status: Annotated[
        ExecutionStatus | None, typer.Option("--status", help="Only those that stand like this.")
    ] = None,
    workflow: Annotated[str | None, typer.Option("--workflow", help="Only those of this workflow.")] = None,
    tag: Annotated[str | None, typer.Option("--tag", help="Only those with this tag.")] = None,
    key: Annotated[
        str | None, typer.Option("--key", metavar="KEY", help="Only those with this business key.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many, newest first.")] = 20,
    after: Annotated[str | None, typer.Option(help="Go on after the page that named this cursor.")] = None,
) -> None:
    """List executions, newest first.

    \b
    omium executions list --status failed
    omium executions list --workflow report --json
    omium executions list --tag nightly --key order-4711
    """
    with common.client() as client:
        page = client.list_executions(
            status=status, workflow=workflow, tag=tag, business_key=key, limit=limit, after=after
        )
    if common.output.as_json:
        common.output.json(page.items)
    else:
        if status or workflow or tag or key or after:
            empty = "No executions fit. See all: omium executions list"
        else:
            empty = "No executions yet. Call a function under @omium.workflow, or: omium run NAME"
        show_executions(common.output, page.items, empty=empty)
    if page.next is not None:
        common.output.say(f"There are more: --after {page.next}")


def show_executions(output: Output, executions: Sequence[Execution], *, empty: str) -> None:
    """Print executions as a table; `empty` is said where there is none."""
    at_us = now_us()
    output.table(
        [
            Column("EXECUTION", lambda e: e.id, give="id"),
            Column("WORKFLOW", lambda e: e.workflow, give="cut", width_min=10),
            Column(
                "STATUS", lambda e: state(e.status.value, "cancelling" if e.cancelling else e.reason or "")
            ),
            Column("STEPS", lambda e: str(e.steps_completed), align="right", spare=1),
            Column("TOOK", lambda e: took(e, at_us), align="right", spare=2),
            Column("STARTED", lambda e: ago(e.started_at_us or e.created_at_us, at_us)),
        ],
        executions,
        empty=empty,
    )


@app.command("show")
@for_server
def show_execution(common: Common, execution_id: ExecutionId) -> None:
    """Show one execution: its steps, input, output and error. Also its usage, and what to do next.

    \b
    omium executions show last
    omium executions show ex_01mcc5rm00ngqz8ctbd9ygs3xh --json
    """
    with common.client() as client:
        detail = client.get_execution(find_execution_id(client, execution_id))
        steps = list(detail.steps)
        after = detail.steps_next
        while common.output.as_json and after is not None:  # a script gets all of it, a person a page
            page = client.list_steps(detail.id, limit=200, after=after)
            steps += page.items
            after = page.next
        if common.output.as_json:
            steps = with_whole_outputs(client, detail.id, steps)
        waits = not common.output.as_json and detail.reason == "effect"
        effects = list(client.each(client.list_effects, detail.id, limit=200)) if waits else []
    if common.output.as_json:
        common.output.json(detail.model_dump(mode="json") | {"steps": steps, "steps_next": after})
    else:
        show_detail(common.output, detail, effects)


@app.command("events")
@for_server
def show_events(
    common: Common,
    execution_id: ExecutionId,
    after: Annotated[int, typer.Option(help="Only events after this number.")] = 0,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the execution ends.")] = False,
) -> None:
    """Show what happened to an execution, in order. With --json, one object per line.

    \b
    omium executions events last
    omium executions events ex_01mcc5rm00ngqz8ctbd9ygs3xh --follow
    """
    with common.client() as client:
        wanted = find_execution_id(client, execution_id)
        if follow:
            with until_interrupted():
                for event in follow_events(common.output, client, wanted, after=after):
                    show_event(common.output, event)
            return
        for event in client.each(client.list_events, wanted, limit=200):
            if event.seq > after:
                show_event(common.output, event)


def show_event(output: Output, event: Event) -> None:
    """Print an event on a line."""
    if output.as_json:
        output.json_line(event)
        return
    data = event.data if isinstance(event.data, dict) else {}
    known = [f"{name}={_short(part)}" for name, part in data.items() if part not in (None, "", 0, False)]
    narrow = (width_of_stdout() or NARROW) < NARROW
    at = Cell(
        local_time(event.at_us)[11 if narrow else 0 :], "dim"
    )  # there the day gives way to what happened
    output.line(
        [f"{event.seq:>5}", at, Cell(event.type if narrow else f"{event.type:<22}"), "  ".join(known)],
        cut=True,
    )


def _short(part: object) -> str:
    return part if isinstance(part, str) else json.dumps(part, ensure_ascii=False)


@app.command("checkpoints")
@for_server
def list_checkpoints(common: Common, execution_id: ExecutionId) -> None:
    """List the states that an execution saved. That is what `checkpoint(name, state)` kept.

    \b
    omium executions checkpoints last
    omium executions checkpoints ex_01mcc5rm00ngqz8ctbd9ygs3xh --json
    """
    with common.client() as client:
        found = list(client.each(client.list_checkpoints, find_execution_id(client, execution_id), limit=200))
    if common.output.as_json:
        common.output.json(found)
        return
    at_us = now_us()
    common.output.table(
        [
            Column("CHECKPOINT", lambda c: c.name, give="cut"),
            Column("EVENT", lambda c: str(c.seq), align="right"),
            Column("IN STEP", lambda c: c.key or "-", give="cut", spare=1),
            Column("SIZE", lambda c: size(c.state_size_bytes), align="right"),
            Column("SAVED", lambda c: ago(c.created_at_us, at_us)),
            Column("", lambda c: "superseded" if c.superseded_seq is not None else "", spare=2),
        ],
        found,
        empty="It saved no state. Steps are recorded anyway: omium executions show ID",
    )
