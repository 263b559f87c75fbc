"""The application: which commands there are, and how every error ends.

Owns the order in `omium --help` and the exit codes. What a command does is in the module of its noun; nothing
but Typer is loaded before a command runs.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from omium import __version__
from omium.cli import act, db, executions, failures, init, keys, serve, status, worker
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
app.command("status")(status.status)
app.command("run")(worker.run)
app.command("worker")(worker.worker)
app.command("resume")(act.resume)
app.command("replay")(act.replay)
app.command("rollback")(act.rollback)
app.command("cancel")(act.cancel)
app.add_typer(executions.app, name="executions")
app.command("logs")(executions.show_logs)
app.add_typer(failures.app, name="failures")
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
        return 130
    except (OmiumError, Suspension) as error:
        print(f"omium: {error}", file=sys.stderr)
        return 1
    except Exception as error:  # Click's own usage errors carry the code and the words
        show = getattr(error, "show", None)
        if show is None:
            raise
        show()
        return int(getattr(error, "exit_code", 1))
    return outcome if isinstance(outcome, int) else 0
