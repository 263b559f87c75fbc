"""`omium resume|replay|rollback|cancel`: what a person does about an execution."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from omium.cli.context import Common, make_common
from omium.cli.executions import ExecutionId
from omium.cli.inputs import read_pair
from omium.cli.options import AsJson, BaseUrl, NoColor, ProfileName, Quiet, Yes
from omium.cli.output import Column, Output, span, state
from omium.cli.worker import run_here
from omium.errors import ConfigError
from omium.states import ExecutionStatus, Runner

if TYPE_CHECKING:
    from omium.models.replay import Edit, PlannedStep, ReplayPlan, RollbackPlan
    from omium.sdk.sync_client import Client

Target = Annotated[
    str | None,
    typer.Option("--target", metavar="PATH.py[:OBJECT]", help="Run it here, with this code."),
]
Here = Annotated[bool, typer.Option("--here", help="Run it in this process, with the code that started it.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it's kept.")]


def resume(
    execution_id: ExecutionId,
    here: Here = False,
    target: Target = None,
    base_url: BaseUrl = None,
    profile: ProfileName = None,
    as_json: AsJson = False,
    yes: Yes = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Go on with an execution, keeping every recorded step.

    A worker goes on with it; where none serves its workflow, this asks whether to run it here.

    \b
    omium resume ex_01mcc5rm00ngqz8ctbd9ygs3xh
    omium resume ex_01mcc5rm00ngqz8ctbd9ygs3xh --here
    omium resume ex_01mcc5rm00ngqz8ctbd9ygs3xh --target my_agents.py:report
    """
    from omium.models.execution import ResumeAnswer

    common = make_common(base_url, profile, as_json=as_json, quiet=quiet, no_color=no_color)
    with common.client() as client:
        detail = client.get_execution(execution_id)
        if here or target or (detail.runner.runner is Runner.NONE and _agrees(detail.workflow, yes=yes)):
            _use_same_server(common)
            run_here(common.output, detail, target)
            return
        answer = client.resume_execution(execution_id)
    if as_json:
        common.output.json(answer)
        return
    assert isinstance(answer, ResumeAnswer), "without a process to grant it to, it is queued"
    status = answer.execution.status
    common.output.say(f"{execution_id} is {status.value}: " + _who(Runner(answer.runner)))


def _use_same_server(common: Common) -> None:
    """Let the code that runs here use the server that the flags name."""
    import omium

    omium.init(base_url=common.base_url, profile=common.profile)


def _agrees(workflow: str, *, yes: bool) -> bool:
    if yes:
        return True
    if not sys.stdin.isatty():
        raise ConfigError(
            f"No worker serves {workflow}. Start one (omium worker path.py:{workflow}), or add --here."
        )
    return typer.confirm(f"No worker serves {workflow}. Run it here?", default=True, err=True)


def _who(runner: Runner) -> str:
    if runner is Runner.NONE:
        return "no worker serves it yet. Start one: omium worker path.py"
    return "a worker goes on with it." if runner is Runner.WORKER else "the engine goes on with it."


