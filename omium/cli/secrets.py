"""`omium secrets set|list|delete`: named secrets. A value is never an argument, and never shown."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from omium.cli.context import Common, for_server
from omium.cli.ending import WrongUse
from omium.cli.inputs import read_file
from omium.cli.options import Yes
from omium.cli.table import Column
from omium.states import Environment
from omium.words import ago, now_us

app = typer.Typer(help="Set named secrets, list, delete.", no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Letters, digits, dots, dashes, underscores.")]
Where = Annotated[
    Environment | None, typer.Option("--environment", help="For this environment. [default: the key's]")
]


@app.command("set")
@for_server
def set_secret(
    common: Common,
    name: Name,
    file: Annotated[
        Path | None, typer.Option("--file", help="Take the value from this file, but for a last line end.")
    ] = None,
    environment: Where = None,
) -> None:
    """Set a named secret. Its value is asked for, or read from stdin or a file; nobody is shown it again.

    \b
    omium secrets set search_key
    cat token | omium secrets set search_key --environment prod
    """
    from omium.models.secret import SetSecret

    value = _read_value(common, name, file)
    with common.client() as client:
        secret = client.set_secret(name, SetSecret(value=value, environment=environment))
    if common.output.as_json:
        common.output.json(secret)
    else:
        common.output.say(f"{secret.name} is set for {secret.environment.value} (version {secret.version}).")


@app.command("list")
@for_server
def list_secrets(common: Common) -> None:
    """List the named secrets. Values are not shown, to anybody.

    \b
    omium secrets list
    """
    with common.client() as client:
        secrets = list(client.each(client.list_secrets, limit=200))
    if common.output.as_json:
        common.output.json(secrets)
        return
    at_us = now_us()
    common.output.table(
        [
            Column("NAME", lambda s: s.name, give="cut", width_min=12),
            Column("FOR", lambda s: s.environment.value),
            Column("VERSION", lambda s: str(s.version), align="right"),
            Column("UPDATED", lambda s: ago(s.updated_at_us, at_us)),
            Column("BY", lambda s: s.updated_by, give="id"),
            Column("LAST USED", lambda s: ago(s.last_used_at_us, at_us), spare=1),
        ],
        secrets,
        empty="No secrets. Set one: omium secrets set NAME",
    )


@app.command("delete")
@for_server
def delete_secret(common: Common, name: Name, environment: Where = None, yes: Yes = False) -> None:
    """Delete a named secret. What needs it fails from now on.

    \b
    omium secrets delete search_key --yes
    """
    common.output.confirm(f"Delete the secret {name}? It cannot be taken back.", yes=yes)
    with common.client() as client:
        client.delete_secret(name, environment=environment)
    if common.output.as_json:
        common.output.json({"deleted": name})
    else:
        common.output.say(f"{name} is deleted.")


def _read_value(common: Common, name: str, file: Path | None) -> str:
    """Return the value without a line's end: asked for at a terminal, else from the file or stdin."""
    if file is not None:
        text = read_file(file)
    elif common.output.interactive:
        text = str(typer.prompt(f"Value of {name}", hide_input=True, confirmation_prompt=True, err=True))
    else:
        text = sys.stdin.read()
    value = text.removesuffix("\n").removesuffix("\r")
    if not value:
        raise WrongUse("The value is empty: type it, or give it on stdin or with --file.")
    return value
