"""Plan tokens: the proof that a person saw the plan that a replay follows; any difference voids it.

A token is `expiry.HMAC` over what the plan was made from and for whom. Nothing is stored: the same facts give
the same HMAC, so a token cannot be used for another source, another edit, by another principal, or after the
source has changed. Made with the server's key file, valid for an hour.
"""

from __future__ import annotations

import hmac

from omium.clock import US_PER_S
from omium.errors import PlanStale
from omium.jsonvalue import JsonValue, canonical_bytes
from omium.models.replay import PlanReplay
from omium.server.engine.source import Source
from omium.server.principal import Principal
from omium.server.seal import KeyFile, Purpose

TOKEN_LIFE_S = 3600


def make_token(
    keys: KeyFile, principal: Principal, source: Source, command: PlanReplay, now_us: int
) -> tuple[str, int]:
    """Return the token of the plan for `command`, and until when it's good."""
    expires_us = now_us + TOKEN_LIFE_S * US_PER_S
    return f"{expires_us}.{_sign(keys, principal, source, command, expires_us)}", expires_us


def check_token(
    keys: KeyFile, principal: Principal, source: Source, command: PlanReplay, token: str, now_us: int
) -> None:
    """Raise `PlanStale` unless `token` was made of exactly these facts within the last hour."""
    expiry, _, signature = token.partition(".")
    expires_us = int(expiry) if expiry.isascii() and expiry.isdigit() and len(expiry) < 20 else 0
    if now_us >= expires_us:
        raise PlanStale("The plan is more than an hour old; make a new one.")
    expected = _sign(keys, principal, source, command, expires_us)
    if not hmac.compare_digest(signature.encode(), expected.encode()):
        raise PlanStale(
            f"{source.row.id}, the edits or the decisions are not those of the plan any more; make a new one."
        )


def _sign(keys: KeyFile, principal: Principal, source: Source, command: PlanReplay, expires_us: int) -> str:
    asked = command.model_dump(mode="json", include=set(PlanReplay.model_fields))
    facts: list[JsonValue] = [
        principal.tenant_id,
        principal.id,
        source.row.id,
        source.row.generation,
        source.row.last_seq,
        (source.details.code or b"").decode(),
        asked,
        expires_us,
    ]
    return keys.hmac(Purpose.PLAN_TOKEN, canonical_bytes(facts)).hex()
