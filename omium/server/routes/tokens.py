"""Tokens: an API key exchanged for something that ends by itself. What a token is, web/token_auth.py says.

Nothing is stored, so it can be asked for again and again, and nothing is left of a request that died.
"""

from __future__ import annotations

from omium.errors import NotExchangeable, ScopeMissing
from omium.models.keys import ExchangeKey, ShortToken
from omium.server.principal import PrincipalKind
from omium.server.web.endpoint import Call, Idempotency, endpoint
from omium.server.web.token_auth import TOKEN_SCOPES, make_token
from omium.states import Scope


@endpoint(
    "POST",
    "/v1/auth/token",
    scope=None,
    any_key=True,
    idempotent=Idempotency.NATURAL,
    body=ExchangeKey,
    reply=ShortToken,
    status=201,
    problems=(NotExchangeable, ScopeMissing),
    summary="Exchange the API key for a token that ends by itself, at the latest after 15 minutes",
    tags=("keys",),
)
async def exchange_key(call: Call[ExchangeKey]) -> ShortToken:
    principal = call.principal
    if principal.kind is not PrincipalKind.KEY or principal.token_until_us is not None:
        raise NotExchangeable("A token is made from an API key itself: send that one.")
    asked = call.body.scopes
    scopes = principal.scopes & TOKEN_SCOPES if asked is None else frozenset(asked)
    for scope in sorted(scopes):
        principal.require(scope)
        if scope not in TOKEN_SCOPES:
            raise ScopeMissing(
                f"A token never carries the scope {scope.value}; use the API key itself for that.",
                scope=scope.value,
            )
    now_us = call.server.clock.now_us()
    token, claims = make_token(call.server.key_file, principal, scopes, now_us, call.body.ttl_s)
    return ShortToken(
        token=token,
        expires_at_us=claims.expires_us,
        scopes=[Scope(name) for name in claims.scopes],
        environment=principal.environment,
    )


ENDPOINTS = [exchange_key]
