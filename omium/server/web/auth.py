"""Authentication: from the Authorization header to a principal.

    Bearer om_…  >  form and checksum, without a query  >  row by key id, believed for a second  >  keyed
    digest, compared in constant time  >  status, expiry  >  Principal

Owns the short cache of rows, and beside it one of headers that were checked against them and the throttled
note of last use. An unknown key and a wrong secret get the same answer. A revoked key is forgotten at once
here, and within `key_cache_s` on every other server.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass

from omium.apikeys import split_api_key
from omium.clock import Clock
from omium.errors import KeyExpired, KeyRevoked, Problem, Unauthenticated
from omium.logs import get_logger
from omium.server.db.tx import Database
from omium.server.principal import Principal, PrincipalKind
from omium.server.seal import KeyFile
from omium.server.store import api_keys as store
from omium.states import Environment, Scope

CACHED_KEYS_MAX = 10_000
LAST_USED_THROTTLE_US = 60 * 1_000_000

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Known:
    """A row as it was read, with the principal that it makes."""

    digest: bytes
    status: str
    expires_us: int | None
    principal: Principal
    read_at_us: int  # on the boot clock


class Authenticator:
    """Checks API keys; one for each server process."""

    def __init__(self, db: Database, key_file: KeyFile, clock: Clock, cache_s: float) -> None:
        self._db = db
        self._key_file = key_file
        self._clock = clock
        self._cache_us = round(cache_s * 1_000_000)
        self._known: dict[str, _Known] = {}
        self._seen: dict[bytes, _Known] = {}  # by digest of the whole header: no secret is kept
        self._loading: dict[str, asyncio.Task[_Known | None]] = {}
        self._touching: set[asyncio.Task[None]] = set()

    async def authenticate(self, headers: Mapping[str, str]) -> Principal:
        """Return who asks, or raise `Unauthenticated`, `KeyExpired` or `KeyRevoked`."""
        header = headers.get("authorization", "")
        seen = hashlib.sha256(header.encode("latin-1", "replace")).digest()
        known = self._seen.get(seen)
        if known is None or self._clock.boot_us() - known.read_at_us > self._cache_us:
            known = await self._check(header)
            if self._known.get(known.principal.id) is known:  # else it was revoked while it was read
                if len(self._seen) >= CACHED_KEYS_MAX:
                    self._seen.clear()
                self._seen[seen] = known
        if known.status != store.ACTIVE:
            raise KeyRevoked("This API key was revoked; create another with `omium keys create`.")
        if known.expires_us is not None and known.expires_us <= self._clock.now_us():
            raise KeyExpired("This API key has expired; create another with `omium keys create`.")
        return known.principal

    async def _check(self, header: str) -> _Known:
        """Return what the key in `header` stands for, if it is one of ours and its secret fits."""
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("Send an API key in the header: Authorization: Bearer om_…")
        parts = split_api_key(token.strip())
        if parts is None:
            raise Unauthenticated(
                "This is no Omium API key, or a character of it is wrong; compare it with the original."
            )
        known = self._known.get(parts.key_id)
        if known is None or self._clock.boot_us() - known.read_at_us > self._cache_us:
            known = await self._load(parts.key_id)
        digest = self._key_file.digest_api_key(parts)  # covers the environment in the key, too
        # Compared in any case, so that the time tells nothing about which ids exist.
        fits = hmac.compare_digest(digest, known.digest if known else bytes(len(digest)))
        if known is None or not fits:
            raise Unauthenticated("This API key does not exist here; check OMIUM_BASE_URL and the key.")
        return known

    async def is_still_good(self, principal: Principal) -> bool:
        """Say whether a principal that was let in is still welcome: streams ask again and again."""
        if principal.kind is not PrincipalKind.KEY:
            return True
        known = self._known.get(principal.id)
        if known is None or self._clock.boot_us() - known.read_at_us > self._cache_us:
            known = await self._load(principal.id)
        if known is None or known.status != store.ACTIVE:
            return False
        return known.expires_us is None or known.expires_us > self._clock.now_us()

    def forget(self, key_id: str) -> None:
        """Drop what is known of the key, and what is being read: it was changed just now."""
        self._known.pop(key_id, None)
        self._loading.pop(key_id, None)
        self._seen.clear()

    async def close(self) -> None:
        """Wait for what is still being read or noted."""
        await asyncio.gather(*self._loading.values(), *self._touching, return_exceptions=True)

    async def _load(self, key_id: str) -> _Known | None:
        """Read the row; requests that ask at the same time share one read."""
        task = self._loading.get(key_id)
        if task is None:
            task = self._loading[key_id] = asyncio.create_task(self._read(key_id))
            task.add_done_callback(_look_at)
        return await asyncio.shield(task)

    async def _read(self, key_id: str) -> _Known | None:
        this = asyncio.current_task()
        read_at_us = self._clock.boot_us()
        try:
            row = await self._db.read(lambda tx: store.find_key(tx, key_id))
            if row is None:
                return None
            known = _Known(row.digest, row.status, row.expires_us, make_principal(row), read_at_us)
            if self._loading.get(key_id) is this:  # else it was revoked while it was read: believe nothing
                if len(self._known) >= CACHED_KEYS_MAX:
                    self._known.clear()
                self._known[key_id] = known
            if row.last_used_us is None or self._clock.now_us() - row.last_used_us > LAST_USED_THROTTLE_US:
                self._note_use(key_id)
            return known
        finally:
            if self._loading.get(key_id) is this:
                del self._loading[key_id]

    def _note_use(self, key_id: str) -> None:
        task = asyncio.create_task(self._touch(key_id))
        self._touching.add(task)
        task.add_done_callback(self._touching.discard)

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


def _look_at(task: asyncio.Task[_Known | None]) -> None:
    """Take note of a failed read whose askers have all gone, or asyncio warns about it."""
    if not task.cancelled():
        task.exception()
