"""`omium members list|invite|invitations|withdraw|role|remove|leave`: who is in the tenant, and as what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from omium.cli.context import Common, for_server
from omium.cli.ending import WrongUse
from omium.cli.options import Yes
from omium.cli.table import Column
from omium.states import Role
from omium.words import ago, now_us

if TYPE_CHECKING:
    from omium.models.people import Member
    from omium.sdk.sync_client import Client

app = typer.Typer(
    help="Manage who is in the tenant, and their roles.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

MemberName = Annotated[str, typer.Argument(metavar="USER", help="A member: the name or the id.")]


@app.command("list")
@for_server
def list_members(common: Common) -> None:
    """List the members with their roles.

    \b
    omium members list
    """
    with common.client() as client:
        members = list(client.each(client.list_members, limit=200))
    if common.output.as_json:
        common.output.json(members)
        return
    at_us = now_us()
    common.output.table(
        [
            Column("USER", lambda m: m.user, give="cut"),
            Column("ROLE", lambda m: m.role.value),
            Column("KEYS", lambda m: str(m.active_keys), align="right", spare=1),
            Column("SINCE", lambda m: ago(m.joined_at_us, at_us), spare=2),
            Column("ID", lambda m: m.user_id, give="id"),
        ],
        members,
        empty="No members: only API keys act here. Invite somebody: omium members invite --role owner",
    )


@app.command("invite")
@for_server
def invite(
    common: Common,
    role: Annotated[Role, typer.Option("--role", help="What the person becomes.")] = Role.OPERATOR,
    note: Annotated[str, typer.Option("--note", help="Whom it is for; shown in the list.")] = "",
    days: Annotated[int, typer.Option("--days", min=1, max=30, help="How long it can be used.")] = 7,
    server_owner: Annotated[
        bool, typer.Option("--server-owner", help="Whoever accepts owns the server itself, too.")
    ] = False,
) -> None:
    """Invite a person; the secret is shown this once. Give it to nobody else: who has it, joins.

    \b
    omium members invite --role operator --note "Bob, on call"
    """
    from omium.models.people import CreateInvitation

    command = CreateInvitation(role=role, note=note, expires_in_s=days * 24 * 3600, server_owner=server_owner)
    with common.client() as client:
        made = client.create_invitation(command)
        base_url = client.settings.base_url
    if common.output.as_json:
        common.output.json(made)
        return
    common.output.show(made.invitation_token)
    common.output.say(
        f"One person joins {made.tenant} with it, as {made.role.value}, within {days} days:"
        f" omium signup --base-url {base_url} --invitation-file -"
    )


@app.command("invitations")
@for_server
def list_invitations(common: Common) -> None:
    """List the invitations, newest first. Secrets are never shown again.

    \b
    omium members invitations
    """
    with common.client() as client:
        invitations = list(client.each(client.list_invitations, limit=200))
    if common.output.as_json:
        common.output.json(invitations)
        return
    at_us = now_us()
    common.output.table(
        [
            Column("INVITATION", lambda i: i.id, give="id"),
            Column("STATUS", lambda i: i.status),
            Column("ROLE", lambda i: i.role.value),
            Column("NOTE", lambda i: i.note, give="cut", spare=1),
            Column("EXPIRES", lambda i: ago(i.expires_at_us, at_us)),
        ],
        invitations,
        empty="No invitations. Invite somebody: omium members invite",
    )


@app.command("withdraw")
@for_server
def withdraw(
    common: Common, invitation_id: Annotated[str, typer.Argument(metavar="ID", help="An invitation.")]
) -> None:
    """Revoke an invitation that was not used yet.

    \b
    omium members withdraw in_01mcc5rm00ngqz8ctbd9ygs3xh
    """
    with common.client() as client:
        invitation = client.revoke_invitation(invitation_id)
    if common.output.as_json:
        common.output.json(invitation)
    else:
        common.output.say(f"{invitation.id} is {invitation.status}.")


@app.command("role")
@for_server
def set_role(
    common: Common,
    member: MemberName,
    role: Annotated[Role, typer.Argument(help="owner, admin, operator or viewer.")],
) -> None:
    """Give a member another role, at most your own.

    \b
    omium members role bob viewer
    """
    from omium.models.people import SetRole

    with common.client() as client:
        changed = client.set_member_role(_find(client, member).user_id, SetRole(role=role))
    if common.output.as_json:
        common.output.json(changed)
    else:
        common.output.say(f"{changed.user} is {changed.role.value}.")


@app.command("remove")
@for_server
def remove(common: Common, member: MemberName, yes: Yes = False) -> None:
    """Remove a member. The sessions end at once, API keys that he has created stay.

    \b
    omium members remove bob
    """
    with common.client() as client:
        found = _find(client, member)
        common.output.confirm(f"Remove {found.user} ({found.role.value})?", yes=yes)
        removed = client.remove_member(found.user_id)
    _show_gone(common, removed)


@app.command("leave")
@for_server
def leave(common: Common, yes: Yes = False) -> None:
    """Leave the tenant yourself. The last owner cannot.

    \b
    omium members leave
    """
    with common.client() as client:
        common.output.confirm("Leave this tenant?", yes=yes)
        removed = client.leave_tenant()
    _show_gone(common, removed)


def _show_gone(common: Common, removed: Member) -> None:
    if common.output.as_json:
        common.output.json(removed)
        return
    common.output.say(f"{removed.user} is no member any more.")
    if removed.active_keys:
        common.output.say(
            f"{removed.active_keys} API keys that {removed.user} has created are valid still: omium keys list"
        )


def _find(client: Client, given: str) -> Member:
    """Return the member whose name or id is `given`."""
    folded = given.casefold()
    for member in client.each(client.list_members, limit=200):
        if given == member.user_id or folded == member.user:
            return member
    raise WrongUse(f"There is no member {given}; `omium members list` shows them.")
