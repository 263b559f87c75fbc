"""`omium executions list|show|events`, `omium logs`: looking at what ran."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from omium.cli.context import make_common
from omium.cli.options import AsJson, BaseUrl, NoColor, ProfileName, Quiet
from omium.cli.output import Column, Output, ago, size, span, state, value
from omium.safetext import safe_text
from omium.states import EventType, ExecutionStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from omium.models.execution import Event, Execution, ExecutionDetail, Step

_ENDINGS = {EventType.EXECUTION_COMPLETED, EventType.EXECUTION_FAILED, EventType.EXECUTION_CANCELLED}

app = typer.Typer(help="Look at executions: list, show, events.", no_args_is_help=True)

ExecutionId = Annotated[str, typer.Argument(metavar="ID", help="The execution's id (ex_…).")]


def now_us() -> int:
    """Return the wall clock, for relative times."""
    return time.time_ns() // 1000


@app.command("list")
def list_executions(
    status: Annotated[
        ExecutionStatus | None, typer.Option("--status", help="Only those that stand like this.")
    ] = None,
    workflow: Annotated[str | None, typer.Option("--workflow", help="Only those of this workflow.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many, newest first.")] = 20,
    after: Annotated[str | None, typer.Option(help="Go on after the page that named this cursor.")] = None,
    base_url: BaseUrl = None,
    profile: ProfileName = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """List executions, newest first.

    \b
    omium executions list --status failed
    omium executions list --workflow report --json
    """
    common = make_common(base_url, profile, as_json=as_json, quiet=quiet, no_color=no_color)
    with common.client() as client:
        page = client.list_executions(status=status, workflow=workflow, limit=limit, after=after)
    if as_json:
        common.output.json(page.items)
    else:
        show_executions(common.output, page.items)
    if page.next is not None:
        common.output.say(f"There are more: --after {page.next}")


def show_executions(output: Output, executions: Sequence[Execution]) -> None:
    """Print executions as a table."""
    at_us = now_us()
    output.table(
        [
            Column("EXECUTION", lambda e: e.id),
            Column("WORKFLOW", lambda e: e.workflow),
            Column(
                "STATUS", lambda e: state(e.status.value, "cancelling" if e.cancelling else e.reason or "")
            ),
            Column("STEPS", lambda e: str(e.steps_completed), align="right"),
            Column("TOOK", lambda e: _took(e, at_us), align="right"),
            Column("STARTED", lambda e: ago(e.started_at_us or e.created_at_us, at_us)),
        ],
        executions,
        empty="No executions here yet. Call a function under @omium.workflow, or try: omium run NAME",
    )


def _took(execution: Execution, at_us: int) -> str:
    if execution.started_at_us is None:
        return "-"
    return span((execution.ended_at_us or at_us) - execution.started_at_us)


@app.command("show")
def show_execution(
    execution_id: ExecutionId,
    base_url: BaseUrl = None,
    profile: ProfileName = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Show one execution: its steps, input, output, error, usage, and who would go on with it.

    \b
    omium executions show ex_01mcc5rm00ngqz8ctbd9ygs3xh
    omium executions show ex_01mcc5rm00ngqz8ctbd9ygs3xh --json
    """
    common = make_common(base_url, profile, as_json=as_json, quiet=quiet, no_color=no_color)
    with common.client() as client:
        detail = client.get_execution(execution_id)
        steps = list(detail.steps)
        after = detail.steps_next
        while as_json and after is not None:  # a script gets all of it, a person a page
            page = client.list_steps(execution_id, limit=200, after=after)
            steps += page.items
            after = page.next
    if as_json:
        common.output.json(detail.model_dump(mode="json") | {"steps": steps, "steps_next": after})
        return
    _show_detail(common.output, detail, steps)


def _show_detail(output: Output, detail: ExecutionDetail, steps: Sequence[Step]) -> None:
    at_us = now_us()
    usage = detail.usage
    output.facts(
        [
            ("Execution", detail.id),
            ("Workflow", f"{detail.workflow} ({detail.environment})"),
            (
                "Status",
                state(detail.status.value, "cancelling" if detail.cancelling else detail.reason or ""),
            ),
            ("Started", f"{ago(detail.started_at_us, at_us)}, attempt {detail.attempt}"),
            ("Took", _took(detail, at_us)),
            ("Replay of", detail.replay_of),
            ("Parent", detail.parent_id),
            ("Replays", ", ".join(detail.replays) or None),
            ("Children", ", ".join(detail.children) or None),
            ("Running", ", ".join(detail.running_steps) or None),
            ("Interruptions", str(detail.interruptions) if detail.interruptions else None),
            (
                "Usage",
                f"{usage.calls} calls, {usage.input_tokens} tokens in, {usage.output_tokens} out"
                if usage.calls
                else None,
            ),
        ]
    )
    if steps:
        output.heading("Steps")
        show_steps(output, steps)
        if detail.steps_next is not None:
            output.say("More steps: --json prints all of them.")
    for name, recorded in (("Input", detail.input), ("Output", detail.output), ("Error", detail.error)):
        if recorded not in (None, {}):
            output.heading(name)
            output.show(Text(_error_text(recorded) if name == "Error" else value(recorded)))
    _say_next(output, detail)


