"""`omium tenants list|create|switch|join|rename|delete`: the tenants that you are in."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from omium.cli.context import Common, for_server
from omium.cli.ending import WrongUse
from omium.cli.login import InvitationFile
from omium.cli.people import read_password, store_session
from omium.cli.table import Column
from omium.states import Environment
from omium.words import ago, now_us

app = typer.Typer(
    help="Create, switch, rename and delete tenants.", no_args_is_help=True, rich_markup_mode=None
)


@app.command("list")
@for_server
def list_tenants(common: Common) -> None:
    """List the tenants that you are in. * is the one that you see now.

    \b
    omium tenants list
    """
    with common.client() as client:
        tenants = list(client.each(client.list_tenants, limit=200))
    if common.output.as_json:
        common.output.json(tenants)
        return
    at_us = now_us()
    common.output.table(
        [
            Column("", lambda t: "*" if t.current else ""),
            Column("TENANT", lambda t: t.name, give="cut"),
            Column("ROLE", lambda t: "-" if t.role is None else t.role.value),
            Column("SINCE", lambda t: ago(t.created_at_us, at_us), spare=1),
            Column("ID", lambda t: t.id, give="id"),
        ],
        tenants,
        empty="You are in no tenant.",
    )


@app.command("create")
@for_server
def create_tenant(common: Common, name: Annotated[str, typer.Argument(help="Its name.")]) -> None:
    """Create a tenant that you own. For the owner of the server, or where sign-up is open.

    \b
    omium tenants create research
    """
    from omium.models.people import CreateTenant

    with common.client() as client:
        made = client.create_tenant(CreateTenant(name=name))
    if common.output.as_json:
        common.output.json(made)
        return
    common.output.show(made.id)
    common.output.say(f"{made.name} is yours. Go there: omium tenants switch {made.id}")


@app.command("switch")
@for_server
def switch(
    common: Common,
    tenant: Annotated[str | None, typer.Argument(help="Name or id; else the present one.")] = None,
    environment: Annotated[
        Environment | None, typer.Option("--environment", help="Where what you start belongs.")
    ] = None,
) -> None:
    """Go to another tenant, or another environment. The profile gets another session.

    \b
    omium tenants switch research
    omium tenants switch --environment prod
    """
    from omium.models.people import SwitchSession

    with common.client() as client:
        session = client.switch_session(SwitchSession(tenant=tenant, environment=environment))
        settings = client.settings
    store_session(common, settings, session)


@app.command("join")
@for_server
def join(common: Common, invitation_file: InvitationFile = None) -> None:
    """Join a further tenant with an invitation. It is asked for; the profile gets a session there.

    \b
    omium tenants join
    """
    from omium.models.people import AcceptInvitation

    secret = read_password(invitation_file, question="Invitation")
    with common.client() as client:
        session = client.accept_invitation(AcceptInvitation(invitation=secret))
        settings = client.settings
    store_session(common, settings, session)


@app.command("rename")
@for_server
def rename(common: Common, name: Annotated[str, typer.Argument(help="The new name.")]) -> None:
    """Give this tenant another name.

    \b
    omium tenants rename research
    """
    from omium.models.people import RenameTenant

    with common.client() as client:
        renamed = client.rename_tenant(RenameTenant(name=name))
    if common.output.as_json:
        common.output.json(renamed)
    else:
        common.output.say(f"{renamed.id} is named {renamed.name}.")


@app.command("delete")
@for_server
def delete(
    common: Common,
    confirm: Annotated[
        str | None, typer.Option("--confirm", metavar="NAME", help="The tenant's name; else asked for.")
    ] = None,
) -> None:
    """Delete this tenant with everything in it. There is no way back.

    \b
    omium tenants delete
    omium tenants delete --confirm research
    """
    from omium.models.people import DeleteTenant

    with common.client() as client:
        name = client.get_whoami().tenant
        if confirm is None:
            if not sys.stdin.isatty():
                raise WrongUse(f"Say which tenant is deleted: --confirm {name}")
            confirm = str(typer.prompt(f"Everything in {name} goes for good. Type its name", err=True))
        deleted = client.delete_tenant(DeleteTenant(name=confirm))
    if common.output.as_json:
        common.output.json(deleted)
    else:
        common.output.say(
            f"{deleted.name} is deleted: {deleted.keys} keys and {deleted.sessions} sessions have ended, the"
            " rest goes in the background. The ledger's entries and the audit log stay."
        )
