"""Settings about people: members, invitations, sessions, tenants."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from functools import partial
from typing import Final

from omium.models.people import (
    CreateInvitation,
    CreateTenant,
    Invitation,
    Member,
    NewInvitation,
    OwnTenant,
    RenameTenant,
    Session,
    SetRole,
)
from omium.models.wire import Page
from omium.states import Role
from omium.tui.checks import whole_number
from omium.tui.content import cell, right, state
from omium.tui.dialogs import Field, Form, Reading
from omium.tui.pages.sections import Section
from omium.tui.widgets.listing import Column
from omium.words import ago, now_us

ROLES: Final = tuple(role.value for role in Role)
_DAYS: Final = whole_number("A number of days from 1 to 30.", least=1, most=30, empty=False)
DAY_S: Final = 24 * 3600


class Members(Section[Member]):
    """Who belongs to the tenant."""

    name = "members"
    title = "Members"
    empty = "No members: only API keys act here. Invite somebody under Invitations."
    command = "omium members list"

    def columns(self) -> Sequence[Column[Member]]:
        return (
            Column("User", lambda m: cell(m.user)),
            Column("Role", lambda m: cell(m.role.value), 9),
            Column("Keys", lambda m: right(m.active_keys), 5),
            Column("Joined", lambda m: cell(ago(m.joined_at_us, now_us())), 12),
            Column("Invited by", lambda m: cell(m.invited_by or "-"), 24, hide_below=100),
        )

    def key_of(self, item: Member) -> str:
        return item.user_id

    def list_page(self, after: str | None) -> Awaitable[Page[Member]]:
        return self.client.list_members(after=after)

    def change(self) -> None:
        """Give another role."""
        member = self.pointed
        if member is not None:
            role = Field("role", "Role", member.role.value, kind="choice", choices=ROLES, required=True)
            self.page.app.push_screen(Form(f"Role of {member.user}", [role]), partial(self._set_role, member))

    def _set_role(self, member: Member, given: Mapping[str, str] | None) -> None:
        if given is not None:
            command = SetRole(role=Role(given["role"]))
            self.page.act(
                f"Make {member.user} {command.role.value}",
                lambda: self.client.set_member_role(member.user_id, command),
                said=f"{member.user} is {command.role.value} now.",
            )

    def remove(self) -> None:
        """Take members out."""
        self.remove_each(
            "Remove {} from this tenant?",
            "Their sessions here end; keys that they made stay valid until they are revoked.",
            "Remove",
            lambda member: self.client.remove_member(member.user_id),
            lambda member: member.user,
        )


class Invitations(Section[Invitation]):
    """Who may become a member."""

    name = "invitations"
    title = "Invitations"
    empty = "Nobody is invited. + makes an invitation; its secret is shown once."
    command = "omium members invitations"

    def columns(self) -> Sequence[Column[Invitation]]:
        return (
            Column("For", lambda i: cell(i.note or "-")),
            Column("Role", lambda i: cell(i.role.value), 9),
            Column("Status", lambda i: state("active" if i.status == "open" else i.status), 12),
            Column("Made by", lambda i: cell(i.created_by), 24, hide_below=100),
            Column("Ends", lambda i: cell(ago(i.expires_at_us, now_us())), 12),
        )

    def key_of(self, item: Invitation) -> str:
        return item.id

    def list_page(self, after: str | None) -> Awaitable[Page[Invitation]]:
        return self.client.list_invitations(after=after)

    def create(self) -> None:
        """Invite a person."""
        fields = [
            Field("note", "Whom it is for", placeholder="Bob, on call"),
            Field("role", "Role", "operator", kind="choice", choices=ROLES, required=True),
            Field("days", "Days that it can be used", "7", check=_DAYS),
        ]
        self.page.app.push_screen(Form("Invite a person", fields, send="Invite"), self._create)

    def _create(self, given: Mapping[str, str] | None) -> None:
        if given is not None:
            command = CreateInvitation(
                role=Role(given["role"]), note=given["note"], expires_in_s=int(given["days"]) * DAY_S
            )
            self.page.act(
                f"Invite {given['note'] or 'a person'}",
                lambda: self.client.create_invitation(command),
                self._show,
            )

    def _show(self, made: NewInvitation) -> None:
        note = (
            f"One person joins {made.tenant} with it, as {made.role.value}. It is shown this once; whoever"
            " has it, joins: omium signup --invitation-file - , or where the dashboard asks for a server."
        )
        self.page.app.push_screen(Reading("The invitation", made.invitation_token, note=note))

    def remove(self) -> None:
        """Revoke invitations."""
        self.remove_each(
            "Revoke {}?",
            "Nobody can join with it any more.",
            "Revoke",
            lambda each: self.client.revoke_invitation(each.id),
            lambda each: f"the invitation for {each.note or each.id}",
        )


class Sessions(Section[Session]):
    """Where you are logged in."""

    name = "sessions"
    title = "Sessions"
    empty = "You act with an API key; sessions belong to people who have logged in."
    command = "omium sessions list"

    def columns(self) -> Sequence[Column[Session]]:
        return (
            Column("Where", lambda s: cell(f"{s.agent or '?'} {s.address}")),
            Column("Tenant", lambda s: cell(f"{s.tenant}/{s.environment.value}"), 18),
            Column("Used", lambda s: cell(ago(s.last_used_at_us, now_us())), 12),
            Column("Ends", lambda s: cell(ago(s.expires_at_us, now_us())), 12, hide_below=100),
            Column("", lambda s: cell("this one" if s.current else ""), 8),
        )

    def key_of(self, item: Session) -> str:
        return item.id

    def list_page(self, after: str | None) -> Awaitable[Page[Session]]:
        return self.client.list_sessions(after=after)

    def remove(self) -> None:
        """End sessions."""
        self.remove_each(
            "End {}?",
            "Whoever uses it is logged out at once.",
            "End",
            lambda session: self.client.revoke_session(session.id),
            lambda session: f"the session of {session.agent or session.address}",
        )


class Tenants(Section[OwnTenant]):
    """The tenants that you belong to."""

    name = "tenants"
    title = "Tenants"
    empty = "No tenants."
    command = "omium tenants list"

    def columns(self) -> Sequence[Column[OwnTenant]]:
        return (
            Column("Tenant", lambda t: cell(t.name)),
            Column("You are", lambda t: cell(t.role.value if t.role else "-"), 10),
            Column("Made", lambda t: cell(ago(t.created_at_us, now_us())), 12),
            Column("", lambda t: cell("this one" if t.current else ""), 8),
        )

    def key_of(self, item: OwnTenant) -> str:
        return item.id

    def list_page(self, after: str | None) -> Awaitable[Page[OwnTenant]]:
        return self.client.list_tenants(after=after)

    def create(self) -> None:
        """Make a tenant."""
        form = Form("New tenant", [Field("name", "Name", required=True)], send="Make it")
        self.page.app.push_screen(form, self._create)

    def _create(self, given: Mapping[str, str] | None) -> None:
        if given is not None:
            command = CreateTenant(name=given["name"])
            said = f"{command.name} is there; go to it with `omium login --tenant`."
            self.page.act(
                f"Make tenant {command.name}", lambda: self.client.create_tenant(command), said=said
            )

    def change(self) -> None:
        """Rename the present tenant."""
        tenant = self.pointed
        if tenant is None or not tenant.current:
            self.page.notify("Only the tenant that you are in can be renamed here.", severity="warning")
            return
        form = Form("Rename the tenant", [Field("name", "Name", tenant.name, required=True)], send="Rename")
        self.page.app.push_screen(form, self._rename)

    def _rename(self, given: Mapping[str, str] | None) -> None:
        if given is not None:
            command = RenameTenant(name=given["name"])
            said = f"It is called {command.name} now."
            self.page.act("Rename the tenant", lambda: self.client.rename_tenant(command), said=said)
