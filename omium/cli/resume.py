"""`omium resume`, and who goes on with an execution: a worker, the engine, or this process if one agrees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from omium.cli.context import Common, for_server
from omium.cli.detail import show_detail
from omium.cli.ending import WrongUse
from omium.cli.here import run_here
from omium.cli.ids import ExecutionId, find_execution_id
from omium.cli.options import Here, Target, Yes
from omium.cli.serving import worker_line
from omium.cli.waiting import wait_for_end
from omium.cli.worker import end_as
from omium.clock import US_PER_S
from omium.errors import ConfigError
from omium.states import FINAL_STATUSES, Driver, ExecutionStatus, Runner

if TYPE_CHECKING:
    from omium.cli.output import Output
    from omium.models.execution import ExecutionDetail


@for_server
def resume(
    common: Common,
    execution_id: ExecutionId,
    here: Here = False,
    target: Target = None,
    max_steps: Annotated[
        int | None, typer.Option("--max-steps", min=1, help="Raise the limit that it is paused for.")
    ] = None,
    max_duration_s: Annotated[
        int | None, typer.Option("--max-duration-s", min=1, help="The same of the time that it may run.")
    ] = None,
    max_payload_bytes: Annotated[
        int | None, typer.Option("--max-payload-bytes", min=1, help="The same of what it may record.")
    ] = None,
    max_credits: Annotated[
        str | None,
        typer.Option("--max-credits", metavar="CREDITS", help="The same of what it may be charged in all."),
    ] = None,
    loop_limit: Annotated[
        list[str] | None,
        typer.Option("--loop-limit", metavar="LOOP=TIMES", help="Let a loop go round so often; repeatable."),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until a worker has run it.")] = False,
    yes: Yes = False,
) -> None:
    """Go on with an execution, keeping every recorded step.

    A worker goes on with it; where none serves its workflow, this asks whether to run it here.

    \b
    omium resume last
    omium resume ex_01mcc5rm00ngqz8ctbd9ygs3xh --here
    omium resume ex_01mcc5rm00ngqz8ctbd9ygs3xh --target my_agents.py:report
    omium resume ex_01mcc5rm00ngqz8ctbd9ygs3xh --loop-limit draft=10
    """
    from omium.models.execution import ResumeAnswer, ResumeExecution
    from omium.sdk.options import read_credits

    with common.client() as client:
        detail = client.get_execution(find_execution_id(client, execution_id))
        unserved = (
            detail.runner.runner is Runner.NONE
            and detail.status not in FINAL_STATUSES
            and detail.driver is not Driver.OBSERVED  # no worker would help: the server says what would
        )
        command = ResumeExecution(
            max_steps=max_steps,
            max_duration_us=None if max_duration_s is None else max_duration_s * US_PER_S,
            max_payload_bytes=max_payload_bytes,
            max_microcredits=read_credits("--max-credits", max_credits),
            loop_limits=dict(_read_loop_limit(pair) for pair in loop_limit or ()),
        )
        if command == ResumeExecution() and (
            here or target or (unserved and agrees(common.output, detail, yes=yes))
        ):
            common.use_here()
            run_here(common.output, client, detail, target)
            return
        if detail.status is ExecutionStatus.COMPLETED:
            common.output.say(f"{detail.id} is completed already; to run it anew: omium replay {detail.id}")
            if common.output.as_json:
                common.output.json(detail)
            return
        answer = client.resume_execution(detail.id, command)
        assert isinstance(answer, ResumeAnswer), "without a process to grant it to, it is queued"
        if wait:
            detail = wait_for_end(common.output, client, detail.id)
    if common.output.as_json:
        common.output.json(detail if wait else answer)
    elif wait:
        show_detail(common.output, detail)
    else:
        status = answer.execution.status
        common.output.say(f"{detail.id} is {status.value}: {who_goes_on(Runner(answer.runner))}")
    if wait:
        end_as(detail)


def _read_loop_limit(pair: str) -> tuple[str, int]:
    """Read `draft=10`; raises `WrongUse`."""
    from omium.models.execution import LOOP_LIMIT_MAX

    name, _, most = pair.partition("=")
    if not name or not (most.isascii() and most.isdigit() and 1 <= int(most[:9]) <= LOOP_LIMIT_MAX):
        raise WrongUse(
            f"--loop-limit {pair!r}: write --loop-limit LOOP=TIMES, such as draft=10,"
            f" with {LOOP_LIMIT_MAX:,} at most."
        )
    return name, int(most)


def agrees(output: Output, detail: ExecutionDetail, *, yes: bool) -> bool:
    """Ask whether to run here what no worker serves. Raises `ConfigError` where nobody can be asked."""
    if yes:
        return True
    if not output.interactive:
        raise ConfigError(
            f"No worker serves {detail.workflow}. Start one ({worker_line(detail)}), or add --here."
        )
    return output.agrees(f"No worker serves {detail.workflow}. Run it here?", default=True)


def who_goes_on(runner: Runner) -> str:
    """Say who runs an execution that is queued."""
    if runner is Runner.NONE:
        return "no worker serves it yet. Start one: omium worker PATH.py"
    return "a worker goes on with it." if runner is Runner.WORKER else "the engine goes on with it."
