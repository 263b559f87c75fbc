"""What is wrong with a spec, in words: where, what, and what to write instead."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from omium.jsonvalue import JsonValue

SHOWN_CHARACTERS_MAX = 80


@dataclass(frozen=True, slots=True)
class SpecProblem:
    """One reason why a spec is not accepted, or a warning."""

    pointer: str
    """JSON pointer (RFC 6901) to the place; empty for the whole document."""
    detail: str
    """A sentence."""
    suggestion: str
    """What to do about it; may be empty."""
    code: str
    """Stable, in kebab case; docs/spec.md lists them."""

    def to_json(self) -> dict[str, JsonValue]:
        """Return the problem as an answer of the server carries it."""
        return {
            "pointer": self.pointer,
            "detail": self.detail,
            "suggestion": self.suggestion,
            "code": self.code,
        }


def join_pointer(pointer: str, *parts: str | int) -> str:
    """Return `pointer` with `parts` below it."""
    return pointer + "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def did_you_mean(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """Return a sentence with the name that was probably meant, or with what there is, or `otherwise`."""
    names = sorted(known)
    close = difflib.get_close_matches(name[:SHOWN_CHARACTERS_MAX], names[:2_000], n=1, cutoff=0.6)
    if close:
        return f"Did you mean {close[0]}?"
    if 0 < len(names) <= 12:
        return f"There {'is' if len(names) == 1 else 'are'}: {', '.join(names)}."
    return otherwise


def shown(value: Any) -> str:
    """Return what a sentence shows of a value."""
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS_MAX else text[: SHOWN_CHARACTERS_MAX - 3] + "..."
