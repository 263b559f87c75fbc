"""Sealing of the spool: AES-256-GCM under a key that lies in the profile's folder and never leaves it.

Records hold what steps returned, secrets included (semantics 2.3, 3.7), so a spool is never clear text. Owns
the key file and the form of a sealed body. Each spool file has a key of its own, derived from the profile's
key and the file's salt, so that the nonces of two files never meet.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from omium.errors import ConfigError

KEY_BYTES: Final = 32
SALT_BYTES: Final = 32
NONCE_BYTES: Final = 12


class Seal:
    """Seals and opens the bodies of one file."""

    def __init__(self, key: bytes, salt: bytes) -> None:
        derived = HKDF(SHA256(), KEY_BYTES, salt, b"omium spool v1").derive(key)
        self._cipher = AESGCM(derived)

    def seal(self, body: bytes, seq: int) -> bytes:
        """Return `body` sealed; it opens only as number `seq`."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, body, seq.to_bytes(8, "big"))

    def open(self, sealed: bytes, seq: int) -> bytes:
        """Return what was sealed; ValueError if it was altered, or is another key's."""
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], seq.to_bytes(8, "big"))
        except InvalidTag as error:
            raise ValueError("it was sealed with another key, or altered") from error


def load_key(folder: Path) -> bytes:
    """Return the profile folder's key, made at the first use. Two processes at once agree on one.

    Dying on the way leaves no key, or a whole one: it is written under another name and linked into place.
    """
    path = folder / "spool.key"
    if not path.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = folder / f".spool.key.{secrets.token_hex(8)}"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
            path.hardlink_to(temporary)
        except FileExistsError:
            pass  # another process was faster: its key counts
        finally:
            temporary.unlink()
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise ConfigError(f"{path} is not a key; restore it, or move it and {folder / 'spool'} away.")
    return key
