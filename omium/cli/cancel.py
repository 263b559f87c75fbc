"""`omium cancel`, `omium pause`: ask an execution to stop, for good or for now."""

from __future__ import annotations

from typing import Annotated

import typer

from omium.cli.context import Common, for_server
from omium.cli.ids import ExecutionId, find_execution_id
from omium.cli.options import Yes
from omium.states import CancelOutcome, ExecutionStatus

Comment = Annotated[str, typer.Option("--comment", help="Why; it's kept.")]


@for_server
def cancel(common: Common, execution_id: ExecutionId, comment: Comment = "", yes: Yes = False) -> None:
    """Ask that an execution stop. It's final: a cancelled execution can be replayed, not resumed.

    \b
    omium cancel ex_01mcc5rm00ngqz8ctbd9ygs3xh --comment "wrong customer"
    """
    from omium.models.execution import CancelExecution

    with common.client() as client:
        wanted = find_execution_id(client, execution_id)
        if common.output.interactive:
            common.output.confirm(f"Cancel {wanted}? That is final.", yes=yes)
        execution = client.cancel_execution(wanted, CancelExecution(comment=comment))
    if common.output.as_json:
        common.output.json(execution)
    elif execution.status is not ExecutionStatus.CANCELLED:
        common.output.say(f"{wanted} is being cancelled: its driver stops at the next step, or in 30 s.")
    elif execution.cancel_outcome in (None, CancelOutcome.STOPPED):
        common.output.say(f"{wanted} is cancelled.")
    else:
        common.output.say(
            f"{wanted} is cancelled; what ran then: {execution.cancel_outcome.value.replace('_', ' ')}."
        )


@for_server
def pause(common: Common, execution_id: ExecutionId, comment: Comment = "") -> None:
    """Ask that an execution pause. The steps that run now end first; `omium resume` goes on.

    \b
    omium pause ex_01mcc5rm00ngqz8ctbd9ygs3xh
    """
    from omium.models.execution import PauseExecution

    with common.client() as client:
        wanted = find_execution_id(client, execution_id)
        execution = client.pause_execution(wanted, PauseExecution(comment=comment))
    if common.output.as_json:
        common.output.json(execution)
    elif execution.status is ExecutionStatus.PAUSED:
        common.output.say(f"{wanted} is paused. Go on: omium resume {wanted}")
    else:
        common.output.say(f"{wanted} pauses when the steps that run now have ended.")
