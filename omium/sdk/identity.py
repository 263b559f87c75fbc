"""Identity: the path that names a step within its execution, and how it is allotted (semantics 2.2).

A path is scope segments joined by `/`; a segment is a name, `name#2` for the second call of that name in
the scope, or an explicit key. Owns names, escapes, limits and the counters of a scope. Not owned: what is
recorded at a path (book.py) and which scope a call is in (context.py).
"""

from __future__ import annotations

import functools
import threading
import unicodedata
from dataclasses import dataclass

from omium.errors import DuplicateStepKey, InvalidStepName

NAME_BYTES_MAX = 200
PATH_BYTES_MAX = 1024
DEPTH_MAX = 16

# What a path gives a meaning to: scopes, occurrences, items, compensations; and what the escape itself uses.
_ESCAPES = str.maketrans({character: f"%{ord(character):02X}" for character in "%/#[]~"})


def clean_name(name: str) -> str:
    """Return `name` in Unicode's composed form (NFC); `InvalidStepName` if it is empty or too long."""
    cleaned = unicodedata.normalize("NFC", name)
    try:
        size_bytes = len(cleaned.encode())
    except UnicodeEncodeError:
        raise InvalidStepName(
            f"The name {name!a} holds half a character; use text that UTF-8 can hold."
        ) from None
    if not 0 < size_bytes <= NAME_BYTES_MAX or not cleaned.isprintable():
        raise InvalidStepName(
            f"The name {cleaned[:60]!a} cannot be used: "
            f"a name has 1 to {NAME_BYTES_MAX} bytes of printable text."
        )
    return cleaned


@functools.lru_cache(maxsize=4096)
def _escape(name: str) -> str:
    return name.translate(_ESCAPES)


def to_segment(name: str, occurrence: int = 1) -> str:
    """Return the path segment of the `occurrence`-th call of `name` (cleaned) in a scope."""
    escaped = _escape(name)
    return escaped if occurrence == 1 else f"{escaped}#{occurrence}"


@dataclass(frozen=True, slots=True)
class Identity:
    """One step call: where it stands, and as which call of its name."""

    scope_path: str
    path: str
    name: str
    occurrence: int
    explicit_key: bool


class Scope:
    """Allots identities to the calls that are made in one place; safe to use from several threads."""

    def __init__(self, path: str = "", depth: int = 0) -> None:
        self.path = path
        self.depth = depth
        self._lock = threading.Lock()
        self._occurrences: dict[str, int] = {}
        self._keys: set[str] = set()

    def allot(self, name: str, key: str | None = None) -> Identity:
        """Return the identity of the next call of `name`, or of the one call with the explicit `key`.

        MUST run when the step is called, before any await or thread hop, so that numbers follow the calls.
        Raises `DuplicateStepKey` when a key is used twice, `InvalidStepName` for a bad name or a path that is
        too deep.
        """
        name = clean_name(name)
        with self._lock:
            if key is None:
                occurrence = self._occurrences.get(name, 0) + 1
                segment = to_segment(name, occurrence)
                taken = occurrence == 1 and segment in self._keys
                self._occurrences[name] = occurrence
            else:
                key = clean_name(key)
                occurrence, segment = 1, to_segment(key)
                taken = segment in self._keys or key in self._occurrences
                self._keys.add(segment)
        if taken:
            raise DuplicateStepKey(
                f"The step key {segment!r} is used twice in {self.path or 'the execution'}; "
                "give each call its own `key=`, or leave the key out and let Omium count."
            )
        return Identity(self.path, self._join(segment), name, occurrence, key is not None)

    def open(self, identity: Identity) -> Scope:
        """Return the scope that `identity`'s own function runs in: fresh counters for each try."""
        return Scope(identity.path, self.depth + 1)

    def _join(self, segment: str) -> str:
        path = f"{self.path}/{segment}" if self.path else segment
        if self.depth >= DEPTH_MAX:
            raise InvalidStepName(
                f"Steps are nested {self.depth + 1} deep at {path[:80]!r}; {DEPTH_MAX} is the most. "
                "Call the inner function plainly, or start a child execution with `omium.run_workflow`."
            )
        if len(path.encode()) > PATH_BYTES_MAX:
            raise InvalidStepName(
                f"The path {path[:80]!r}… has more than {PATH_BYTES_MAX} bytes; "
                "use shorter names, or nest less."
            )
        return path
