"""Short-lived tokens: `omt_…`, made from an API key, checked together with it at every use.

    omt_<key id of the signature>.<payload>.<signature>

The payload is JSON: whom it is for (this server), which key and secret it was made from, its scopes, when it
was made and when it ends. The signature is Ed25519 over all before it, under a fixed prefix: no algorithm can
be chosen and none is read from the token. A token alone lets nobody in: its key's row is looked at as for the
key itself, so what ends the key, or the secret, ends the token within a second. It never carries a scope that
manages or pays, and is not exchanged again. Why no JWT: docs/decisions/140-tokens-of-our-own-form.md.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from omium.clock import US_PER_S, Clock
from omium.errors import Problem, TokenExpired, Unauthenticated
from omium.jsonvalue import json_bytes
from omium.server.principal import Principal
from omium.server.seal import KeyFile
from omium.server.web.key_auth import KeyForm, refuse_rotated, secret_good_until_us
from omium.server.web.known import BearerForm, Known
from omium.states import Scope

PREFIX: Final = "omt"
TTL_S: Final = 15 * 60
SKEW_S: Final = 30
"""How far ahead the clock of another server that shares the key file may be."""

TOKEN_SCOPES: Final = frozenset({Scope.READ, Scope.RUN, Scope.OPERATE, Scope.WORKER, Scope.INGEST})
"""What a token may carry; everything else needs the key, or a person."""

_SIGNED_AS: Final = b"omium token 1\n"
_CHARACTERS_MAX: Final = 2_000
_FORM: Final = re.compile(r"omt_([0-9a-f]{16})\.([A-Za-z0-9_-]{2,1600})\.([A-Za-z0-9_-]{86})")


@dataclass(frozen=True, slots=True)
class TokenClaims:
    """What a token says."""

    audience: str
    key_id: str
    secret_number: int
    scopes: tuple[str, ...]
    issued_us: int
    expires_us: int
    id: str


def make_token(
    key_file: KeyFile, principal: Principal, scopes: Iterable[Scope], now_us: int, ttl_s: int = TTL_S
) -> tuple[str, TokenClaims]:
    """Return a token for the key that `principal` came with, and what it says."""
    claims = TokenClaims(
        audience=key_file.server_id,
        key_id=principal.id,
        secret_number=principal.secret_number,
        scopes=tuple(sorted(scope.value for scope in scopes if scope in TOKEN_SCOPES)),
        issued_us=now_us,
        expires_us=now_us + ttl_s * US_PER_S,
        id=secrets.token_hex(8),
    )
    return write_token(key_file, claims), claims


def write_token(key_file: KeyFile, claims: TokenClaims) -> str:
    """Return `claims` signed."""
    payload = {name: getattr(claims, name) for name in TokenClaims.__slots__}
    body = f"{PREFIX}_{key_file.token_key_id}.{_encode(json_bytes(payload | {'scopes': [*claims.scopes]}))}"
    return f"{body}.{_encode(key_file.sign_token(_SIGNED_AS + body.encode()))}"


def read_token(key_file: KeyFile, token: str) -> TokenClaims | None:
    """Return what `token` says if this key file has signed it for this server, else None; it may be old."""
    match = _FORM.fullmatch(token) if len(token) <= _CHARACTERS_MAX else None
    if match is None or match[1] != key_file.token_key_id:
        return None
    payload, signature = _decode(match[2]), _decode(match[3])
    if payload is None or signature is None:
        return None
    if not key_file.is_token_signature(signature, _SIGNED_AS + token.rpartition(".")[0].encode()):
        return None
    # From here on it is our own writing; nobody else's gets this far.
    values = json.loads(payload)
    claims = TokenClaims(**{**values, "scopes": tuple(values["scopes"])})
    return claims if claims.audience == key_file.server_id else None


class TokenForm(BearerForm):
    """Checks short-lived tokens, each against its key's row."""

    def __init__(self, keys: KeyForm, key_file: KeyFile, clock: Clock) -> None:
        self._keys = keys
        self._key_file = key_file
        self._clock = clock

    async def check(self, token: str) -> Known:
        """Return what the token stands for; the key's own refusals come first."""
        claims = read_token(self._key_file, token)
        now_us = self._clock.now_us()
        if claims is None or claims.issued_us > now_us + SKEW_S * US_PER_S:
            raise Unauthenticated(
                "This token was not made by this server, or was changed; exchange the key again."
            )
        known = await self._keys.find(claims.key_id)
        if known is None or claims.secret_number > known.principal.secret_number:
            known = await self._keys.find_again(claims.key_id)  # rotated at another server just now
        if known is None:
            raise Unauthenticated("The API key of this token does not exist here any more.")
        if known.expires_us is not None and known.expires_us <= now_us:
            raise self._keys.refuse_expired()
        secret_until_us = secret_good_until_us(known, claims.secret_number)
        if secret_until_us is not None and secret_until_us <= now_us:
            raise refuse_rotated()
        ends = (claims.expires_us, known.expires_us, secret_until_us)
        until_us = min(end_us for end_us in ends if end_us is not None)
        granted = {scope.value for scope in known.principal.scopes & TOKEN_SCOPES}
        principal = replace(
            known.principal,
            scopes=frozenset(Scope(name) for name in claims.scopes if name in granted),
            secret_number=claims.secret_number,
            token_until_us=until_us,
        )
        return replace(known, principal=principal, expires_us=until_us, form=self, row=known)

    def believes(self, known: Known) -> bool:
        return self._keys.believes(known)

    async def is_still_good(self, principal: Principal) -> bool:
        return await self._keys.is_still_good(principal)

    def forget(self, row_id: str) -> None:
        """Nothing of its own is kept: the rows are the keys'."""

    def refuse_ended(self) -> Problem:
        return self._keys.refuse_ended()

    def refuse_expired(self) -> Problem:
        return TokenExpired("This short-lived token has expired; exchange the API key for another one.")

    async def close(self) -> None:
        """Nothing of its own is running."""


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes | None:
    """Return the bytes that `text` is the one way to write, else None."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        return None
    return data if _encode(data) == text else None
