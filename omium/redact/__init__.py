"""Secrets: noticing them in values, and copies for people without them.

    names.py    which names speak of a secret
    text.py     which parts of a text are one
    packed.py   which bytes are text
    screen.py   which documents need no closer look

Owns the walk over JSON values. Two uses: `has_secret` decides whether a recorded output is stored sealed
(it is never altered), `redact` makes the copies that people see (inputs, errors, logs, events). Both look
at the same things, so what would be masked is also sealed. Detection is a net, not a proof: a password that
stands in prose without a name looks like any other word; pass what is known to be secret as `known_values`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from omium.jsonvalue import JsonValue, json_bytes
from omium.redact.names import Strength, judge_name
from omium.redact.packed import PACKED_TAGS, read_packed
from omium.redact.screen import may_hold_secret
from omium.redact.text import Span, find_secrets, is_secret_value

__all__ = ["REDACTED", "Span", "find_secrets", "has_secret", "redact", "redact_text"]

REDACTED: Final = "[redacted]"
KNOWN_CHARACTERS_MIN = 6  # shorter "secrets" would mask ordinary words

_PAIR_TAGS = frozenset({"$:dict", "$:ordereddict"})  # dicts that travel as lists of [key, value]


def has_secret(value: JsonValue) -> bool:
    """Say whether a secret is detected anywhere in `value`, keys included."""
    if not may_hold_secret(json_bytes(value)):
        return False
    walk = _Walk(())
    walk.value(value, Strength.NONE)
    return walk.count > 0


def redact(value: JsonValue, known_values: Iterable[str] = ()) -> tuple[JsonValue, int]:
    """Return a copy of `value` with every secret replaced by `[redacted]`, and how many there were.

    `known_values` are masked wherever they occur, unless they are shorter than 6 characters.
    """
    walk = _Walk(known_values)
    return walk.value(value, Strength.NONE), walk.count


def redact_text(text: str, known_values: Iterable[str] = ()) -> tuple[str, int]:
    """Return `text` with every secret replaced by `[redacted]`, and how many there were."""
    walk = _Walk(known_values)
    return walk.text(text), walk.count


class _Walk:
    """One pass over a value, counting what it masks."""

    def __init__(self, known_values: Iterable[str]) -> None:
        usable = {known for known in known_values if len(known) >= KNOWN_CHARACTERS_MIN}
        self.known = sorted(usable, key=len, reverse=True)  # a secret may be part of a longer one
        self.count = 0

    def value(self, value: JsonValue, strength: Strength) -> JsonValue:
        """Return the copy of `value`, which stands under a name of `strength`."""
        if isinstance(value, str):
            if is_secret_value(value, strength):
                self.count += 1
                return REDACTED
            return self.text(value)
        if isinstance(value, list):  # "api_keys": ["…", "…"]
            return [self.value(item, strength) for item in value]
        if isinstance(value, dict):
            for tag, packed in value.items():
                if len(value) == 1 and tag in PACKED_TAGS and isinstance(packed, str):
                    return REDACTED if self.is_packed_secret(packed, strength) else value
                break
            return self.members(value)
        return value

    def is_packed_secret(self, packed: str, strength: Strength) -> bool:
        """Say whether bytes hold a secret; they are masked as a whole."""
        before, text = self.count, read_packed(packed)
        if text is None:
            return False
        if is_secret_value(text, strength):
            self.count += 1
        else:
            self.text(text)
        return self.count > before

    def members(self, value: dict[str, JsonValue]) -> dict[str, JsonValue]:
        made: dict[str, JsonValue] = {}
        for name, item in value.items():
            shown = self.text(name)
            while shown in made:
                shown += "+"  # two secret keys would become one
            if name in _PAIR_TAGS and isinstance(item, list):
                made[shown] = [self.pair(pair) for pair in item]
            else:
                made[shown] = self.value(item, judge_name(name))
        return made

    def pair(self, pair: JsonValue) -> JsonValue:
        if isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str):
            return [self.text(pair[0]), self.value(pair[1], judge_name(pair[0]))]
        return self.value(pair, Strength.NONE)

    def text(self, text: str) -> str:
        for known in self.known:
            if known in text:
                self.count += text.count(known)
                text = text.replace(known, REDACTED)
        spans = find_secrets(text)
        if not spans:
            return text
        self.count += len(spans)
        parts, at = [], 0
        for span in spans:
            parts += [text[at : span.start], REDACTED]
            at = span.end
        return "".join([*parts, text[at:]])
