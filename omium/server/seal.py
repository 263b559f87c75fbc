"""Sealing and keyed digests: everything that the server does with the secrets in its key file.

Owns the format of sealed bytes (AES-256-GCM from the `cryptography` package), one HMAC key per purpose, and
the Ed25519 key that signs short-lived tokens (what is in those, web/token_auth.py says). The file itself is
keyfile.py. The keys are outside the database, so that a stolen database or backup of it
shows neither sealed values nor which API keys exist.

Sealed bytes: format 1 | key id (2) | salt (16) | nonce (12) | ciphertext and tag. Each message has its own
key, derived from the salt: with one key for all, random nonces would bound a server to 2**32 messages.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from enum import StrEnum
from functools import cached_property
from pathlib import Path

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from omium.apikeys import ApiKeyParts
from omium.errors import ConfigError, SealBroken
from omium.server.keyfile import (
    Keys,
    add_named_keys,
    add_sealing_key,
    create_keys,
    new_key,
    read_keys,
    replace_keys,
)

_FORMAT = b"\x01"
_SALT_BYTES = 16
_NONCE_BYTES = 12
_TAG_BYTES = 16
_HEAD_BYTES = 1 + 2 + _SALT_BYTES + _NONCE_BYTES
OVERHEAD_BYTES = _HEAD_BYTES + _TAG_BYTES


class Purpose(StrEnum):
    """What a keyed digest is for. Each has a key of its own, so that none can stand for another."""

    API_KEY = "api-key"
    PLAN_TOKEN = "plan-token"  # noqa: S105  # a name, not a secret
    PAYLOAD_ADDRESS = "payload-address"
    AUDIT_CHAIN = "audit-chain"
    LEDGER_CHAIN = "ledger-chain"
    CALLBACK = "callback"
    SESSION = "session"
    SERVER_ID = "server-id"
    TOKEN = "token"  # noqa: S105  # as above; the seed of the Ed25519 key that signs short-lived tokens


class KeyFile:
    """The keys of one server, read from `path`. Safe to use from several threads."""

    def __init__(self, path: Path, keys: Keys) -> None:
        self.path = path
        self._keys = keys
        self._sealing_id = max(keys.sealing)

    @classmethod
    def open(cls, path: Path, *, create: bool = True) -> KeyFile:
        """Return the keys in `path`; with `create`, a missing file is made (0600, synced).

        Without `create` a missing file is a `ConfigError`: beside an existing database a fresh file would
        make every API key and sealed value unreadable. Purposes that are new in this version get their key.
        """
        keys = read_keys(path)
        if keys is None:
            if not create:
                raise ConfigError(
                    f"The key file {path} is missing, but the database exists; put it back from a backup. "
                    "Without it sealed values and API keys are lost."
                )
            fresh = Keys(sealing={}, named={purpose.value: new_key() for purpose in Purpose})
            keys = create_keys(path, add_sealing_key(fresh))
        elif any(purpose.value not in keys.named for purpose in Purpose):
            keys = add_named_keys(path, [purpose.value for purpose in Purpose])
        return cls(path, keys)

    def rotate(self) -> None:
        """Add a sealing key and seal with it from now on; what older keys sealed stays readable."""
        self._keys = add_sealing_key(self._keys)
        replace_keys(self.path, self._keys)
        self._sealing_id = max(self._keys.sealing)

    def seal(self, plaintext: bytes, aad: bytes) -> bytes:
        """Return `plaintext` sealed for its place `aad` (tenant, table, row, column)."""
        head = _FORMAT + self._sealing_id.to_bytes(2, "big") + secrets.token_bytes(_SALT_BYTES + _NONCE_BYTES)
        cipher = self._cipher(self._keys.sealing[self._sealing_id], head)
        return head + cipher.encrypt(head[-_NONCE_BYTES:], plaintext, head + aad)

    def unseal(self, sealed: bytes, aad: bytes) -> bytes:
        """Return what was sealed for `aad`; `SealBroken` if it was changed or moved, or with other keys."""
        key = self._keys.sealing.get(int.from_bytes(sealed[1:3], "big"))
        if key is None or sealed[:1] != _FORMAT or len(sealed) < OVERHEAD_BYTES:
            raise SealBroken(
                "A sealed value was not made with this server's key file; put back the key file that belongs "
                "to the database."
            )
        head = sealed[:_HEAD_BYTES]
        try:
            return self._cipher(key, head).decrypt(head[-_NONCE_BYTES:], sealed[_HEAD_BYTES:], head + aad)
        except InvalidTag:
            raise SealBroken(
                "A sealed value was changed or moved after it was written; restore a backup."
            ) from None

    def hmac(self, purpose: Purpose, *parts: bytes | str) -> bytes:
        """Return the HMAC-SHA-256 of `parts`, each with its length: no two lists read the same."""
        made = hmac.new(self._keys.named[purpose.value], digestmod=hashlib.sha256)
        for part in parts:
            data = part.encode() if isinstance(part, str) else part
            made.update(len(data).to_bytes(8, "big"))
            made.update(data)
        return made.digest()

    def digest_api_key(self, parts: ApiKeyParts) -> bytes:
        """Return what is stored of an API key; compare with `hmac.compare_digest`."""
        return self.hmac(Purpose.API_KEY, parts.environment, parts.key_id, parts.secret)

    @cached_property
    def server_id(self) -> str:
        """Who this server is, for the audience of its tokens: the same for all that share the key file."""
        return f"sv_{self.hmac(Purpose.SERVER_ID, 'omium server').hex()[:32]}"

    @cached_property
    def token_key_id(self) -> str:
        """Which key signs tokens: a digest of its public half."""
        public = self._signing_key.public_key().public_bytes_raw()
        return hashlib.sha256(b"omium token key" + public).hexdigest()[:16]

    def sign_token(self, message: bytes) -> bytes:
        """Return the Ed25519 signature (64 bytes) of `message`."""
        return self._signing_key.sign(message)

    def is_token_signature(self, signature: bytes, message: bytes) -> bool:
        """Say whether this key file's own key has signed `message`."""
        try:
            self._signing_key.public_key().verify(signature, message)
        except InvalidSignature:
            return False
        return True

    @cached_property
    def _signing_key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self._keys.named[Purpose.TOKEN.value])

    @staticmethod
    def _cipher(key: bytes, head: bytes) -> AESGCM:
        salt = head[3 : 3 + _SALT_BYTES]
        return AESGCM(hmac.digest(key, b"omium seal 1" + salt, "sha256"))
