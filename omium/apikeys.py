"""API keys as text: `om_<environment>_<key id>_<secret><checksum>`.

Owns the form: making one, taking one apart, noticing a typo without asking anybody. The key id is the row's
id without its prefix; the secret has 178 bits; the checksum is a CRC-32 over all that stands before it.
What the server keeps of a key, and how it compares, is `omium/server/seal.py`.
"""

from __future__ import annotations

import re
import secrets
import zlib
from dataclasses import dataclass, field

KEY_ID_PREFIX = "ak"

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET_CHARACTERS = 30  # 30 · log2(62) = 178.6 bits
_CHECKSUM_CHARACTERS = 6  # 62**6 > 2**32
_FORM = re.compile(
    r"om_([a-z]{1,16})_([0-9a-hjkmnp-tv-z]{26})_"
    rf"([0-9A-Za-z]{{{_SECRET_CHARACTERS}}})([0-9A-Za-z]{{{_CHECKSUM_CHARACTERS}}})"
)


@dataclass(frozen=True, slots=True)
class ApiKeyParts:
    """A key taken apart. Its `repr` does not show the secret."""

    environment: str
    key_id: str
    """Id of the row, such as `ak_01k9…`."""
    secret: str = field(repr=False)

    @property
    def token(self) -> str:
        """The key as people copy it."""
        body = f"om_{self.environment}_{self.key_id.removeprefix(KEY_ID_PREFIX + '_')}_{self.secret}"
        return body + _checksum(body)


def make_api_key(environment: str, key_id: str) -> ApiKeyParts:
    """Return a key with a fresh secret for the row `key_id`, made by `new_id("ak", …)`."""
    made = ApiKeyParts(
        environment, key_id, "".join(secrets.choice(_ALPHABET) for _ in range(_SECRET_CHARACTERS))
    )
    if split_api_key(made.token) != made:
        raise ValueError(f"{environment!r} and {key_id!r} do not make an API key")
    return made


def split_api_key(token: str) -> ApiKeyParts | None:
    """Return the parts of `token`, or None if it has not the form of a key or was mistyped."""
    match = _FORM.fullmatch(token)
    if match is None or _checksum(token[:-_CHECKSUM_CHARACTERS]) != match[4]:
        return None
    return ApiKeyParts(environment=match[1], key_id=f"{KEY_ID_PREFIX}_{match[2]}", secret=match[3])


def _checksum(body: str) -> str:
    number = zlib.crc32(body.encode())
    digits = ""
    for _ in range(_CHECKSUM_CHARACTERS):
        number, digit = divmod(number, 62)
        digits = _ALPHABET[digit] + digits
    return digits
