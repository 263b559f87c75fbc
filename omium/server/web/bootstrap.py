"""The one-time token: how the first owner of a fresh server proves to sit at its machine.

Owns the file (0600, in a folder of its own with 0700, made with O_EXCL), its 256 bits and its 15 minutes.
Only a digest stays in memory. Whether a tenant exists already is decided in the transaction that creates the
first one (routes/bootstrap.py); who can read the data folder owns the server.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
from pathlib import Path

from omium.clock import US_PER_S, Clock
from omium.folders import bootstrap_token_file

TOKEN_BYTES = 32


class BootstrapToken:
    """At most one valid token; `offer` makes it, `fits` checks, `withdraw` ends it."""

    def __init__(self, data: Path, clock: Clock, ttl_s: int) -> None:
        self.path = bootstrap_token_file(data)
        self._clock = clock
        self._ttl_us = ttl_s * US_PER_S
        self._digest: bytes | None = None
        self._offered_us = 0

    def offer(self) -> Path:
        """Write a fresh token in place of an older one and return its file."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        self.withdraw()
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.parent.chmod(0o700)
        # Under another name until it is whole: whoever waits for the file shall not read half of a token.
        fresh = self.path.with_name(f"{self.path.name}.new")
        fresh.unlink(missing_ok=True)  # of a process that died right here
        descriptor = os.open(
            fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
        )
        with os.fdopen(descriptor, "w") as file:
            file.write(token + "\n")
        fresh.rename(self.path)
        self._digest = digest_token(token)
        self._offered_us = self._clock.boot_us()
        return self.path

    @property
    def is_expired(self) -> bool:
        """Whether an offered token is too old to be used."""
        return self._digest is not None and self._clock.boot_us() - self._offered_us > self._ttl_us

    @property
    def is_open(self) -> bool:
        """Whether there is a token that would be taken now."""
        return self._digest is not None and not self.is_expired

    def fits(self, token: str) -> bool:
        """Say, in constant time, whether `token` is the valid one."""
        return (
            self._digest is not None
            and not self.is_expired
            and hmac.compare_digest(digest_token(token), self._digest)
        )

    def withdraw(self) -> None:
        """Forget the token and delete its file; twice is fine."""
        self._digest = None
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()


def digest_token(token: str) -> bytes:
    """Return what is kept of a token."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
