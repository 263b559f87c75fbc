"""Ids: a short prefix that says what it names, then 26 characters that sort by time.

The form is a ULID (48 bits of milliseconds, 80 random bits) in lower-case Crockford base32, so text order is
creation order on both databases and a client can make ids without asking the server.
"""

from __future__ import annotations

import hashlib
import re
import secrets

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PATTERN = re.compile(r"[a-z]{2,3}_[0-9a-hjkmnp-tv-z]{26}")
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]  # two digits per lookup: ids are on the hot path


def new_id(prefix: str, now_us: int) -> str:
    """Return a fresh id such as `ex_01k9…`, sortable by `now_us` (microseconds UTC)."""
    return f"{prefix}_{_base32((((now_us // 1000) & (1 << 48) - 1) << 80) | secrets.randbits(80))}"


def derived_id(prefix: str, *parts: str) -> str:
    """Return the id that follows from `parts`: the same parts give the same id, in every process.

    Child executions use it, so that a step that runs again finds the child it had started (semantics 2.2).
    """
    joined = "\x00".join(f"{len(part)}:{part}" for part in parts)
    return f"{prefix}_{_base32(int.from_bytes(hashlib.sha256(joined.encode()).digest()[:16], 'big'))}"


def child_execution_id(parent_id: str, parent_path: str, generation: int = 1) -> str:
    """Return the id of the child that `parent_id` starts at `parent_path`, the same every time.

    After a rollback (`generation` above 1) it's another one: the former child belongs to what was undone.
    """
    parts = (parent_id, parent_path) if generation == 1 else (parent_id, parent_path, str(generation))
    return derived_id("ex", *parts)


def is_id(text: str, prefix: str) -> bool:
    """Say whether `text` has the form of an id with `prefix`; nothing is looked up."""
    return text.startswith(f"{prefix}_") and _PATTERN.fullmatch(text) is not None


def _base32(number: int) -> str:
    digits = [_PAIRS[(number >> shift) & 1023] for shift in range(120, -1, -10)]
    return "".join(digits)
