"""`omium failures list|show|replay|ignore|resolve`: the inbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from omium.cli.cells import state
from omium.cli.context import Common, for_server
from omium.cli.executions import show_executions
from omium.cli.ids import FailureId, find_failure_id
from omium.cli.options import Yes
from omium.cli.output import Output
from omium.cli.spans import parse_span_s
from omium.cli.table import Column
from omium.states import FailureStatus
from omium.words import ago, count, iso_time, now_us, span

if TYPE_CHECKING:
    from omium.models.failure import FailureDetail, ReplayBatch

app = typer.Typer(help="Work through the failure inbox.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
@for_server
def list_failures(
    common: Common,
    status: Annotated[FailureStatus, typer.Option("--status", help="Only those.")] = FailureStatus.OPEN,
    every: Annotated[bool, typer.Option("--all", help="Those of every status.")] = False,
    workflow: Annotated[str | None, typer.Option("--workflow", help="Only those of this workflow.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many, newest first.")] = 20,
    after: Annotated[str | None, typer.Option(help="Go on after the page that named this cursor.")] = None,
) -> None:
    """List failures in groups. One line for everything that failed in the same way.

    \b
    omium failures list
    omium failures list --all
    omium failures list --status ignored --json
    """
    with common.client() as client:
        page = client.list_failures(
            status=None if every else status, workflow=workflow, limit=limit, after=after
        )
    at_us = now_us()
    if common.output.as_json:
        common.output.json(
            [
                item.model_dump(mode="json")
                | {"first_seen": iso_time(item.first_seen_at_us), "last_seen": iso_time(item.last_seen_at_us)}
                for item in page.items
            ]
        )
    else:
        common.output.table(
            [
                Column("FAILURE", lambda f: f.id, give="id"),
                Column("STATUS", lambda f: state(f.status.value), spare=3),
                Column("WORKFLOW", lambda f: f.workflow, give="cut", width_min=10, spare=1),
                Column("STEP", lambda f: f.step or "-", give="cut", width_min=8),
                Column("SEEN", lambda f: f"{f.count:,}", align="right"),
                Column("LAST", lambda f: ago(f.last_seen_at_us, at_us)),
                Column("WHAT", lambda f: f"{f.error_type}: {f.message}", give="cut", width_min=20),
            ],
            page.items,
            empty=_nothing_listed(None if every else status),
        )
    if page.next is not None:
        common.output.say(f"There are more: --after {page.next}")


def _nothing_listed(status: FailureStatus | None) -> str:
    if status is None:
        return "Nothing has failed yet."
    others = " Others: omium failures list --all" if status is FailureStatus.OPEN else ""
    return f"No {status.value.replace('_', ' ')} failures.{others}"


@app.command("show")
@for_server
def show_failure(common: Common, failure_id: FailureId) -> None:
    """Show what failed, whether a retry is safe, and what to do. Also since when, and what changed.

    \b
    omium failures show fl_01mcc5rm00ngqz8ctbd9ygs3xh
    """
    with common.client() as client:
        detail = client.get_failure(find_failure_id(client, failure_id))
    if common.output.as_json:
        common.output.json(
            detail.model_dump(mode="json")
            | {
                "first_seen": iso_time(detail.first_seen_at_us),
                "last_seen": iso_time(detail.last_seen_at_us),
            }
        )
    else:
        show_failure_detail(common.output, detail)


def show_failure_detail(output: Output, detail: FailureDetail, *, offline: bool = False) -> None:
    """Print what failed, and what to do next, unless `offline`."""
    at_us = now_us()
    changed = detail.changed
    differences = [
        "the code" if changed.code_digest else "",
        "the commit" if changed.git_revision else "",
        "the models" if changed.models else "",
        f"the inputs {', '.join(changed.inputs)}" if changed.inputs else "",
    ]
    seen = f"first {ago(detail.first_seen_at_us, at_us)}, last {ago(detail.last_seen_at_us, at_us)}"
    output.show(detail.sentence, "bold")
    output.facts(
        [
            ("Failure", detail.id),
            ("Status", state(detail.status.value)),
            ("Seen", f"{count(detail.count, 'time')}, {detail.open_count} open; {seen}"),
            ("Cause", "this is the root" if detail.root else _cause(detail)),
            ("Execution", f"{detail.execution.id} ({detail.execution.status.value})"),
            ("Step", detail.step or "-"),
            ("Retry", ("safe: " if detail.retry_safe else "not safe: ") + detail.retry_safe_reason),
            (
                "Changed",
                (", ".join(each for each in differences if each) or "nothing")
                + f" since {changed.since_execution_id}"
                if changed.since_execution_id
                else "this workflow has not completed here yet",
            ),
            ("Replay", None if detail.batch is None else _batch(detail.batch)),
        ]
    )
    if detail.attempts:
        output.heading("Attempts")
        output.table(
            [
                Column("TRY", lambda a: str(a.attempt), align="right"),
                Column("STEP", lambda a: a.key, give="cut", spare=1),
                Column("TOOK", lambda a: span(a.ended_at_us - a.started_at_us), align="right"),
                Column("THEN", lambda a: "gave up" if a.delay_us is None else f"waited {span(a.delay_us)}"),
                Column("WHY", lambda a: str((a.error or {}).get("message", "")), give="fold", width_min=20),
            ],
            detail.attempts,
            empty="",
        )
    if not offline:
        output.say(f"\nNext: {detail.next_action}")


def _batch(batch: ReplayBatch) -> str:
    why = f" ({batch.stopped_reason})" if batch.stopped_reason else ""
    return f"{batch.status}{why}: {batch.launched} launched, {batch.remaining} to go"


def _cause(detail: FailureDetail) -> str:
    return (
        "another failure"
        if detail.cause is None
        else f"{detail.cause.execution_id}, step {detail.cause.key or '-'}"
    )


@app.command("replay")
@for_server
def replay_failure(
    common: Common,
    failure_id: FailureId,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many executions.")] = 50,
    reason: Annotated[str, typer.Option(help="Why; it's kept.")] = "",
    yes: Yes = False,
) -> None:
    """Replay every open execution of a failure. From its failed step; stops if that fails the same way.

    \b
    omium failures replay fl_01mcc5rm00ngqz8ctbd9ygs3xh --limit 10
    """
    from omium.models.failure import ReplayFailure

    with common.client() as client:
        wanted = find_failure_id(client, failure_id)
        if not yes:
            found = client.get_failure(wanted)
            executions = count(min(found.open_count, limit), "execution")
            common.output.confirm(f"Replay {executions} of {found.workflow}?", yes=yes)
        answer = client.replay_failure(wanted, ReplayFailure(limit=limit, reason=reason))
    if common.output.as_json:
        common.output.json(answer)
        return
    show_executions(common.output, answer.executions, empty="Nothing was started.")
    for execution_id, why in answer.skipped.items():
        common.output.warn(f"{execution_id} was left out: {why}")
    if answer.batch is not None and answer.batch.status == "running":
        common.output.say(
            f"The server goes on with the other {answer.remaining}, one after another, and stops if they "
            f"fail the same way. See: omium failures show {wanted}"
        )
    elif answer.remaining:
        common.output.say(f"{answer.remaining} are left; run the command again to go on.")


@app.command("ignore")
@for_server
def ignore_failure(
    common: Common,
    failure_id: FailureId,
    reason: Annotated[str, typer.Option(help="Why; it's kept.", prompt=True)],
    until: Annotated[
        str | None, typer.Option("--until", metavar="SPAN", help="Only for so long: 30m, 12h, 7d.")
    ] = None,
    until_count: Annotated[
        int | None, typer.Option("--until-count", min=1, help="Only for so many more.")
    ] = None,
    until_new_code: Annotated[
        bool, typer.Option("--until-new-code", help="Only until the workflow's code changes.")
    ] = False,
) -> None:
    """Close a failure, for good or until something happens.

    \b
    omium failures ignore fl_01mcc5rm00ngqz8ctbd9ygs3xh --reason "known, fixed on Monday" --until 3d
    """
    from omium.models.failure import IgnoreFailure

    command = IgnoreFailure(
        reason=reason,
        until_us=None if until is None else now_us() + parse_span_s(until) * 1_000_000,
        until_count=until_count,
        until_new_code=until_new_code,
    )
    with common.client() as client:
        failure = client.ignore_failure(find_failure_id(client, failure_id), command)
    if common.output.as_json:
        common.output.json(failure)
    else:
        common.output.say(f"{failure.id} is {failure.status.value}.")


@app.command("resolve")
@for_server
def resolve_failure(
    common: Common,
    failure_id: FailureId,
    reason: Annotated[str, typer.Option(help="What was done; it's kept.")] = "",
) -> None:
    """Close a failure as dealt with. A new occurrence opens it again.

    \b
    omium failures resolve fl_01mcc5rm00ngqz8ctbd9ygs3xh --reason "fixed the parser"
    """
    from omium.models.failure import ResolveFailure

    with common.client() as client:
        failure = client.resolve_failure(find_failure_id(client, failure_id), ResolveFailure(reason=reason))
    if common.output.as_json:
        common.output.json(failure)
    else:
        common.output.say(f"{failure.id} is {failure.status.value}.")