def replay(
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
    plan_only: Annotated[bool, typer.Option("--plan", help="Only show what would happen.")] = False,
    reason: Reason = "",
    here: Here = False,
    target: Target = None,
    base_url: BaseUrl = None,
    profile: ProfileName = None,
    as_json: AsJson = False,
    yes: Yes = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Run an execution anew, as another one, from a step on and with edits; shows the plan first.

    Values are JSON (also @file.json), or text. The source stays as it is.

    \b
    omium replay ex_01mcc5rm00ngqz8ctbd9ygs3xh --from publish
    omium replay ex_01mcc5rm00ngqz8ctbd9ygs3xh --edit-output 'plan={"date": "2026-12-01"}' --here
    omium replay ex_01mcc5rm00ngqz8ctbd9ygs3xh --from publish --plan
    """
    from omium.models.replay import PlanReplay, ReplayExecution

    common = make_common(base_url, profile, as_json=as_json, quiet=quiet, no_color=no_color)
    edits = _edits(edit_input or [], edit_output or [], edit_state or [], reason)
    with common.client() as client:
        plan = client.plan_replay(execution_id, PlanReplay(from_step=from_step, edits=edits))
        if plan_only and as_json:
            common.output.json(plan)
            return
        if not as_json:
            show_plan(common.output, plan)
        if plan_only:
            return
        if plan.blocked:
            raise ConfigError(
                f"{plan.blocked} steps are blocked, so nothing was started. Decide their effects first: "
                f"omium executions show {execution_id}"
            )
        if not yes and sys.stdin.isatty():
            typer.confirm("Start this replay?", default=True, abort=True, err=True)
        command = ReplayExecution(from_step=from_step, edits=edits, plan_token=plan.token, reason=reason)
        started = client.replay_execution(execution_id, command).execution
        _go_on(common, client, started.id, plan, here=here, target=target, yes=yes)


def _go_on(
    common: Common,
    client: Client,
    started_id: str,
    plan: ReplayPlan,
    *,
    here: bool,
    target: str | None,
    yes: bool,
) -> None:
    detail = client.get_execution(started_id)
    if (
        here
        or target
        or (plan.runner is Runner.NONE and sys.stdin.isatty() and _agrees(detail.workflow, yes=yes))
    ):
        common.output.say(f"Replay {started_id}")
        _use_same_server(common)
        run_here(common.output, detail, target)
        return
    if common.output.as_json:
        common.output.json(detail)
    else:
        common.output.say(f"Replay {started_id} is {detail.status.value}: " + _who(plan.runner))


def _edits(inputs: list[str], outputs: list[str], states: list[str], reason: str) -> list[Edit]:
    from omium.models.replay import Edit

    edits = []
    for target, flag, pairs in (
        ("input", "--edit-input", inputs),
        ("output", "--edit-output", outputs),
        ("state", "--edit-state", states),
    ):
        for pair in pairs:
            path, value = read_pair(pair, flag)
            edits.append(
                Edit.model_validate({"target": target, "path": path, "value": value, "reason": reason})
            )
    return edits


def show_plan(output: Output, plan: ReplayPlan) -> None:
    """Print what a replay would do, step by step."""
    output.heading(f"Plan: {plan.reuse} reused, {plan.rerun} run again, {plan.blocked} blocked")
    output.table(
        [
            Column("STEP", lambda s: s.path, wrap=True),
            Column("THEN", lambda s: state(s.disposition, _plan_note(s))),
            Column("COST", lambda s: span(s.spent_us), align="right"),
            Column("WHY", lambda s: s.reason, wrap=True),
        ],
        plan.steps,
        empty="The source recorded no step; everything runs.",
    )
    if not plan.exact:
        output.say("A forecast: the workflow is code, and what it calls next is its own decision.")


def _plan_note(step: PlannedStep) -> str:
    return ", ".join(
        note for note in ("edited" if step.edited else "", "effect" if step.effect else "") if note
    )


def rollback(
    execution_id: ExecutionId,
    to_step: Annotated[
        str | None, typer.Option("--to-step", metavar="STEP", help="Back to before this step.")
    ] = None,
    to_checkpoint: Annotated[
        str | None, typer.Option("--to-checkpoint", metavar="NAME", help="Back to this checkpoint.")
    ] = None,
    to_seq: Annotated[int | None, typer.Option("--to-seq", help="Back to this event.")] = None,
    plan_only: Annotated[bool, typer.Option("--plan", help="Only show what would happen.")] = False,
    reason: Reason = "",
    base_url: BaseUrl = None,
    profile: ProfileName = None,
    as_json: AsJson = False,
    yes: Yes = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Take an execution back: later steps are superseded, their effects compensated; it stays paused.

    \b
    omium rollback ex_01mcc5rm00ngqz8ctbd9ygs3xh --to-step charge --plan
    omium rollback ex_01mcc5rm00ngqz8ctbd9ygs3xh --to-checkpoint reserved
    """
    from omium.models.replay import PlanRollback, RollbackExecution

    if sum(each is not None for each in (to_step, to_checkpoint, to_seq)) != 1:
        raise typer.BadParameter("name one of --to-step, --to-checkpoint, --to-seq")
    common = make_common(base_url, profile, as_json=as_json, quiet=quiet, no_color=no_color)
    with common.client() as client:
        plan = client.plan_rollback(
            execution_id, PlanRollback(to_seq=to_seq, to_step=to_step, to_checkpoint=to_checkpoint)
        )
        if plan_only and as_json:
            common.output.json(plan)
            return
        if not as_json:
            _show_rollback(common.output, plan)
        if plan_only:
            return
        if not yes:
            typer.confirm("Take it back?", abort=True, err=True)
        answer = client.rollback_execution(execution_id, RollbackExecution(to_seq=plan.to_seq, reason=reason))
    if as_json:
        common.output.json(answer)
        return
    common.output.say(
        f"{execution_id} is {answer.execution.status.value} ({answer.execution.reason}). "
        f"Compensations run, and it goes on, with: omium resume {execution_id}"
    )


def _show_rollback(output: Output, plan: RollbackPlan) -> None:
    output.facts(
        [
            ("Back to event", str(plan.to_seq)),
            ("Superseded", ", ".join(plan.superseded_steps) or "nothing"),
            ("Compensated", ", ".join(plan.compensations) or "nothing"),
            ("Stays done", ", ".join(plan.uncompensated) or None),
            ("Children", ", ".join(plan.cancelled_children) or None),
        ]
    )


def cancel(
    execution_id: ExecutionId,
    comment: Annotated[str, typer.Option("--comment", help="Why; it's kept.")] = "",
    base_url: BaseUrl = None,
    profile: ProfileName = None,
    as_json: AsJson = False,
    yes: Yes = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Ask that an execution stop. It's final: a cancelled execution can be replayed, not resumed.

    \b
    omium cancel ex_01mcc5rm00ngqz8ctbd9ygs3xh --comment "wrong customer"
    """
    from omium.models.execution import CancelExecution

    common = make_common(base_url, profile, as_json=as_json, quiet=quiet, no_color=no_color)
    if not yes and sys.stdin.isatty():
        typer.confirm(f"Cancel {execution_id}? That is final.", abort=True, err=True)
    with common.client() as client:
        execution = client.cancel_execution(execution_id, CancelExecution(comment=comment))
    if as_json:
        common.output.json(execution)
    elif execution.status is ExecutionStatus.CANCELLED:
        common.output.say(f"{execution_id} is cancelled.")
    else:
        common.output.say(
            f"{execution_id} is being cancelled: its driver stops at the next step, or in 30 s."
        )
