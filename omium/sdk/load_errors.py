"""Why the user's own file cannot be loaded: a sentence with the remedy, beside the exception that it raised.

Owns the words for what ended an import (or a function that makes an object), and for a name that is not in a
file. Who loads is loading.py; which frames are printed is the command line's.
"""

from __future__ import annotations

import sys
from types import ModuleType

from omium.errors import ConfigError
from omium.spec.problems import did_you_mean


class NotLoaded(ConfigError):
    """The user's own code ended its import, or did not make its object; `raised` is what it raised."""

    def __init__(self, words: str, raised: BaseException) -> None:
        super().__init__(words)
        self.raised = raised


class NotInFile(ConfigError):
    """A module that was loaded has no such name."""

    def __init__(self, place: str, name: str, module: ModuleType, known: list[str]) -> None:
        self.place, self.name, self.module = place, name, module
        super().__init__(f"There is no {name!r} in {place}. {say_known(name, known)}")


def say_known(name: str, known: list[str], what: str = "@omium.workflow") -> str:
    """Return which of the names that a file holds may be meant, or that it holds no `what`."""
    if not known:
        return f"It holds no {what} either."
    several = f"It holds {len(known)}: {', '.join(sorted(known)[:12])}, ..."
    return did_you_mean(name, known, several)


def explain_import(place: str, raised: BaseException) -> NotLoaded:
    """Return why the module at `place` could not be imported, and what to do about it."""
    if isinstance(raised, SystemExit):
        code = "" if raised.code is None else repr(raised.code)
        words = (
            f"{place} cannot be imported: it called sys.exit({code}) meanwhile."
            ' Put what a script does under `if __name__ == "__main__":`.'
        )
    elif isinstance(raised, SyntaxError):
        words = (
            f"{place} cannot be imported: there is a {type(raised).__name__}{_where(raised)}. Mend it there."
        )
    elif isinstance(raised, ModuleNotFoundError):
        words = (
            f"{place} cannot be imported: {raised.name} is not installed in this Python ({sys.executable})."
            " Install it there, or use the Omium of the environment that has it."
        )
    else:
        words = (
            f"{place} cannot be imported: {say_raised(raised)} What stands at its top level runs"
            " whenever it is imported. Make the object in a function without arguments, and name that"
            f" instead ({place}:FUNCTION)."
        )
    return NotLoaded(words, raised)


def say_raised(raised: BaseException) -> str:
    """Return an exception as one sentence: its type and the first line of its message."""
    lines = str(raised).strip().splitlines()
    words = f"{type(raised).__name__}: {lines[0]}" if lines else type(raised).__name__
    words = words if len(words) <= 300 else words[:297] + "..."
    return words if words.endswith((".", "!", "?")) else f"{words}."


def _where(raised: SyntaxError) -> str:
    return "" if raised.lineno is None else f" in line {raised.lineno} of {raised.filename}"
