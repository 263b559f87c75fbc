"""Sessions: opening one, and its secret, which is shown once and stored as a keyed digest.

A session is in exactly one tenant and one environment; going elsewhere opens another and ends this one, with
another secret and the same fixed end. If the process dies before the commit there is no session; after it,
one whose secret nobody knows: it is in the list, and ends by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from omium.errors import SessionEnded
from omium.ids import new_id
from omium.models.people import NewSession
from omium.server.accounts.credentials import Credential, Form, digest_credential, id_prefix, make_credential
from omium.server.accounts.roles import scopes_of
from omium.server.db.tx import Tx
from omium.server.principal import Principal
from omium.server.seal import KeyFile
from omium.server.store import sessions as store
from omium.server.store import users
from omium.server.store.memberships import OwnTenant
from omium.server.store.users import UserRow
from omium.states import Environment, Role

AGENT_CHARACTERS_MAX: Final = 200
OPEN_MAX: Final = 50  # of one user; the oldest end


@dataclass(frozen=True, slots=True)
class MadeSession:
    """A session that is not stored yet, and where it is opened from."""

    credential: Credential
    digest: bytes
    agent: str
    address: str


def make_session(key_file: KeyFile, now_us: int, agent: str, address: str) -> MadeSession:
    """Return a new secret; outside of any transaction, because a work may run twice."""
    credential = make_credential(Form.SESSION, new_id(id_prefix(Form.SESSION), now_us))
    return MadeSession(
        credential, digest_credential(key_file, credential), agent[:AGENT_CHARACTERS_MAX], address
    )


def open_session(
    tx: Tx, made: MadeSession, user: UserRow, tenant: OwnTenant, environment: Environment, max_us: int
) -> NewSession:
    """Store `made` for `user` in `tenant`, for `max_us` at most, and return what is shown this once."""
    store.end_oldest(tx, user.id, OPEN_MAX - 1)
    row = store.SessionRow(
        id=made.credential.row_id,
        user_id=user.id,
        tenant_id=tenant.id,
        environment=environment.value,
        digest=made.digest,
        agent=made.agent,
        address=made.address,
        created_us=tx.now_us,
        last_used_us=tx.now_us,
        expires_us=tx.now_us + max_us,
        ended_us=None,
    )
    store.insert_session(tx, row)
    role = Role(tenant.role)
    return NewSession(
        session_token=made.credential.text,
        session_id=row.id,
        user=user.name,
        user_id=user.id,
        tenant=tenant.name,
        tenant_id=tenant.id,
        role=role,
        environment=environment,
        scopes=sorted(scopes_of(role, server_owner=bool(user.server_owner))),
        expires_at_us=row.expires_us,
    )


def move_session(
    tx: Tx, made: MadeSession, principal: Principal, tenant: OwnTenant, environment: Environment
) -> NewSession:
    """Open `made` in place of the session that `principal` came with, which ends; its fixed end stays.

    Raises `SessionEnded` where it was ended meanwhile, here or at another server: what was revoked does not
    go on under another secret. Twice at once: the second is refused.
    """
    user = users.lock_user(tx, principal.id)
    former = store.find_standing(tx, principal.credential_id)
    if user is None or former is None or not store.end_session(tx, user.id, former.id):
        raise SessionEnded("This session was ended; log in again with `omium login`.")
    return open_session(tx, made, user, tenant, environment, former.expires_us - tx.now_us)
