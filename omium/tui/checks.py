"""Checks of what is typed into forms: each returns what is wrong with a text, or None."""

from __future__ import annotations

from collections.abc import Callable

from omium.errors import InvalidJson
from omium.jsonvalue import parse_json
from omium.money import parse_credits

Check = Callable[[str], str | None]


def whole_number(sentence: str, *, least: int = 0, most: int | None = None, empty: bool = True) -> Check:
    """Return a check that says `sentence` where a text is no whole number from `least` to `most`.

    With `empty`, nothing at all is right, too.
    """

    def check(text: str) -> str | None:
        digits = text.strip()
        if not digits:
            return None if empty else sentence
        if not (digits.isascii() and digits.isdecimal()) or len(digits) > 18:
            return sentence
        return None if least <= int(digits) and (most is None or int(digits) <= most) else sentence

    return check


def credits_or_nothing(text: str) -> str | None:
    """Say what is wrong with an amount of credits; nothing at all is right."""
    if text.strip():
        try:
            parse_credits(text)
        except ValueError as error:
            return str(error)
    return None


def object_or_nothing(text: str) -> str | None:
    """Say what is wrong with the JSON of an object; nothing at all is right."""
    if not text.strip():
        return None
    try:
        return None if isinstance(parse_json(text), dict) else "This is no JSON object."
    except InvalidJson as wrong:
        return str(wrong)
