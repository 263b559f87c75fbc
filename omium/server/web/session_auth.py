"""Sessions at the door: from `oms_…` to the person behind it, in the session's one tenant.

As key_auth.py, and in the same order. What a person may do is read with the session, from the membership: a
role that changes, a member who is removed, a tenant that is deleted count at once here, and within
`key_cache_s` on every other server. A session ends when it is revoked, when it was idle for too long, and at
its fixed end at the latest.
"""

from __future__ import annotations

import hmac

from omium.clock import US_PER_S, Clock
from omium.errors import Problem, SessionEnded, Unauthenticated
from omium.logs import get_logger
from omium.server.accounts.credentials import Form, digest_credential, split_credential
from omium.server.accounts.roles import scopes_of
from omium.server.db.tx import Database
from omium.server.principal import Principal, PrincipalKind
from omium.server.seal import KeyFile
from omium.server.store import sessions as store
from omium.server.web.known import Known, KnownRows, Notes
from omium.states import Environment, Role

LAST_USED_THROTTLE_US = 60 * US_PER_S

log = get_logger(__name__)


class SessionForm:
    """Checks the sessions of people; `idle_us` is how long one may be unused."""

    def __init__(self, db: Database, key_file: KeyFile, clock: Clock, cache_us: int, idle_us: int) -> None:
        self._db = db
        self._key_file = key_file
        self._clock = clock
        self._idle_us = idle_us
        self._rows = KnownRows(clock, cache_us, self._read)
        self._notes = Notes()

    async def check(self, token: str) -> Known:
        """Return what the session stands for, if it is one of ours and its secret fits."""
        parts = split_credential(token, Form.SESSION)
        if parts is None:
            raise Unauthenticated("This is no session of Omium; log in again with `omium login`.")
        known = await self._rows.find(parts.row_id)
        digest = digest_credential(self._key_file, parts)
        fits = hmac.compare_digest(digest, known.digest if known else bytes(len(digest)))
        if known is None or not fits:
            raise Unauthenticated("This session does not exist here; log in again with `omium login`.")
        return known

    def believes(self, known: Known) -> bool:
        return self._rows.holds(known)

    async def is_still_good(self, principal: Principal) -> bool:
        known = await self._rows.find(principal.credential_id)
        if known is None or not known.active or known.principal != principal:  # another role is another one
            return False
        return known.expires_us is None or known.expires_us > self._clock.now_us()

    def forget(self, row_id: str) -> None:
        self._rows.forget(row_id)

    def refuse_ended(self) -> Problem:
        return SessionEnded("This session was ended; log in again with `omium login`.")

    def refuse_expired(self) -> Problem:
        return SessionEnded(
            "This session has run out, or was unused for long; log in again with `omium login`."
        )

    async def close(self) -> None:
        await self._rows.close()
        await self._notes.close()

    async def _read(self, session_id: str, read_at_us: int) -> Known | None:
        row = await self._db.read(lambda tx: store.find_standing(tx, session_id))
        if row is None:
            return None
        expires_us = min(row.expires_us, row.last_used_us + self._idle_us)
        now_us = self._clock.now_us()
        active = is_active(row)
        if active and expires_us > now_us and now_us - row.last_used_us > LAST_USED_THROTTLE_US:
            self._notes.begin(self._touch(session_id))
        return Known(row.id, row.digest, active, expires_us, make_principal(row), read_at_us, self)

    async def _touch(self, session_id: str) -> None:
        try:
            await self._db.write(lambda tx: store.touch_session(tx, session_id, LAST_USED_THROTTLE_US))
        except Problem as problem:  # busy, full or stopping: the note is a courtesy, the request goes on
            log.info("last use of a session was not noted", session_id=session_id, code=problem.code)


def is_active(row: store.StandingSession) -> bool:
    """Say whether the session's person is let in: it was not ended, and he is a member still."""
    ended = row.ended_us is not None or row.tenant_deleted_us is not None
    return not ended and row.status == "active" and row.role is not None


def make_principal(row: store.StandingSession) -> Principal:
    """Return the principal that a session stands for: with the scopes of the role in its tenant."""
    role = None if row.role is None else Role(row.role)
    return Principal(
        tenant_id=row.tenant_id,
        id=row.user_id,
        kind=PrincipalKind.USER,
        environment=Environment(row.environment),
        scopes=frozenset() if role is None else scopes_of(role, server_owner=bool(row.server_owner)),
        session_id=row.id,
        role=role,
    )
