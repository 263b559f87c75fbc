"""Secrets of sessions and invitations as text: `oms_<id>_<secret><checksum>`, `omi_…`.

Owns the form: making one, taking one apart, noticing a typo without a query. API keys have a form of their
own (omium/apikeys.py). What the server keeps is a keyed digest (omium/server/seal.py).
"""

from __future__ import annotations

import re
import secrets
import zlib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from omium.server.seal import KeyFile, Purpose

_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET_CHARACTERS: Final = 43  # 43 · log2(62) = 256 bits
_CHECKSUM_CHARACTERS: Final = 8


class Form(StrEnum):
    """What a secret is for; the value is its prefix."""

    SESSION = "oms"
    INVITATION = "omi"


_ROW_PREFIX: Final = {Form.SESSION: "se", Form.INVITATION: "in"}
_TEXT: Final = re.compile(
    r"(om[si])_([0-9a-hjkmnp-tv-z]{26})_"
    rf"([0-9A-Za-z]{{{_SECRET_CHARACTERS}}})([0-9a-f]{{{_CHECKSUM_CHARACTERS}}})"
)


@dataclass(frozen=True, slots=True)
class Credential:
    """A secret taken apart. Its `repr` does not show it."""

    form: Form
    row_id: str
    """Id of the row, such as `se_01k9…`."""
    secret: str = field(repr=False)

    @property
    def text(self) -> str:
        """The secret as it is shown once."""
        body = f"{self.form.value}_{self.row_id.removeprefix(_ROW_PREFIX[self.form] + '_')}_{self.secret}"
        return body + _checksum(body)


def id_prefix(form: Form) -> str:
    """Return the prefix of the ids of the rows that hold digests of `form`."""
    return _ROW_PREFIX[form]


def make_credential(form: Form, row_id: str) -> Credential:
    """Return a fresh secret for the row `row_id`, whose id was made with `id_prefix(form)`."""
    return Credential(form, row_id, "".join(secrets.choice(_ALPHABET) for _ in range(_SECRET_CHARACTERS)))


def split_credential(text: str, form: Form) -> Credential | None:
    """Return the parts of `text`, or None if it does not have the form or was mistyped."""
    match = _TEXT.fullmatch(text)
    if match is None or match[1] != form.value or _checksum(text[:-_CHECKSUM_CHARACTERS]) != match[4]:
        return None
    return Credential(form, f"{_ROW_PREFIX[form]}_{match[2]}", match[3])


def digest_credential(key_file: KeyFile, credential: Credential) -> bytes:
    """Return what is stored; compare with `hmac.compare_digest`."""
    return key_file.hmac(Purpose.SESSION, credential.form.value, credential.row_id, credential.secret)


def _checksum(body: str) -> str:
    return f"{zlib.crc32(body.encode()):08x}"
