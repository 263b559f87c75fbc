"""API keys at the door: from `om_…` to a principal.

    form and checksum, without a query  >  row by key id, believed for a second  >  keyed digest, compared in
    constant time  >  status, expiry  >  Principal

An unknown key and a wrong secret get the same answer. A revoked key is forgotten at once here, and within
`key_cache_s` on every other server. Owns the throttled note of last use.
"""

from __future__ import annotations

import hmac
import json

from omium.apikeys import split_api_key
from omium.clock import Clock
from omium.errors import KeyExpired, KeyRevoked, Problem, Unauthenticated
from omium.logs import get_logger
from omium.server.db.tx import Database
from omium.server.principal import Principal, PrincipalKind
from omium.server.seal import KeyFile
from omium.server.store import api_keys as store
from omium.server.web.known import Known, KnownRows, Notes
from omium.states import Environment, Scope

LAST_USED_THROTTLE_US = 60 * 1_000_000

log = get_logger(__name__)


class KeyForm:
    """Checks API keys."""

    def __init__(self, db: Database, key_file: KeyFile, clock: Clock, cache_us: int) -> None:
        self._db = db
        self._key_file = key_file
        self._clock = clock
        self._rows = KnownRows(clock, cache_us, self._read)
        self._notes = Notes()

    async def check(self, token: str) -> Known:
        """Return what the key stands for, if it is one of ours and its secret fits."""
        parts = split_api_key(token)
        if parts is None:
            raise Unauthenticated(
                "This is no Omium API key, or a character of it is wrong; compare it with the original."
            )
        known = await self._rows.find(parts.key_id)
        digest = self._key_file.digest_api_key(parts)  # covers the environment in the key, too
        # Compared in any case, so that the time tells nothing about which ids exist.
        fits = hmac.compare_digest(digest, known.digest if known else bytes(len(digest)))
        if known is None or not fits:
            raise Unauthenticated("This API key does not exist here; check OMIUM_BASE_URL and the key.")
        return known

    async def find(self, key_id: str) -> Known | None:
        """Return what is known of the key `key_id`, at most `key_cache_s` old."""
        return await self._rows.find(key_id)

    def believes(self, known: Known) -> bool:
        return self._rows.holds(known)

    async def is_still_good(self, principal: Principal) -> bool:
        known = await self._rows.find(principal.id)
        if known is None or not known.active:
            return False
        return known.expires_us is None or known.expires_us > self._clock.now_us()

    def forget(self, row_id: str) -> None:
        self._rows.forget(row_id)

    def refuse_ended(self) -> Problem:
        return KeyRevoked("This API key was revoked; create another with `omium keys create`.")

    def refuse_expired(self) -> Problem:
        return KeyExpired("This API key has expired; create another with `omium keys create`.")

    async def close(self) -> None:
        await self._rows.close()
        await self._notes.close()

    async def _read(self, key_id: str, read_at_us: int) -> Known | None:
        row = await self._db.read(lambda tx: store.find_key(tx, key_id))
        if row is None:
            return None
        if row.last_used_us is None or self._clock.now_us() - row.last_used_us > LAST_USED_THROTTLE_US:
            self._notes.begin(self._touch(key_id))
        active = row.status == store.ACTIVE
        return Known(row.id, row.digest, active, row.expires_us, make_principal(row), read_at_us, self)

    async def _touch(self, key_id: str) -> None:
        try:
            await self._db.write(lambda tx: store.touch_key(tx, key_id, LAST_USED_THROTTLE_US))
        except Problem as problem:  # busy, full or stopping: the note is a courtesy, the request goes on
            log.info("last use of a key was not noted", key_id=key_id, code=problem.code)


def make_principal(row: store.KeyRow) -> Principal:
    """Return the principal that a key's row stands for."""
    return Principal(
        tenant_id=row.tenant_id,
        id=row.id,
        kind=PrincipalKind.KEY,
        environment=Environment(row.environment),
        scopes=frozenset(Scope(name) for name in row.scopes.split()),
        workflows=None if row.workflows is None else frozenset(json.loads(row.workflows)),
    )
