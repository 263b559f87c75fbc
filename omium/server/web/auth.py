"""Authentication: from the Authorization header to a principal.

Chooses by the form of the bearer: `om_…` an API key (key_auth.py), `oms_…` a person's session
(session_auth.py), `omt_…` a short-lived token made from a key (token_auth.py). Owns the cache of headers that
were checked against rows of known.py, so that a request costs one digest and no query. The header is the only
way in: there are no cookies, so no page in a browser can send one for a person.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from omium.clock import US_PER_S, Clock
from omium.errors import Unauthenticated
from omium.server.db.tx import Database
from omium.server.principal import Principal, PrincipalKind
from omium.server.seal import KeyFile
from omium.server.web.key_auth import KeyForm
from omium.server.web.known import BearerForm, Known
from omium.server.web.session_auth import SessionForm
from omium.server.web.token_auth import PREFIX, TokenForm

CACHED_HEADERS_MAX = 10_000


class Authenticator:
    """Checks bearers of every form; one for each server process."""

    def __init__(
        self, db: Database, key_file: KeyFile, clock: Clock, cache_s: float, session_idle_s: float
    ) -> None:
        self._clock = clock
        self._cache_us = round(cache_s * US_PER_S)
        self.keys = KeyForm(db, key_file, clock, self._cache_us)
        self.sessions = SessionForm(
            db, key_file, clock, self._cache_us, idle_us=round(session_idle_s * US_PER_S)
        )
        self._forms: dict[str, BearerForm] = {
            "om": self.keys,
            "oms": self.sessions,
            PREFIX: TokenForm(self.keys, key_file, clock),
        }
        self._seen: dict[bytes, Known] = {}  # by digest of the whole header: no secret is kept

    async def authenticate(self, headers: Mapping[str, str]) -> Principal:
        """Return who asks, or raise `Unauthenticated` or what its form refuses what has ended with."""
        header = headers.get("authorization", "")
        seen = hashlib.sha256(header.encode("latin-1", "replace")).digest()
        known = self._seen.get(seen)
        if known is None or self._clock.boot_us() - known.read_at_us > self._cache_us:
            known = await self._check(header)
            if known.form.believes(known):  # else it was changed while it was read
                if len(self._seen) >= CACHED_HEADERS_MAX:
                    self._seen.clear()
                self._seen[seen] = known
        if not known.active:
            raise known.form.refuse_ended()
        if known.expires_us is not None and known.expires_us <= self._clock.now_us():
            raise known.form.refuse_expired()
        return known.principal

    async def _check(self, header: str) -> Known:
        """Return what the bearer in `header` stands for, if it is one of ours and its secret fits."""
        if header[:9].lower() == "bearer%20":  # exporters that send OTEL_EXPORTER_OTLP_HEADERS as it is
            header = f"{header[:6]} {header[9:]}"
        scheme, _, token = header.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("Send an API key in the header: Authorization: Bearer om_…")
        return await self._forms.get(token.partition("_")[0], self.keys).check(token)

    async def is_still_good(self, principal: Principal) -> bool:
        """Say whether a principal that was let in is still welcome: streams ask again and again."""
        match principal.kind:
            case PrincipalKind.KEY:
                return await self.keys.is_still_good(principal)
            case PrincipalKind.USER:
                return await self.sessions.is_still_good(principal)
            case PrincipalKind.NOBODY | PrincipalKind.SERVER:
                return True

    def forget(self, *row_ids: str) -> None:
        """Drop what is known of keys or sessions, by id: they were changed just now."""
        for row_id in row_ids:
            for form in self._forms.values():
                form.forget(row_id)
        self._seen.clear()

    async def close(self) -> None:
        """Wait for what is still being read or noted."""
        for form in self._forms.values():
            await form.close()
