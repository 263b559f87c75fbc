"""What commands about people share: passwords as they are asked for, and sessions as they are stored.

A password comes from a prompt, from a pipe or from a file, never from the command line: that is seen by every
user of the machine, and kept by the shell.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from omium.cli.context import Common
from omium.cli.inputs import read_file
from omium.errors import ConfigError

if TYPE_CHECKING:
    from omium.config import Settings
    from omium.models.people import NewSession

SESSION_PREFIX = "oms_"

UserOption = Annotated[str | None, typer.Option("--user", help="E-mail address or user name.")]
PasswordFile = Annotated[
    Path | None,
    typer.Option("--password-file", help="A file with the password on its first line; - is standard input."),
]


def read_user(given: str | None, *, question: str = "User") -> str:
    """Return the user's name, asked for where it was not given."""
    if given:
        return given
    if not sys.stdin.isatty():
        raise ConfigError("Say who you are: --user NAME")
    return str(typer.prompt(question, err=True)).strip()


def read_password(file: Path | None, *, question: str = "Password", twice: bool = False) -> str:
    """Return the password, without the end of its line. Raises `ConfigError` where there is none."""
    if file is None and sys.stdin.isatty():
        return str(typer.prompt(question, hide_input=True, confirmation_prompt=twice, err=True))
    text = sys.stdin.readline() if file is None or str(file) == "-" else read_file(file)
    password = text.split("\n", 1)[0].rstrip("\r")
    if not password:
        raise ConfigError("There is no password: pipe it in, or name a file with --password-file.")
    return password


def refuse_overwrite(common: Common, settings: Settings, *, yes: bool) -> None:
    """Ask before an API key that the profile holds is replaced by a session."""
    from omium.config import read_config

    stored = read_config(settings.folder).profiles.get(settings.profile, {})  # whatever key is in use here
    secret = str(stored.get("api_key", ""))
    if "api_key_id" in stored or (secret and not secret.startswith(SESSION_PREFIX)):
        common.output.confirm(
            f"The profile {settings.profile} holds an API key. Replace it by a session?"
            " (--profile NAME keeps it)",
            yes=yes,
        )


def store_session(common: Common, settings: Settings, session: NewSession) -> None:
    """Keep the session in the profile, for every command that follows, and say so."""
    from omium.config import keep_credential

    where = keep_credential(
        settings,
        session.session_token,
        {
            "tenant": session.tenant,
            "tenant_id": session.tenant_id,
            "environment": session.environment.value,
        },
    )
    output = common.output
    if output.as_json:
        shown = session.model_dump(mode="json", exclude={"session_token"})
        output.json(shown | {"profile": settings.profile, "base_url": settings.base_url})
        return
    output.facts(
        [
            ("Server", settings.base_url),
            ("User", f"{session.user} ({session.role.value})"),
            ("Tenant", f"{session.tenant} ({session.tenant_id})"),
            ("Environment", session.environment.value),
            ("Profile", f"{settings.profile}, kept in {where}"),
        ]
    )
