"""`omium rollback`: take an execution back to an earlier event, or skip what such a rollback left to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from omium.cli.context import Common, for_server
from omium.cli.ending import WrongUse
from omium.cli.ids import ExecutionId, find_execution_id
from omium.cli.options import Reason, Yes
from omium.cli.steps import find_step_key
from omium.words import count

if TYPE_CHECKING:
    from omium.models.replay import RollbackPlan
    from omium.sdk.sync_client import Client

ToStep = Annotated[str | None, typer.Option("--to-step", metavar="STEP", help="Back to before this step.")]
ToCheckpoint = Annotated[
    str | None, typer.Option("--to-checkpoint", metavar="NAME", help="Back to this checkpoint.")
]
ToSeq = Annotated[int | None, typer.Option("--to-seq", help="Back to this event.")]
PlanOnly = Annotated[bool, typer.Option("--plan", help="Only show what would happen.")]


class Target(NamedTuple):
    """Where to go back to: one of these."""

    to_seq: int | None = None
    to_step: str | None = None
    to_checkpoint: str | None = None


@for_server
def rollback(
    common: Common,
    execution_id: ExecutionId,
    to_step: ToStep = None,
    to_checkpoint: ToCheckpoint = None,
    to_seq: ToSeq = None,
    skip: Annotated[
        bool, typer.Option("--skip-compensations", help="Leave out what a rollback has still to undo.")
    ] = False,
    plan_only: PlanOnly = False,
    reason: Reason = "",
    yes: Yes = False,
) -> None:
    """Take an execution back to an earlier point.

    Later steps are superseded, their effects compensated; it stays paused until it is resumed.

    \b
    omium rollback last --to-step charge --plan
    omium rollback ex_01mcc5rm00ngqz8ctbd9ygs3xh --to-checkpoint reserved
    omium rollback ex_01mcc5rm00ngqz8ctbd9ygs3xh --skip-compensations --reason "refunded by hand"
    """
    chosen = sum(each is not None for each in (to_step, to_checkpoint, to_seq)) + skip
    if chosen != 1:
        raise WrongUse(
            "Say where to: one of --to-step, --to-checkpoint, --to-seq (or --skip-compensations). "
            "See: omium rollback --help"
        )
    with common.client() as client:
        wanted = find_execution_id(client, execution_id)
        if skip:
            _skip(common, client, wanted, reason, yes=yes)
        else:
            step = None if to_step is None else find_step_key(client, wanted, to_step)
            target = Target(to_seq, step, to_checkpoint)
            roll_back(common, client, wanted, target, reason, yes=yes, plan_only=plan_only)


def roll_back(
    common: Common,
    client: Client,
    execution_id: str,
    target: Target,
    reason: str,
    *,
    yes: bool,
    plan_only: bool,
    facts: Sequence[tuple[str, str | None]] = (),
) -> None:
    """Show the plan below `facts`, ask, and take the execution back to `target`; or only show it."""
    from omium.models.replay import PlanRollback, RollbackExecution

    plan = client.plan_rollback(execution_id, PlanRollback(**target._asdict()))
    if plan_only and common.output.as_json:
        common.output.json(plan)
        return
    if not common.output.as_json:
        _show_plan(common, plan, facts)
    if plan_only:
        return
    common.output.confirm(f"Take {execution_id} back?", yes=yes)
    answer = client.rollback_execution(execution_id, RollbackExecution(to_seq=plan.to_seq, reason=reason))
    if common.output.as_json:
        common.output.json(answer)
        return
    first = (
        f"{count(len(plan.compensations), 'compensation')} first, then it goes on"
        if plan.compensations
        else "Go on"
    )
    common.output.say(
        f"{execution_id} is {answer.execution.status.value} ({answer.execution.reason}). "
        f"{first}: omium resume {execution_id}"
    )


def _show_plan(common: Common, plan: RollbackPlan, facts: Sequence[tuple[str, str | None]]) -> None:
    common.output.facts(
        [
            *facts,
            ("Back to event", str(plan.to_seq)),
            ("Superseded", ", ".join(plan.superseded_steps) or "nothing"),
            ("Compensated", ", ".join(plan.compensations) or "nothing"),
            ("Stays done", ", ".join(plan.uncompensated) or None),
            ("Children", ", ".join(plan.cancelled_children) or None),
        ]
    )


def _skip(common: Common, client: Client, execution_id: str, reason: str, *, yes: bool) -> None:
    from omium.models.replay import SkipCompensations

    left = [
        each
        for each in client.each(client.list_compensations, execution_id, limit=200)
        if each.status in ("pending", "failed")
    ]
    if not reason:
        raise WrongUse("Say why what was done stays done: --reason TEXT.")
    if not common.output.as_json:
        common.output.facts(
            [("Stays done", ", ".join(each.key for each in left) or "nothing is left to undo")]
        )
    common.output.confirm(f"Leave out {count(len(left), 'compensation')}?", yes=yes)
    execution = client.skip_compensations(execution_id, SkipCompensations(reason=reason))
    if common.output.as_json:
        common.output.json(execution)
    else:
        common.output.say(f"Nothing more is undone. Go on: omium resume {execution_id}")
