"""Signing: Standard Webhooks (https://www.standardwebhooks.com), so that receivers can use its libraries.

    webhook-id          the delivery's id: the same in every attempt, so a receiver can drop repeats
    webhook-timestamp   seconds since 1970, of this attempt
    webhook-signature   `v1,` and the base64 HMAC-SHA-256 of "id.timestamp.body", one for each valid secret

Tests let the specification's own library check what is made here.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import Final

from omium.clock import US_PER_S

PREFIX: Final = "whsec_"
SECRET_BYTES: Final = 32
FORMER_SECRET_S: Final = 86_400
"""How long the former secret is valid, too, after a rotation."""

Secrets = tuple[tuple[str, int | None], ...]
"""Signing secrets, the newest first, each with its end in microseconds or None."""


def make_secret() -> str:
    """Return a new signing secret."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def valid_secrets(kept: Secrets, now_us: int) -> list[str]:
    """Return the secrets that are valid now, the newest first."""
    return [secret for secret, until_us in kept if until_us is None or now_us < until_us]


def rotate_secrets(kept: Secrets, now_us: int) -> Secrets:
    """Return a new secret and the newest of those before, which is valid for a day more."""
    return (make_secret(), None), (kept[0][0], now_us + FORMER_SECRET_S * US_PER_S)


def sign(signing_secrets: Sequence[str], message_id: str, at_s: int, body: bytes) -> dict[str, str]:
    """Return the headers that prove to whoever knows one of `signing_secrets` where `body` comes from."""
    content = b"%s.%d.%s" % (message_id.encode(), at_s, body)
    signatures = [
        base64.b64encode(
            hmac.digest(base64.b64decode(secret.removeprefix(PREFIX)), content, hashlib.sha256)
        ).decode()
        for secret in signing_secrets
    ]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
