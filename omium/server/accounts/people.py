"""People: who becomes a user, and in which tenant he begins.

The first user of a fresh server shows the one-time token and owns the server. Later ones come by an
invitation, or on their own where the server's policy is `open`. Hashing is done before, outside of the
transaction (passwords.py); everything here is checked again inside of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from omium.errors import BootstrapClosed, InvalidRequest, NameTaken, SignUpClosed
from omium.server.accounts import tenants
from omium.server.accounts.invitations import Shown, check_invitation, use_invitation
from omium.server.db.tx import Tx
from omium.server.store import idempotency
from omium.server.store import tenants as tenant_store
from omium.server.store import users as store
from omium.server.store.memberships import OwnTenant
from omium.server.store.users import UserRow


@dataclass(frozen=True, slots=True)
class Claim:
    """The record that there is one of on a server, for whoever is first with a one-time token."""

    tenant_id: str = ""
    principal_id: str = "bootstrap"
    endpoint: str = "POST /v1/bootstrap"
    key: str = "first owner"


FIRST_OWNER: Final = Claim()


def admit_sign_up(tx: Tx, *, token_fits: bool | None, invitation: Shown | None, policy: str) -> None:
    """Raise unless this sign-up may go on, before its password is hashed.

    `token_fits` is None where no token was shown. Raises `BootstrapClosed`, `InvitationInvalid`,
    `SignUpClosed`. What it says does not depend on which names exist.
    """
    if token_fits is not None:
        if not token_fits or tenant_store.find_any_tenant_id(tx) is not None:
            raise BootstrapClosed(
                "The one-time token is wrong, too old or used. On a server without tenants a fresh one lies"
                " in the data folder; on any other, ask an owner for an invitation."
            )
        return
    if policy == "closed":
        raise SignUpClosed("This server takes no new users (OMIUM_SIGN_UP is closed).")
    if invitation is not None:
        check_invitation(tx, invitation)
    elif store.find_any_user_id(tx) is None:
        raise SignUpClosed(
            "This server has no users yet. On its own machine `omium signup` makes the first one; where an"
            " API key exists already, its owner invites: omium members invite --role owner --server-owner"
        )
    elif policy != "open":
        raise SignUpClosed("Ask an owner or an admin for an invitation: omium members invite")


def sign_up_first(
    tx: Tx, name: str, password: str, tenant: str | None, starter_microcredits: int
) -> tuple[UserRow, OwnTenant]:
    """Create the server's first user, who owns it, and the first tenant.

    Twice at once, also on two servers of one database, or beside the bootstrap: the record of the claim can
    be inserted once, so one call wins. Raises `BootstrapClosed`.
    """
    if not idempotency.insert_record(
        tx,
        tenant_id=FIRST_OWNER.tenant_id,
        principal_id=FIRST_OWNER.principal_id,
        endpoint=FIRST_OWNER.endpoint,
        key=FIRST_OWNER.key,
        body_digest="",  # nobody's: a bootstrap that follows finds another body
        status=201,
        reply=b"{}",
    ):
        raise BootstrapClosed("This server has an owner; ask him for an invitation.")
    user = _insert_user(tx, name, password, server_owner=True)
    return user, tenants.create_tenant(tx, tenant or "default", user, starter_microcredits)


def sign_up_invited(tx: Tx, name: str, password: str, invitation: Shown) -> tuple[UserRow, OwnTenant]:
    """Create a user who becomes a member by `invitation`. Raises `InvitationInvalid`, `NameTaken`."""
    row = check_invitation(tx, invitation)  # before the name: who has no invitation learns no names
    user = _insert_user(tx, name, password, server_owner=bool(row.server_owner))
    return user, use_invitation(tx, invitation, user.id)


def sign_up_open(
    tx: Tx, name: str, password: str, tenant: str | None, starter_microcredits: int
) -> tuple[UserRow, OwnTenant]:
    """Create a user with a tenant of his own, where the policy lets everybody in."""
    if tenant is None:
        raise InvalidRequest(
            "Name the tenant that is created for you.",
            errors=[{"pointer": "/tenant", "detail": "is missing"}],
        )
    user = _insert_user(tx, name, password, server_owner=False)
    return user, tenants.create_tenant(tx, tenant, user, starter_microcredits)


def _insert_user(tx: Tx, name: str, password: str, *, server_owner: bool) -> UserRow:
    user = store.insert_user(tx, name, password, server_owner=server_owner)
    if user is None:
        raise NameTaken(
            "There is a user of this name already; log in (`omium login`) or choose another name."
        )
    return user
