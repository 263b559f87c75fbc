"""The application: what `omium` is before a command is chosen.

Which commands there are is commands.py's, how one of them is loaded later.py's. What a command does is in the
module of its noun, and what it loads it loads when it runs. How commands end is main.py's.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from omium import __version__
from omium.cli.later import Commands
from omium.cli.unconverted import leave_defaults_alone

app = typer.Typer(
    name="omium",
    cls=Commands,
    help="Omium: the reliability operating system for multi-agent AI.",
    no_args_is_help=True,
    invoke_without_command=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


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


def make_command() -> Any:
    """Return the command line as Click's command, whose commands are loaded when they are used."""
    command = typer.main.get_command(app)
    leave_defaults_alone(command)
    return command
