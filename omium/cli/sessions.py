"""`omium sessions list|revoke`: where you are logged in."""

from __future__ import annotations

from typing import Annotated

import typer

from omium.cli.context import Common, for_server
from omium.cli.ending import WrongUse
from omium.cli.ids import find_session_id
from omium.cli.options import Yes
from omium.cli.table import Column
from omium.words import ago, now_us

app = typer.Typer(help="See and end your sessions.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
@for_server
def list_sessions(common: Common) -> None:
    """List your open sessions, newest first; * is this one.

    \b
    omium sessions list
    """
    with common.client() as client:
        sessions = list(client.each(client.list_sessions, limit=200))
    if common.output.as_json:
        common.output.json(sessions)
        return
    at_us = now_us()
    common.output.table(
        [
            Column("", lambda s: "*" if s.current else ""),
            Column("SESSION", lambda s: s.id, give="id"),
            Column("TENANT", lambda s: s.tenant, give="cut"),
            Column("FOR", lambda s: s.environment.value),
            Column("FROM", lambda s: s.address, give="cut"),
            Column("WITH", lambda s: s.agent, give="cut", spare=2),
            Column("LAST USED", lambda s: ago(s.last_used_at_us, at_us)),
            Column("ENDS", lambda s: ago(s.expires_at_us, at_us), spare=1),
        ],
        sessions,
        empty="No sessions.",
    )


@app.command("revoke")
@for_server
def revoke_session(
    common: Common,
    session_id: Annotated[
        str | None, typer.Argument(metavar="ID", help="A session: its id, or a unique part of it.")
    ] = None,
    others: Annotated[bool, typer.Option("--others", help="Every session but this one.")] = False,
    yes: Yes = False,
) -> None:
    """End a session at once. Or all but this one.

    \b
    omium sessions revoke se_01mcc5rm00ngqz8ctbd9ygs3xh
    omium sessions revoke --others
    """
    if others == (session_id is not None):
        raise WrongUse("Name one session, or say --others.")
    with common.client() as client:
        if session_id is None:
            common.output.confirm("End every session of yours but this one?", yes=yes)
            ended = client.revoke_other_sessions()
        else:
            wanted = find_session_id(client, session_id)
            common.output.confirm(f"End {wanted}?", yes=yes)
            ended = client.revoke_session(wanted)
    if common.output.as_json:
        common.output.json(ended)
    else:
        common.output.say(f"{ended.ended} ended.")