def _error_text(error: object) -> str:
    if not isinstance(error, dict):
        return value(error)
    head = f"{error.get('type', 'Error')}: {error.get('message', '')}"
    frames = error.get("frames")
    lines = [
        f"  {frame.get('file')}:{frame.get('line')} in {frame.get('function')}"
        for frame in (frames if isinstance(frames, list) else [])
        if isinstance(frame, dict)
    ]
    return safe_text("\n".join([head, *lines[-8:]]), keep_newlines=True)


def _say_next(output: Output, detail: ExecutionDetail) -> None:
    match detail.status:
        case ExecutionStatus.FAILED | ExecutionStatus.PAUSED:
            output.say(f"\nGo on: omium resume {detail.id}    Anew: omium replay {detail.id} --from STEP")
        case ExecutionStatus.WAITING:
            output.say(f"\nIt waits ({detail.reason}). Go on now: omium resume {detail.id}")
        case _:
            pass


def show_steps(output: Output, steps: Sequence[Step]) -> None:
    """Print steps as a table, indented as they are nested."""
    output.table(
        [
            Column("STEP", lambda s: "  " * s.key.count("/") + s.key.rpartition("/")[2], wrap=True),
            Column("STATUS", lambda s: state(s.status.value, _step_note(s))),
            Column("TRIES", lambda s: str(s.attempt), align="right"),
            Column("TOOK", lambda s: span(s.ended_at_us - s.started_at_us), align="right"),
            Column(
                "OUTPUT",
                lambda s: "[sealed]" if s.output_sealed else size(s.output_size_bytes),
                align="right",
            ),
        ],
        steps,
        empty="No steps are recorded.",
    )


def _step_note(step: Step) -> str:
    notes = [
        "superseded" if step.superseded_seq is not None else "",
        "reused" if step.reused_from else "",
        "patched" if step.edited_by else "",
        f"effect {step.effect_state}" if step.effect_state else "",
    ]
    return ", ".join(note for note in notes if note)


@app.command("events")
def show_events(
    execution_id: ExecutionId,
    after: Annotated[int, typer.Option(help="Only events after this number.")] = 0,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the execution ends.")] = False,
    base_url: BaseUrl = None,
    profile: ProfileName = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Show what happened to an execution, in order.

    \b
    omium executions events ex_01mcc5rm00ngqz8ctbd9ygs3xh
    omium executions events ex_01mcc5rm00ngqz8ctbd9ygs3xh --follow
    """
    common = make_common(base_url, profile, as_json=as_json, quiet=quiet, no_color=no_color)
    with common.client() as client:
        seen, ended = after, False
        while not ended:
            page = client.list_events(execution_id, after=str(seen), limit=200)
            for event in page.items:
                seen = event.seq
                _show_event(common.output, event)
            if page.next is None and not follow:
                return
            if page.next is None:
                ended = client.get_execution(execution_id).status.value in (
                    "completed",
                    "failed",
                    "cancelled",
                )
                time.sleep(0 if ended else 1)


def _show_event(output: Output, event: Event) -> None:
    if output.as_json:
        output.json(event)
        return
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(event.at_us / 1_000_000))
    data = "" if event.data in (None, {}) else "  " + value(event.data, length_max=200).replace("\n", " ")
    output.show(Text(f"{event.seq:>5}  {at}  {event.type}{data}"))


def show_logs(
    execution_id: ExecutionId,
    step: Annotated[str | None, typer.Option("--step", help="Only what this step wrote.")] = None,
    base_url: BaseUrl = None,
    profile: ProfileName = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Show what the steps of an execution printed and logged.

    \b
    omium logs ex_01mcc5rm00ngqz8ctbd9ygs3xh
    omium logs ex_01mcc5rm00ngqz8ctbd9ygs3xh --step write --json
    """
    common = make_common(base_url, profile, as_json=as_json, quiet=quiet, no_color=no_color)
    with common.client() as client:
        lines = [
            line
            for line in client.each(client.list_logs, execution_id, limit=200)
            if step is None or line.key == step
        ]
    if as_json:
        common.output.json(lines)
        return
    if not lines:
        common.output.say(
            "Nothing was captured. Steps' prints and logging are kept unless omium.init(capture=False)."
        )
    for line in lines:
        at = time.strftime("%H:%M:%S", time.localtime(line.at_us / 1_000_000))
        common.output.show(Text(f"{at}  {safe_text(line.key)}  {line.stream}  {safe_text(line.text)}"))
