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

PREFIX: Final = "whsec_"
SECRET_BYTES: Final = 32


def make_secret() -> str:
    """Return a new signing secret."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


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
