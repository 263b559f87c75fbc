"""Progress breaker: an agent that makes the same tool call N times among its last N+2 goes in circles.

Owns the signature of a call and the short memory of them; one state per execution or agent. The two spare
places let it see through a loop that does something else in between.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from omium.errors import DatabaseCorrupt
from omium.jsonvalue import JsonValue, canonical_bytes, digest

REPEATS = 5
SPARE = 2
REPEATS_MAX = 100
_SIGNATURE_DIGITS = 32


@dataclass(frozen=True, slots=True)
class Progress:
    """Signatures of the last calls, newest last."""

    recent: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Return the JSON object, which `from_json` reads back."""
        return {"recent": list(self.recent)}

    @staticmethod
    def from_json(form: Mapping[str, object]) -> Progress:
        """Return the state that `form` describes; `DatabaseCorrupt` if it is not one."""
        recent = form.get("recent")
        if not isinstance(recent, list) or not all(isinstance(each, str) for each in recent):
            raise DatabaseCorrupt("The stored state of a progress breaker cannot be read; reset it.")
        return Progress(tuple(recent)[-(REPEATS_MAX + SPARE) :])


def call_signature(tool: str, arguments: JsonValue) -> str:
    """Return what is the same for two calls of `tool` with equal arguments, in whatever order."""
    return digest(canonical_bytes([tool, arguments]))[:_SIGNATURE_DIGITS]


def note_call(progress: Progress, signature: str, *, repeats: int = REPEATS) -> Progress:
    """Return the state after one more call."""
    assert 2 <= repeats <= REPEATS_MAX
    return Progress((*progress.recent, signature)[-(repeats + SPARE) :])


def is_circling(progress: Progress, *, repeats: int = REPEATS) -> bool:
    """Say whether the newest call is the same as `repeats` of the last `repeats + 2`, itself included."""
    last = progress.recent[-(repeats + SPARE) :]
    return bool(last) and last.count(last[-1]) >= repeats
