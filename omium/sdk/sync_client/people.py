"""Calls about people: signing up, logging in, sessions, members, invitations and tenants.

Generated from omium/sdk/async_client by tools/generate_sync_client.py: edit there.
"""

from __future__ import annotations

from omium.models.people import (
    AcceptInvitation,
    ChangePassword,
    CreateInvitation,
    CreateTenant,
    DeleteAccount,
    DeletedTenant,
    DeleteTenant,
    EndedSessions,
    Invitation,
    LogIn,
    Member,
    NewInvitation,
    NewSession,
    OwnTenant,
    RenameTenant,
    Session,
    SetRole,
    SignUp,
    SwitchSession,
)
from omium.models.wire import Page
from omium.sdk.sync_client.core import SyncCore, segment


class SyncPeople(SyncCore):
    """Users, their sessions, members, invitations, tenants."""

    def sign_up(self, command: SignUp) -> NewSession:
        """Become a user, and open a session; its secret is in the reply and nowhere else."""
        return self._send("POST", "/v1/sign-up", NewSession, command)

    def log_in(self, command: LogIn) -> NewSession:
        """Open a session in one tenant; its secret is in the reply and nowhere else."""
        return self._send("POST", "/v1/log-in", NewSession, command)

    def log_out(self) -> None:
        """End this client's session."""
        self._send("POST", "/v1/log-out", None)

    def change_password(self, command: ChangePassword) -> NewSession:
        """Set another password; every session ends, and the reply has a new one."""
        return self._send("POST", "/v1/account/password", NewSession, command)

    def delete_account(self, command: DeleteAccount) -> None:
        """Delete the user whose session this is; the last owner of a tenant cannot."""
        self._send("POST", "/v1/account/delete", None, command)

    def list_sessions(self, *, limit: int = 50, after: str | None = None) -> Page[Session]:
        """Return one page of the user's open sessions, newest first."""
        return self._get("/v1/sessions", Page[Session], {"limit": limit, "after": after})

    def revoke_session(self, session_id: str) -> EndedSessions:
        """End one of the user's sessions at once."""
        return self._send("POST", f"/v1/sessions/{segment(session_id)}/revoke", EndedSessions)

    def revoke_other_sessions(self) -> EndedSessions:
        """End every session of the user but this one."""
        return self._send("POST", "/v1/sessions/revoke-others", EndedSessions)

    def switch_session(self, command: SwitchSession) -> NewSession:
        """Go to another tenant or environment: the reply has a new session, this one ends."""
        return self._send("POST", "/v1/sessions/switch", NewSession, command)

    def list_members(self, *, limit: int = 50, after: str | None = None) -> Page[Member]:
        """Return one page of the tenant's members."""
        return self._get("/v1/members", Page[Member], {"limit": limit, "after": after})

    def set_member_role(self, user_id: str, command: SetRole) -> Member:
        """Give a member another role, at most one's own."""
        return self._send("POST", f"/v1/members/{segment(user_id)}/role", Member, command)

    def remove_member(self, user_id: str) -> Member:
        """Remove a member; keys that he has created stay valid, `active_keys` says how many."""
        return self._send("POST", f"/v1/members/{segment(user_id)}/remove", Member)

    def leave_tenant(self) -> Member:
        """Leave the tenant; the last owner cannot."""
        return self._send("POST", "/v1/tenant/leave", Member)

    def create_invitation(
        self, command: CreateInvitation | None = None, *, idempotency_key: str | None = None
    ) -> NewInvitation:
        """Invite a person; the secret is in the reply and nowhere else."""
        command = command or CreateInvitation()
        return self._send("POST", "/v1/invitations", NewInvitation, command, idempotency_key=idempotency_key)

    def list_invitations(self, *, limit: int = 50, after: str | None = None) -> Page[Invitation]:
        """Return one page of the tenant's invitations, newest first."""
        return self._get("/v1/invitations", Page[Invitation], {"limit": limit, "after": after})

    def revoke_invitation(self, invitation_id: str) -> Invitation:
        """Revoke an invitation that was not used yet."""
        return self._send("POST", f"/v1/invitations/{segment(invitation_id)}/revoke", Invitation)

    def accept_invitation(self, command: AcceptInvitation) -> NewSession:
        """Join a further tenant: the reply has a session there, this one ends."""
        return self._send("POST", "/v1/invitations/accept", NewSession, command)

    def list_tenants(self, *, limit: int = 50, after: str | None = None) -> Page[OwnTenant]:
        """Return one page of the user's tenants; of a key its own."""
        return self._get("/v1/tenants", Page[OwnTenant], {"limit": limit, "after": after})

    def create_tenant(self, command: CreateTenant, *, idempotency_key: str | None = None) -> OwnTenant:
        """Create a further tenant, owned by the user; go there with `switch_session`."""
        return self._send("POST", "/v1/tenants", OwnTenant, command, idempotency_key=idempotency_key)

    def rename_tenant(self, command: RenameTenant) -> OwnTenant:
        """Give the tenant another name."""
        return self._send("POST", "/v1/tenant/rename", OwnTenant, command)

    def delete_tenant(self, command: DeleteTenant) -> DeletedTenant:
        """Delete the tenant: its keys and sessions end at once, everything of it goes."""
        return self._send("POST", "/v1/tenant/delete", DeletedTenant, command)
