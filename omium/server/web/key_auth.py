"""API keys at the door: from `om_…` to a principal.

    form and checksum, without a query  >  row by key id, believed for a second  >  keyed digest, compared in
    constant time with both secrets that may count  >  status, expiry  >  Principal

An unknown key and a wrong secret get the same answer, after the same work: what does not fit is looked up
once more, because another server may have rotated the key just now. A key that was revoked or rotated is
forgotten at once here, and within `key_cache_s` on every other server. Owns the throttled note of last use.
"""

from __future__ import annotations

import hmac
import json
from dataclasses import replace

from omium.apikeys import split_api_key
from omium.clock import US_PER_S, Clock
from omium.errors import KeyExpired, KeyRevoked, KeyRotated, Problem, Unauthenticated
from omium.logs import get_logger
from omium.server.db.tx import Database
from omium.server.principal import Principal, PrincipalKind
from omium.server.seal import KeyFile
from omium.server.store import api_keys as store
from omium.server.web.known import BearerForm, Known, KnownRows, Notes
from omium.states import Environment, Scope

LAST_USED_THROTTLE_US = 60 * US_PER_S

log = get_logger(__name__)


class KeyForm:
    """Checks API keys."""

    def __init__(self, db: Database, key_file: KeyFile, clock: Clock, cache_us: int) -> None:
        self._db = db
        self._key_file = key_file
        self._clock = clock
        self._rows = KnownRows(clock, cache_us, self._read)
        self._notes = Notes()
        self._former = _FormerSecret(self)

    async def check(self, token: str) -> Known:
        """Return what the key stands for, if it is one of ours and its secret fits."""
        parts = split_api_key(token)
        if parts is None:
            raise Unauthenticated(
                "This is no Omium API key, or a character of it is wrong; compare it with the original."
            )
        digest = self._key_file.digest_api_key(parts)  # covers the environment in the key, too
        found = self._match(await self._rows.find(parts.key_id), digest)
        if found is None:
            found = self._match(await self._rows.find_again(parts.key_id), digest)
        if found is None:
            raise Unauthenticated("This API key does not exist here; check OMIUM_BASE_URL and the key.")
        return found

    def _match(self, known: Known | None, digest: bytes) -> Known | None:
        """Return what the key is to whoever has shown a secret with this digest, None if it has none such."""
        nothing = bytes(len(digest))
        # Both compared in any case, so that the time tells nothing about which ids exist.
        fits = hmac.compare_digest(digest, known.digest if known else nothing)
        former = hmac.compare_digest(digest, (known.previous_digest if known else None) or nothing)
        if known is None or not (fits or former):
            return None
        return known if fits else self._former.of(known)

    async def find(self, key_id: str) -> Known | None:
        """Return what is known of the key `key_id`, at most `key_cache_s` old."""
        return await self._rows.find(key_id)

    async def find_again(self, key_id: str) -> Known | None:
        """Return what the key's row says now: another server may have changed it."""
        return await self._rows.find_again(key_id)

    def believes(self, known: Known) -> bool:
        return self._rows.holds(known)

    async def is_still_good(self, principal: Principal) -> bool:
        known = await self._rows.find(principal.id)
        if known is None or not known.active or not _still_may(known.principal, principal):
            return False
        secret_until_us = secret_good_until_us(known, principal.secret_number)
        ends = (known.expires_us, principal.token_until_us, secret_until_us)
        return all(end_us is None or end_us > self._clock.now_us() for end_us in ends)

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
        return Known(
            row.id,
            row.digest,
            active,
            row.expires_us,
            make_principal(row),
            read_at_us,
            self,
            row.previous_digest,
            row.previous_until_us,
        )

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
        secret_number=row.secret_number,
    )


def _still_may(now: Principal, then: Principal) -> bool:
    """Say whether the key, as it is `now`, still may what was let in; a token had less from the beginning."""
    return then.scopes <= now.scopes and then.workflows == now.workflows


def secret_good_until_us(known: Known, secret_number: int) -> int | None:
    """Return until when that secret of the key is good: None for the present one, 0 before the last two."""
    present = known.principal.secret_number
    if secret_number == present:
        return None
    return known.previous_until_us or 0 if secret_number == present - 1 else 0


class _FormerSecret(BearerForm):
    """The secret before the present one, which is good until its grace is over."""

    def __init__(self, keys: KeyForm) -> None:
        self._keys = keys

    def of(self, known: Known) -> Known:
        """Return what a key is to whoever shows its former secret."""
        principal = replace(known.principal, secret_number=known.principal.secret_number - 1)
        until_us = known.previous_until_us or 0
        if known.expires_us is not None and known.expires_us <= until_us:
            return replace(known, principal=principal, row=known)
        return replace(known, principal=principal, expires_us=until_us, form=self, row=known)

    async def check(self, token: str) -> Known:
        return await self._keys.check(token)

    def believes(self, known: Known) -> bool:
        return self._keys.believes(known)

    async def is_still_good(self, principal: Principal) -> bool:
        return await self._keys.is_still_good(principal)

    def forget(self, row_id: str) -> None:
        self._keys.forget(row_id)

    def refuse_ended(self) -> Problem:
        return self._keys.refuse_ended()

    def refuse_expired(self) -> Problem:
        return refuse_rotated()

    async def close(self) -> None:
        """Nothing of its own is running."""


def refuse_rotated() -> KeyRotated:
    """Return the error for a secret that another one has replaced."""
    return KeyRotated("This API key was rotated and this is its old secret; use the new one.")
