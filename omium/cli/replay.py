"""`omium replay`: a new execution from another one's recorded steps; the plan is always shown first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from omium.cli.cells import state
from omium.cli.context import Common, for_server
from omium.cli.detail import show_detail
from omium.cli.here import run_here
from omium.cli.ids import ExecutionId, find_execution_id
from omium.cli.inputs import read_pair
from omium.cli.options import Here, Reason, Target, Yes
from omium.cli.output import Output
from omium.cli.resume import agrees, who_goes_on
from omium.cli.steps import find_step_key
from omium.cli.table import Column
from omium.cli.waiting import wait_for_end
from omium.cli.worker import end_as
from omium.errors import ConfigError
from omium.money import format_credits
from omium.states import Runner
from omium.words import span

if TYPE_CHECKING:
    from omium.models.replay import Edit, PlannedStep, ReplayPlan
    from omium.sdk.sync_client import Client


@for_server
def replay(
    common: Common,
    execution_id: ExecutionId,
    from_step: Annotated[
        str | None, typer.Option("--from", metavar="STEP", help="Run again from this step on. [default: all]")
    ] = None,
    edit_input: Annotated[
        list[str] | None, typer.Option("--edit-input", metavar="KEY=VALUE", help="Change an argument.")
    ] = None,
    edit_output: Annotated[
        list[str] | None,
        typer.Option("--edit-output", metavar="STEP=VALUE", help="Take this as the step's result."),
    ] = None,
    edit_state: Annotated[
        list[str] | None,
        typer.Option("--edit-state", metavar="CHECKPOINT=VALUE", help="Change a saved state."),
    ] = None,
    version: Annotated[
        int | None, typer.Option("--version", metavar="N", min=1, help="Run it on this version of its spec.")
    ] = None,
    plan_only: Annotated[bool, typer.Option("--plan", help="Only show what would happen.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until a worker has run it.")] = False,
    reason: Reason = "",
    here: Here = False,
    target: Target = None,
    yes: Yes = False,
) -> None:
    """Run an execution anew, with edits; shows the plan first. It becomes another execution.

    Values are JSON (also @file.json), or text. The source stays as it is. A step is its key, its name, or a
    part that no other has.

    \b
    omium replay last --from publish
    omium replay ex_01mcc5rm00ngqz8ctbd9ygs3xh --edit-output 'plan={"date": "2026-12-01"}' --here
    omium replay ex_01mcc5rm00ngqz8ctbd9ygs3xh --from publish --plan
    omium replay last --version 3
    """
    from omium.models.replay import PlanReplay, ReplayExecution

    with common.client() as client:
        source = find_execution_id(client, execution_id)
        first = None if from_step is None else find_step_key(client, source, from_step)
        edits = [
            *_edits("input", "--edit-input", edit_input or [], reason),
            *_edits("output", "--edit-output", edit_output or [], reason, client, source),
            *_edits("state", "--edit-state", edit_state or [], reason),
        ]
        plan = client.plan_replay(source, PlanReplay(from_step=first, edits=edits, version=version))
        if plan_only and common.output.as_json:
            common.output.json(plan)
            return
        if not common.output.as_json:
            show_plan(common.output, plan)
        if plan_only:
            return
        if plan.blocked:
            raise ConfigError(
                f"Of these steps {plan.blocked} cannot go on before a decision, so nothing was started. "
                f"See: omium executions effects {source}"
            )
        if common.output.interactive:
            common.output.confirm("Start this replay?", yes=yes, default=True)
        command = ReplayExecution(
            from_step=first, edits=edits, version=version, plan_token=plan.token, reason=reason
        )
        started = client.replay_execution(source, command).execution
        go_on(common, client, started.id, plan.runner, here=here, target=target, yes=yes, wait=wait)


def go_on(
    common: Common,
    client: Client,
    started_id: str,
    runner: Runner,
    *,
    here: bool,
    target: str | None,
    yes: bool,
    wait: bool,
) -> None:
    """Run a new execution here, wait for the worker that runs it, or say who will."""
    detail = client.get_execution(started_id)
    asked = runner is Runner.NONE and common.output.interactive
    if here or target or (asked and agrees(common.output, detail, yes=yes)):
        common.output.say(f"Replay {started_id}")
        common.use_here()
        run_here(common.output, client, detail, target)
        return
    if wait:
        detail = wait_for_end(common.output, client, started_id)
    if common.output.as_json:
        common.output.json(detail)
    elif wait:
        show_detail(common.output, detail)
    else:
        common.output.say(f"Replay {started_id} is {detail.status.value}: {who_goes_on(runner)}")
    if wait:
        end_as(detail)


def _edits(
    kind: str, flag: str, pairs: list[str], reason: str, client: Client | None = None, source: str = ""
) -> list[Edit]:
    from omium.models.replay import Edit

    edits = []
    for pair in pairs:
        path, value = read_pair(pair, flag)
        if client is not None:
            path = find_step_key(client, source, path)
        edits.append(Edit.model_validate({"target": kind, "path": path, "value": value, "reason": reason}))
    return edits


def show_plan(output: Output, plan: ReplayPlan) -> None:
    """Print what a replay would do, step by step."""
    output.show(f"Plan: {plan.reuse} reused, {plan.rerun} run again, {plan.blocked} blocked", "bold")
    output.table(
        [
            Column("STEP", lambda s: s.path, give="cut", width_min=16),
            Column("THEN", lambda s: state(s.disposition, _plan_note(s))),
            Column("TOOK", lambda s: span(s.spent_us), align="right", spare=1),
            Column("CREDITS", _plan_credits, align="right", spare=3),
            Column("WHY", lambda s: s.reason, give="fold", width_min=20, spare=2),
        ],
        plan.steps,
        empty="The source recorded no step; everything runs.",
    )
    if plan.estimated_microcredits is not None:
        credits_ = format_credits(plan.estimated_microcredits)
        output.show(f"It will cost {credits_} credits, if what runs again costs as the last time.")
    if not plan.exact and plan.version is not None:
        output.say("A node that takes the same input as before after all is reused, and not run again.")
    elif not plan.exact:
        output.say("A forecast: the workflow is code, and what it calls next is its own decision.")


def _plan_credits(step: PlannedStep) -> str:
    """Return what the step will cost, or nothing on a server that does not meter."""
    return "-" if step.estimated_microcredits is None else format_credits(step.estimated_microcredits)


def _plan_note(step: PlannedStep) -> str:
    return ", ".join(
        note for note in ("edited" if step.edited else "", "effect" if step.effect else "") if note
    )
