"""`omium worker`, `omium run`, and going on with an execution in this process: what runs user code."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from omium.cli.context import make_common
from omium.cli.inputs import read_inputs
from omium.cli.options import AsJson, BaseUrl, NoColor, ProfileName, Quiet
from omium.cli.output import Output, value
from omium.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from omium.models.execution import ExecutionDetail


def worker(
    target: Annotated[
        str, typer.Argument(metavar="PATH.py[:OBJECT]", help="What to serve: a workflow, or all in a module.")
    ],
    queue: Annotated[str, typer.Option(help="The queue to take work from.")] = "default",
    concurrency: Annotated[int, typer.Option(min=1, max=1000, help="Executions at the same time.")] = 4,
    isolation: Annotated[
        str, typer.Option(help="thread, or process: then what hangs is really ended.")
    ] = "thread",
    once: Annotated[
        bool, typer.Option("--once", help="Run one execution, print its output, and end.")
    ] = False,
    execution: Annotated[
        str | None,
        typer.Option("--execution", metavar="ID", help="With --once: this one, whatever its status."),
    ] = None,
    base_url: BaseUrl = None,
    profile: ProfileName = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Serve workflows: claim queued executions and run them, until stopped.

    SIGTERM or Ctrl-C lets the steps that run end and gives the rest back; a second one ends at once.

    \b
    omium worker my_agents.py
    omium worker my_agents.py:report --concurrency 8 --isolation process
    omium worker my_agents.py --once --execution ex_01mcc5rm00ngqz8ctbd9ygs3xh
    """
    if isolation not in ("thread", "process"):
        raise typer.BadParameter("--isolation is thread or process")
    if execution is not None and not once:
        raise typer.BadParameter("--execution needs --once")
    output = Output(as_json=as_json, quiet=quiet, no_color=no_color)
    if once:
        run_once(output, target, execution, queue=queue, base_url=base_url, profile=profile)
    else:
        _serve(output, target, queue, concurrency, isolation, base_url, profile)


def _serve(
    output: Output,
    target: str,
    queue: str,
    concurrency: int,
    isolation: str,
    base_url: str | None,
    profile: str | None,
) -> None:
    import omium
    from omium.sdk.session import current_session
    from omium.sdk.supervisor import Service, Supervisor, load_service
    from omium.sdk.worker import Worker

    omium.init(base_url=base_url, profile=profile)
    workflows = load_service(Service(target, queue))
    output.say(
        f"Serving {', '.join(sorted(workflows))} on {current_session().settings.base_url}, queue {queue}, "
        f"{concurrency} at a time. Ctrl-C stops."
    )
    if isolation == "process":
        supervisor = Supervisor(Service(target, queue), concurrency=concurrency)
        supervisor.handle_signals()
        supervisor.run()
        return
    serving = Worker(current_session(), workflows, queue=queue, concurrency=concurrency)
    with serving.signals():
        serving.run()


def run_once(
    output: Output,
    target: str,
    execution_id: str | None,
    *,
    queue: str = "default",
    base_url: str | None = None,
    profile: str | None = None,
) -> None:
    """Run one execution in this process and print its output."""
    import omium
    from omium.sdk.session import current_session
    from omium.sdk.supervisor import Service, load_service
    from omium.sdk.worker import Worker

    omium.init(base_url=base_url, profile=profile)
    workflows = load_service(Service(target, queue))
    serving = Worker(current_session(), workflows, queue=queue, concurrency=1)
    result = serving.run_once(execution_id)
    _print_result(output, result)


def _print_result(output: Output, result: object) -> None:
    from omium.jsonvalue import encode, plain
    from omium.sdk.session import current_session

    shown = plain(encode(result, types=current_session().link.types))
    if output.as_json:
        output.json({"output": shown})
    else:
        output.show(value(shown))


def run_here(output: Output, detail: ExecutionDetail, target: str | None) -> None:
    """Go on with `detail` in this process, with the code that started it or with `target`."""
    chosen = target or (detail.code.entrypoint if detail.code else None)
    if chosen is None:
        raise ConfigError(
            f"Nobody serves {detail.workflow}, and it was not recorded which code started {detail.id}. "
            f"Name it: omium resume {detail.id} --target path.py:{detail.workflow}"
        )
    if target is None and detail.code is not None and detail.code.cwd and Path(detail.code.cwd).is_dir():
        os.chdir(detail.code.cwd)  # relative paths in the user's code mean what they meant at the start
    output.say(
        f"Running it here: {shlex.join(['omium', 'worker', '--once', '--execution', detail.id, chosen])}"
    )
    run_once(output, chosen, detail.id)


def run(
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
    base_url: BaseUrl = None,
    profile: ProfileName = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Run a workflow: by name on a worker, or from a file in this process.

    \b
    omium run report --input topic=durability
    omium run report --inputs @inputs.json --no-wait
    omium run my_agents.py:report --input topic=durability
    """
    import omium
    from omium.sdk.run import run_workflow

    common = make_common(base_url, profile, as_json=as_json, quiet=quiet, no_color=no_color)
    arguments = read_inputs(pairs or [], inputs)
    omium.init(base_url=base_url, profile=profile)
    target = _load(name) if ".py" in name or ":" in name else name
    if target is not name and not no_wait:
        _print_result(common.output, run_workflow(target, arguments, idempotency_key=idempotency_key))
        return
    execution_id = run_workflow(target, arguments, idempotency_key=idempotency_key, wait=False)
    if not no_wait:
        common.output.say(f"Execution {execution_id} is queued; waiting for it. Ctrl-C leaves it running.")
        from omium.sdk.flows import drive_sync
        from omium.sdk.joining import wait_for
        from omium.sdk.session import current_session

        drive_sync(wait_for(execution_id), current_session().link.ports)
    with common.client() as client:
        detail = client.get_execution(execution_id)
    if common.output.as_json:
        common.output.json(detail)
    elif no_wait:
        common.output.show(execution_id)
    else:
        common.output.show(value(detail.output))


def _load(target: str) -> Callable[..., object]:
    from omium.sdk.loading import find_workflows, load_target

    _, found = load_target(target)
    workflows = find_workflows(found)
    if len(workflows) != 1:
        known = ", ".join(sorted(workflows)) or "none"
        raise ConfigError(f"{target} holds several workflows or none ({known}); name one: {target}:NAME")
    return next(iter(workflows.values())).call
