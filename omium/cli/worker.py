"""`omium worker` and `omium run`: workflows served until stopped, or run once. In this process: here.py."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from omium.cli.context import Common, for_server
from omium.cli.detail import error_text
from omium.cli.ending import FAILED, WrongUse
from omium.cli.here import own_stdout, run_file, run_once, user_file
from omium.cli.inputs import read_inputs
from omium.cli.serving import warn_of_engine_mode
from omium.cli.waiting import wait_for_end
from omium.errors import ConfigError, StepFailed, Suspended
from omium.states import ExecutionStatus
from omium.words import value

if TYPE_CHECKING:
    from omium.cli.output import Output
    from omium.models.execution import ExecutionDetail

_ASKING_S: Final = 5.0  # for what a worker could do without
Isolation = Literal["thread", "process"]


@for_server
def worker(
    common: Common,
    target: Annotated[
        str, typer.Argument(metavar="PATH.py[:OBJECT]", help="What to serve: all in a module, or one of it.")
    ],
    queue: Annotated[str, typer.Option(help="The queue to take work from.")] = "default",
    concurrency: Annotated[
        int, typer.Option(min=1, max=1000, help="Executions and nodes at the same time.")
    ] = 4,
    isolation: Annotated[
        Isolation, typer.Option(help="thread, or process: then what hangs is really ended.")
    ] = "thread",
    once: Annotated[
        bool, typer.Option("--once", help="Run one execution, print its output, and end.")
    ] = False,
    execution: Annotated[
        str | None,
        typer.Option("--execution", metavar="ID", help="With --once: this one, whatever its status."),
    ] = None,
) -> None:
    """Serve workflows and handlers until stopped. Queued executions and nodes are claimed and run here.

    SIGTERM or Ctrl-C lets the steps that run end and gives the rest back; a second one ends at once.

    \b
    omium worker my_agents.py
    omium worker my_agents.py:report --concurrency 8 --isolation process
    omium worker my_agents.py --once --execution ex_01mcc5rm00ngqz8ctbd9ygs3xh
    """
    if execution is not None and not once:
        raise WrongUse("--execution goes with --once: a worker that stays takes what is queued.")
    common.client().close()  # a missing key is said before anybody's code is loaded
    common.use_here()
    if once:
        with common.client() as client:
            run_once(common.output, client, target, execution, queue=queue)
    else:
        _serve(common, target, queue, concurrency, isolation)


def _serve(common: Common, target: str, queue: str, concurrency: int, isolation: Isolation) -> None:
    from omium.adapters.native import adopt
    from omium.sdk.session import current_session
    from omium.sdk.supervisor import Service, Supervisor, load_service
    from omium.sdk.worker import Worker

    with user_file():
        served = load_service(Service(target, queue, adopt=adopt))
    _log_to_stderr()
    output = common.output
    output.say(
        f"Serving {', '.join(served.names)} on {current_session().settings.base_url}, queue {queue}, "
        f"{concurrency} at a time. Ctrl-C stops."
    )
    with common.client(timeout_s=_ASKING_S) as client:
        warn_of_engine_mode(output, client, served.workflows)
    left = 0
    if isolation == "process":
        _hand_down()
        supervisor = Supervisor(Service(target, queue, adopt=adopt), concurrency=concurrency)
        supervisor.handle_signals()
        supervisor.run()
    else:
        serving = Worker(
            current_session(),
            served.workflows,
            handlers=served.handlers,
            queue=queue,
            concurrency=concurrency,
        )
        with serving.signals():
            serving.run()
        left = serving.left
    output.say("Stopped." if left else "Stopped: what ran has ended or was given back.")


def _log_to_stderr() -> None:
    """Show what the worker has to say, whatever is done to the root logger meanwhile."""
    import logging

    handler = logging.StreamHandler(sys.__stderr__)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logger = logging.getLogger("omium")
    logger.addHandler(handler)
    logger.propagate = False


def _hand_down() -> None:
    """Let child processes use the server and the profile that the flags name; no key is handed down."""
    from omium.sdk.session import current_session

    settings = current_session().settings
    if settings.sources.get("base_url") == "argument":
        os.environ["OMIUM_BASE_URL"] = settings.base_url
    if settings.sources.get("profile") == "argument":
        os.environ["OMIUM_PROFILE"] = settings.profile


@for_server
def run(
    common: Common,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A workflow that a worker serves, or PATH.py:OBJECT.")
    ],
    pairs: Annotated[
        list[str] | None,
        typer.Option("--input", "-i", metavar="KEY=VALUE", help="An argument; the value is JSON, or text."),
    ] = None,
    inputs: Annotated[
        str | None, typer.Option("--inputs", metavar="JSON|@FILE", help="All arguments as a JSON object.")
    ] = None,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Print the id and do not wait for the end.")
    ] = False,
    idempotency_key: Annotated[
        str | None, typer.Option("--idempotency-key", help="The same key starts nothing twice.")
    ] = None,
    max_credits: Annotated[
        str | None,
        typer.Option(
            "--max-credits", metavar="CREDITS", help="What it may be charged; it pauses before that."
        ),
    ] = None,
    tags: Annotated[
        list[str] | None, typer.Option("--tag", help="A word to find it by; may be given several times.")
    ] = None,
    key: Annotated[
        str | None, typer.Option("--key", help="What it is about in your own books: an order's number.")
    ] = None,
) -> None:
    """Run a workflow on a worker, or from a file here. Waits for the end, and prints the output.

    \b
    omium run report --input topic=durability
    omium run report --inputs @inputs.json --no-wait --max-credits 50
    omium workflows run report --tag nightly --key order-4711
    omium run my_agents.py:report --input topic=durability
    """
    arguments = read_inputs(pairs or [], inputs)
    with common.client() as client:
        common.use_here()
        from omium.sdk.run import run_workflow

        target = _load(common.output, name) if ".py" in name or ":" in name else name
        if callable(target):
            _refuse_wrong_arguments(name, target, arguments)
        if callable(target) and not no_wait:
            run_file(
                common.output,
                client,
                target,
                arguments,
                idempotency_key,
                max_credits,
                tags=tags,
                business_key=key,
            )
            return
        execution_id = run_workflow(
            target,
            arguments,
            idempotency_key=idempotency_key,
            wait=False,
            max_credits=max_credits,
            tags=tags,
            business_key=key,
        )
        if no_wait:
            detail = client.get_execution(execution_id)
        else:
            common.output.say(
                f"Execution {execution_id} is queued; waiting for it. Ctrl-C leaves it running."
            )
            detail = wait_for_end(common.output, client, execution_id)
    if common.output.as_json:
        common.output.json(detail)
    elif no_wait:
        common.output.show(execution_id)
    elif detail.status is ExecutionStatus.COMPLETED:
        common.output.show(value(detail.output))
    if not no_wait:
        end_as(detail)


def _refuse_wrong_arguments(name: str, target: Callable[..., object], arguments: dict[str, Any]) -> None:
    signature = inspect.signature(target)
    try:
        signature.bind(**arguments)
    except TypeError as error:
        raise WrongUse(f"{name}: {error}. It takes {signature}; give each as --input KEY=VALUE.") from None


def end_as(detail: ExecutionDetail) -> None:
    """Return if an execution completed; else raise what says how it ended, and what to do next."""
    match detail.status:
        case ExecutionStatus.FAILED:
            first = error_text(detail.error).splitlines()[0].rstrip(".")
            raise StepFailed(f"{detail.id} failed: {first}. Look: omium executions show {detail.id}")
        case ExecutionStatus.PAUSED:
            raise Suspended(
                f"{detail.id} is paused ({detail.reason}). Go on: omium resume {detail.id}",
                execution_id=detail.id,
                reason=detail.reason or "",
            )
        case ExecutionStatus.CANCELLED:
            typer.echo(f"omium: {detail.id} was cancelled.", err=True)
            raise typer.Exit(FAILED)
        case _:
            pass


def _load(output: Output, target: str) -> Callable[..., object]:
    from omium.adapters.native import adopt
    from omium.sdk.loading import find_workflows, load_target

    own_stdout(output)
    with user_file():
        module, found = load_target(target)
        workflows = {**find_workflows(found), **adopt(target, module, found)}
    if len(workflows) != 1:
        known = ", ".join(sorted(workflows)) or "none"
        raise ConfigError(f"{target} holds several workflows or none ({known}); name one: {target}:NAME")
    return next(iter(workflows.values())).call
