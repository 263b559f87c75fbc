"""`omium failures rollback`: `omium rollback` as it is asked for from the inbox.

Owns which execution of a failure is meant, and how far back it goes if nobody says. Planning, asking and
going back are rollback.py's; a rollback is one execution's, so a group is never rolled back at once.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Annotated, Final

import typer

from omium.cli.context import Common, for_server
from omium.cli.ending import WrongUse
from omium.cli.ids import LOOKED_THROUGH, FailureId, find_execution_id, find_failure_id
from omium.cli.options import Reason, Yes
from omium.cli.rollback import PlanOnly, Target, ToCheckpoint, ToSeq, ToStep, roll_back
from omium.cli.steps import find_step_key
from omium.states import FailureKind, FailureStatus
from omium.words import count

if TYPE_CHECKING:
    from omium.models.failure import Failure, Occurrence
    from omium.sdk.sync_client import Client

_WHERE: Final = "one of --to-step, --to-checkpoint, --to-seq"


@for_server
def rollback_failure(
    common: Common,
    failure_id: FailureId,
    execution: Annotated[
        str | None, typer.Option("--execution", metavar="ID", help="Which one. [default: the newest open]")
    ] = None,
    to_step: ToStep = None,
    to_checkpoint: ToCheckpoint = None,
    to_seq: ToSeq = None,
    plan_only: PlanOnly = False,
    reason: Reason = "",
    yes: Yes = False,
) -> None:
    """Take a failed execution back to before what failed. Shows the plan first; the others stay open.

    Without a target it goes back to before the failed step, or to the newest checkpoint if no step failed. It
    stays paused until it is resumed.

    \b
    omium failures rollback fl_01mcc5rm00ngqz8ctbd9ygs3xh --plan
    omium failures rollback last --to-checkpoint reserved --reason "wrong customer"
    """
    if sum(each is not None for each in (to_step, to_checkpoint, to_seq)) > 1:
        raise WrongUse(f"Say where to with {_WHERE}, not with several.")
    with common.client() as client:
        failure = client.get_failure(find_failure_id(client, failure_id))
        if failure.kind == FailureKind.COMPENSATION_FAILED:
            raise WrongUse(
                f"{failure.execution_id} is in the middle of a rollback, whose {failure.step} failed. Try it "
                f"again: omium worker --once --execution {failure.execution_id} PATH.py; leave it out: "
                f"omium rollback {failure.execution_id} --skip-compensations --reason TEXT"
            )
        chosen = None if execution is None else find_execution_id(client, execution)
        occurrence, others = _choose(client, failure, chosen)
        wanted = occurrence.execution_id
        if to_step is not None:
            to_step = find_step_key(client, wanted, to_step)
        target, where = Target(to_seq, to_step, to_checkpoint), None
        if target == Target():
            target, where = _before_failure(client, occurrence)
        facts = [("Failure", failure.sentence), ("Execution", wanted), ("Back to", where)]
        if others:
            common.output.say(
                f"{count(others, 'other execution')} of this failure "
                f"{'stays' if others == 1 else 'stay'} open; choose with --execution."
            )
        roll_back(common, client, wanted, target, reason, yes=yes, plan_only=plan_only, facts=facts)


def _choose(client: Client, failure: Failure, execution_id: str | None) -> tuple[Occurrence, int]:
    """Return the newest open occurrence that is meant, and how many other executions have an open one."""
    newest = list(islice(client.each(client.list_occurrences, failure.id, limit=200), LOOKED_THROUGH))
    opened = [each for each in newest if each.status is FailureStatus.OPEN]
    if not opened:
        state = failure.status.value.replace("_", " ")
        raise WrongUse(
            f"{failure.id} is {state}: nothing of it is open. Take an execution back all the same: "
            f"omium rollback {failure.execution_id} --to-step STEP"
        )
    meant = [each for each in opened if execution_id in (None, each.execution_id)]
    if not meant:
        raise WrongUse(
            f"{execution_id} has no open failure {failure.id}; the newest that has one is "
            f"{opened[0].execution_id}. See: omium failures show {failure.id}"
        )
    return meant[0], len({each.execution_id for each in opened} - {meant[0].execution_id})


def _before_failure(client: Client, occurrence: Occurrence) -> tuple[Target, str]:
    """Return where to if nobody says, and its name: before what failed, else the newest checkpoint."""
    execution_id, key = occurrence.execution_id, occurrence.key
    if key and any(step.key == key for step in client.each(client.list_steps, execution_id, limit=200)):
        return Target(to_step=key), f"before the step {key}"
    saved = client.get_execution(execution_id).checkpoints
    if not saved:
        raise WrongUse(
            f"{execution_id} failed outside its recorded steps and has saved no checkpoint, so say where to: "
            f"{_WHERE}. See: omium executions show {execution_id}"
        )
    newest = max(saved, key=lambda each: each.seq)
    return Target(to_checkpoint=newest.id), f"the checkpoint {newest.name}"
