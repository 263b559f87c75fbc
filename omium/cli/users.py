"""`omium users list|reset-password|disable|enable`: for whoever has the data folder of a stopped server."""

from __future__ import annotations

from typing import Annotated

import typer

from omium.cli.context import Common, for_this_machine
from omium.cli.folder import Data, DatabaseUrl, settings_of
from omium.cli.people import PasswordFile, read_password
from omium.cli.table import Column
from omium.words import ago, now_us

app = typer.Typer(
    help="Look after the users of a server that is stopped.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

UserName = Annotated[str, typer.Argument(metavar="NAME", help="A user; `omium users list` shows them.")]


@app.command("list")
@for_this_machine
def list_users(common: Common, data: Data = None, database: DatabaseUrl = None) -> None:
    """List the users of a stopped server with their tenants.

    \b
    omium users list --data ./omium
    """
    import asyncio

    from omium.server.recovery import list_users as read_users

    users = asyncio.run(read_users(settings_of(data, database)))
    if common.output.as_json:
        common.output.json(users)
        return
    at_us = now_us()
    common.output.table(
        [
            Column("USER", lambda u: u.user, give="cut"),
            Column("STATUS", lambda u: u.status),
            Column("TENANTS", lambda u: ", ".join(u.tenants), give="cut"),
            Column("OWNS", lambda u: "the server" if u.server_owner else "", spare=1),
            Column("SINCE", lambda u: ago(u.created_at_us, at_us), spare=2),
        ],
        users,
        empty="No users.",
    )


@app.command("reset-password")
@for_this_machine
def reset_password(
    common: Common,
    name: UserName,
    password_file: PasswordFile = None,
    data: Data = None,
    database: DatabaseUrl = None,
) -> None:
    """Set a user's password, on a stopped server. All sessions of the user end.

    \b
    omium users reset-password ada --data ./omium
    """
    import asyncio

    from omium.server.recovery import reset_password as reset

    password = read_password(password_file, question="New password, at least 12 characters", twice=True)
    asyncio.run(reset(settings_of(data, database), name, password))
    _say(common, name, "has the new password; all sessions have ended.")


@app.command("disable")
@for_this_machine
def disable(common: Common, name: UserName, data: Data = None, database: DatabaseUrl = None) -> None:
    """Let a user in no more; the account stays.

    \b
    omium users disable bob --data ./omium
    """
    _set_status(common, name, "disabled", data, database)


@app.command("enable")
@for_this_machine
def enable(common: Common, name: UserName, data: Data = None, database: DatabaseUrl = None) -> None:
    """Let a disabled user in again.

    \b
    omium users enable bob --data ./omium
    """
    _set_status(common, name, "active", data, database)


def _set_status(common: Common, name: str, status: str, data: Data, database: DatabaseUrl) -> None:
    import asyncio

    from omium.server.recovery import set_user_status

    asyncio.run(set_user_status(settings_of(data, database), name, status))
    _say(common, name, f"is {status}.")


def _say(common: Common, name: str, words: str) -> None:
    if common.output.as_json:
        common.output.json({"user": name})
    else:
        common.output.say(f"{name} {words}")
