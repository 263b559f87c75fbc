"""The user's code in this process: what `omium run PATH.py`, `resume --here` and `worker --once` share.

Owns what is printed of it: its output, with `--json` the execution as it stands afterwards, and of an
exception the user's own frames. Serving until stopped is worker.py's.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

import omium
from omium.cli.ending import FAILED
from omium.cli.stdout import take_stdout
from omium.errors import ConfigError, ConnectionLost, OmiumError
from omium.safetext import safe_text
from omium.words import value

if TYPE_CHECKING:
    from omium.cli.output import Output
    from omium.models.execution import ExecutionDetail
    from omium.sdk.sync_client import Client

_IMPORTING: Final = "<frozen importlib."
"""Python's own frames around a module that is imported."""
Told = Callable[[str], None]
"""What takes the id of the execution as soon as it is known."""


def run_file(
    output: Output,
    client: Client,
    workflow: Callable[..., object],
    arguments: Mapping[str, Any],
    idempotency_key: str | None,
    max_credits: str | None = None,
    *,
    tags: Sequence[str] | None = None,
    business_key: str | None = None,
) -> None:
    """Run a workflow of the user's file as an execution of its own, and print how it ended."""
    from omium.sdk.run import run_here as run_workflow_here

    _run(
        output,
        client,
        lambda told: run_workflow_here(
            workflow,
            arguments,
            key=idempotency_key,
            told=told,
            max_credits=max_credits,
            tags=tags,
            business_key=business_key,
        ),
    )


def run_once(
    output: Output, client: Client, target: str, execution_id: str | None, *, queue: str = "default"
) -> None:
    """Run one execution in this process, a certain one or the next of `queue`, and print how it ended."""
    from omium.adapters.native import adopt
    from omium.sdk.session import current_session
    from omium.sdk.supervisor import Service, load_service
    from omium.sdk.worker import Worker

    own_stdout(output)
    with user_file():
        served = load_service(Service(target, queue, adopt=adopt))
    serving = Worker(
        current_session(), served.workflows, handlers=served.handlers, queue=queue, concurrency=1
    )
    _run(output, client, lambda told: serving.run_once(execution_id, told=told))


def run_here(output: Output, client: Client, detail: ExecutionDetail, target: str | None) -> None:
    """Go on with `detail` in this process, with the code that started it or with `target`; print the end."""
    chosen = target or (detail.code.entrypoint if detail.code else None)
    if chosen is None:
        raise ConfigError(
            f"Nobody serves {detail.workflow}, and it was not recorded which code started {detail.id}. "
            f"Name it: omium resume {detail.id} --target PATH.py:{detail.workflow}"
        )
    if target is None and detail.code is not None and detail.code.cwd and Path(detail.code.cwd).is_dir():
        os.chdir(detail.code.cwd)  # relative paths in the user's code mean what they meant at the start
    output.say(
        f"Running it here: {shlex.join(['omium', 'worker', '--once', '--execution', detail.id, chosen])}"
    )
    run_once(output, client, chosen, detail.id)


def _run(output: Output, client: Client, run: Callable[[Told], object]) -> None:
    """Run the user's code and print its result; a script gets the execution, however it has ended."""
    known: list[str] = []
    result: object = None
    ended, error = "failed", None
    try:
        own_stdout(output)
        with user_code():
            try:
                result = run(known.append)
            except BaseException as raised:
                error = {"type": type(raised).__name__, "message": str(raised)}
                raise
            ended = "completed"
    finally:
        if output.as_json and known:
            _print_execution(output, client, known[0], (ended, result, error))
    if not output.as_json:
        output.show(value(_plain(result)))
    elif not known:
        output.json(None)  # nothing was queued


def _print_execution(
    output: Output, client: Client, execution_id: str, here: tuple[str, object, dict[str, str] | None]
) -> None:
    """Print the execution as the server has it; as this process has it where the server is away (relaxed)."""
    try:
        output.json(client.get_execution(execution_id))
    except ConnectionLost:
        ended, result, error = here
        output.json({"id": execution_id, "status": ended, "output": _plain(result), "error": error})


def _plain(result: object) -> object:
    from omium.jsonvalue import encode, plain
    from omium.sdk.session import current_session

    return plain(encode(result, types=current_session().link.types))


def own_stdout(output: Output) -> None:
    """With `--json`, let what the user's code and its children print go to stderr: stdout holds JSON."""
    if output.as_json:
        take_stdout()


@contextlib.contextmanager
def user_file() -> Iterator[None]:
    """Where the user's own file cannot be loaded, print its frames of what it raised, then say why."""
    from omium.adapters.native import missing_told
    from omium.sdk.load_errors import NotLoaded

    try:
        with missing_told():
            yield
    except NotLoaded as error:
        _show_raised(error.raised)
        raise


@contextlib.contextmanager
def user_code() -> Iterator[None]:
    """End as failed with what the user's own code raised: its frames, without ours around and between."""
    try:
        yield
    except OmiumError:
        raise
    except Exception as error:  # a boundary: anything at all may come out of the user's code
        _show_raised(error)
        raise typer.Exit(FAILED) from error


def _show_raised(error: BaseException) -> None:
    """Print an exception with the user's own frames."""
    told = traceback.TracebackException.from_exception(error)
    if not os.environ.get("OMIUM_DEBUG"):
        _leave_out_ours(told)
    sys.stderr.write(safe_text("".join(told.format()), keep_newlines=True))


def _leave_out_ours(told: traceback.TracebackException) -> None:
    """Take this package's frames out of a traceback, and out of those that it follows from."""
    own = Path(omium.__file__).parent
    kept = [
        frame
        for frame in told.stack
        if own not in Path(frame.filename).parents and not frame.filename.startswith(_IMPORTING)
    ]
    told.stack = traceback.StackSummary.from_list(kept)
    for each in (told.__cause__, told.__context__, *(told.exceptions or ())):
        if each is not None:
            _leave_out_ours(each)
