"""Passwords: which are taken, and how they are kept and compared.

Owns the rules and the Argon2id digests (argon2-cffi). A hash takes as much memory as it is told to, so only a
few run at once, in threads of their own, and only a few more may wait. Whether a user exists makes no
difference: where there is none, a digest of nothing is compared, which is the same work. Whoever asks too
often is kept off before by throttle.py.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from omium.errors import InvalidRequest, PasswordsBusy

CHARACTERS_MIN: Final = 12
BYTES_MAX: Final = 1024
DIFFERENT_MIN: Final = 5
AT_ONCE: Final = 2
WAITING_MAX: Final = 16
RETRY_AFTER_S: Final = 2
_PASSES: Final = 3
_LANES: Final = 1
_HASH_BYTES: Final = 32
_SALT_BYTES: Final = 16

T = TypeVar("T")


def check_password(password: str, *, user: str = "", pointer: str = "/password") -> None:
    """Raise `InvalidRequest` for a password that is too short, too long, too common or the user's name.

    No rule asks for sorts of characters: length is what counts.
    """
    if len(_normalise(password)) < CHARACTERS_MIN:
        raise _refused(pointer, f"is shorter than {CHARACTERS_MIN} characters")
    if len(password.encode("utf-8", "replace")) > BYTES_MAX:
        raise _refused(pointer, f"is longer than {BYTES_MAX} bytes")
    plain = password.casefold()
    if len(set(plain)) < DIFFERENT_MIN or plain in _COMMON:
        raise _refused(pointer, "is one of those that are tried first")
    if user and plain.strip("0123456789!?.-_ ") == user.casefold():
        raise _refused(pointer, "is the user's name")


class Passwords:
    """Makes and compares digests, with `memory_mib` for each; belongs to the event loop that uses it.

    `runs` counts the hashes that were begun.
    """

    def __init__(self, memory_mib: int) -> None:
        self._hasher = PasswordHasher(
            time_cost=_PASSES,
            memory_cost=memory_mib * 1024,
            parallelism=_LANES,
            hash_len=_HASH_BYTES,
            salt_len=_SALT_BYTES,
        )
        self._nobody = _digest_of_nothing(memory_mib)
        self._threads = ThreadPoolExecutor(AT_ONCE, "passwords")
        self._asked = 0
        self.runs = 0

    async def hash(self, password: str) -> str:
        """Return the digest to keep. Raises `PasswordsBusy`."""
        return await self._run(lambda: self._hasher.hash(_normalise(password)))

    async def fits(self, password: str, digest: str | None) -> bool:
        """Say whether `password` is the one behind `digest`; None is nobody's, and costs the same.

        Raises `PasswordsBusy`.
        """
        return await self._run(lambda: self._verify(digest or self._nobody, password)) and digest is not None

    def is_outdated(self, digest: str) -> bool:
        """Say whether `digest` was made with less than what is asked for now."""
        return self._hasher.check_needs_rehash(digest)

    def close(self) -> None:
        """Wait for the hashes that run."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _verify(self, digest: str, password: str) -> bool:
        try:
            return self._hasher.verify(digest, _normalise(password))
        except (VerifyMismatchError, VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        if self._asked >= AT_ONCE + WAITING_MAX:
            raise PasswordsBusy(
                f"Too many log-ins at once; try again in {RETRY_AFTER_S} s.", retry_after_s=RETRY_AFTER_S
            )
        self._asked += 1
        self.runs += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._asked -= 1


def _normalise(password: str) -> str:
    return unicodedata.normalize("NFKC", password)


def _refused(pointer: str, why: str) -> InvalidRequest:
    return InvalidRequest(
        f"This password {why}; take a longer one, such as four or five words.",
        errors=[{"pointer": pointer, "detail": why}],
    )


def _digest_of_nothing(memory_mib: int) -> str:
    """Return a digest that no password has, which costs as much to compare as a real one."""
    salt, digest = (
        base64.b64encode(secrets.token_bytes(size)).decode().rstrip("=")
        for size in (_SALT_BYTES, _HASH_BYTES)
    )
    return f"$argon2id$v=19$m={memory_mib * 1024},t={_PASSES},p={_LANES}${salt}${digest}"


def _read_common() -> frozenset[str]:
    text = resources.files("omium.server.accounts").joinpath("common_passwords.txt").read_text("utf-8")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))


_COMMON: Final = _read_common()
