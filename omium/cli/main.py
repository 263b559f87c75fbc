"""The application: which commands there are, and how every command ends.

Owns the order in `omium --help`. What a command does is in the module of its noun, and what it loads it loads
when it runs, so that `omium --help` takes hardly longer than Python itself. Exit codes are ending.py's.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from omium import __version__
from omium.cli import (
    cancel,
    db,
    doctor,
    effects,
    executions,
    failures,
    init,
    keys,
    logs,
    recorded,
    replay,
    resume,
    rollback,
    serve,
    status,
    worker,
    workers,
)
from omium.cli.ending import FAILED, INTERRUPTED, describe, exit_code
from omium.errors import OmiumError, Suspension

app = typer.Typer(
    name="omium",
    help="Omium: the reliability operating system for multi-agent AI.",
    no_args_is_help=True,
    invoke_without_command=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command("serve")(serve.serve)
app.command("init")(init.init)
app.command("logout")(init.logout)
app.command("whoami")(status.whoami)
app.command("status")(status.status)
app.command("doctor")(doctor.doctor)
app.command("run")(worker.run)
app.command("worker")(worker.worker)
app.command("workers")(workers.list_workers)
app.command("resume")(resume.resume)
app.command("replay")(replay.replay)
app.command("rollback")(rollback.rollback)
app.command("decide")(effects.decide)
app.command("pause")(cancel.pause)
app.command("cancel")(cancel.cancel)
app.command("logs")(logs.show_logs)
executions.app.command("output")(recorded.show_output)
executions.app.command("effects")(effects.list_effects)
executions.app.command("compensations")(effects.list_compensations)
app.add_typer(executions.app, name="executions")
app.add_typer(failures.app, name="failures")
app.add_typer(workers.app, name="breakers")
app.add_typer(keys.app, name="keys")
app.add_typer(db.app, name="db")


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and end.", is_eager=True)
    ] = False,
) -> None:
    """Omium: the reliability operating system for multi-agent AI."""
    if version:
        print(__version__)
        raise typer.Exit


def main() -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 wrong use, 130 interrupted."""
    for stream in (sys.stdout, sys.stderr):
        if (reconfigure := getattr(stream, "reconfigure", None)) is not None:
            reconfigure(errors="replace")  # a terminal that has no ✓ gets a ?, not a traceback
    sys.exit(run())


def run(arguments: list[str] | None = None) -> int:
    """Run the command line on `arguments` (default: this process's) and return the exit code."""
    command = typer.main.get_command(app)
    try:
        outcome = command.main(arguments, prog_name="omium", standalone_mode=False)
    except typer.Exit as end:
        return end.exit_code
    except (KeyboardInterrupt, typer.Abort):
        print("omium: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # `| head` has read enough; what Python still flushes at its end goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except (OmiumError, Suspension) as error:
        print(f"omium: {describe(error)}", file=sys.stderr)
        return exit_code(error)
    except Exception as error:  # Click's own usage errors carry the code and the words
        show = getattr(error, "show", None)
        if show is None:
            raise
        show()
        return int(getattr(error, "exit_code", FAILED))
    return outcome if isinstance(outcome, int) else 0
