"""How a command ends when it cannot do what it was asked: one sentence, the next command, an exit code.

0 done, 1 failed, 2 wrong use, 130 interrupted. The sentence is the error's own; here is added what to type
next, where the error does not say it.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Mapping
from typing import Final, cast

from omium.errors import ConnectionLost, OmiumError, Problem, Suspension
from omium.safetext import safe_text

DONE: Final = 0
FAILED: Final = 1
WRONG_USE: Final = 2
INTERRUPTED: Final = 130

_NEXT: Final[Mapping[str, str]] = {
    "unauthenticated": "Check the key: omium doctor; store another one: omium init",
    "key-expired": "Store another key: omium init",
    "key-revoked": "Store another key: omium init",
    "scope-missing": "See what this key may do: omium whoami",
    "credits-exhausted": "Top up: omium credits topup 20",
    "effect-unresolved": "Look: omium executions effects ID; decide: omium decide ID STEP confirm|redo|skip",
    "effect-blocked": "Look: omium executions effects ID; decide: omium decide ID STEP confirm|redo|skip",
    "compensation-pending": "Look: omium executions compensations ID; skip them: omium rollback ID "
    "--skip-compensations",
    "unknown-price": "Add a rule: omium prices edit",
    "prices-changed": "See what changed: omium prices diff",
    "workflow-changed": "See what changed: omium workflows diff NAME",
    "workflow-archived": "Take it back: omium workflows unarchive NAME",
    "plan-needed": "Look at the plan: omium replay ID --plan",
    "plan-stale": "Run the same command again: it makes a new plan",
    "host-refused": "Check the address: omium doctor",
    "too-many-streams": "Try again in a moment",
}
_EXECUTION_ID: Final = re.compile(r"\bex_[0-9a-z]{26}\b")


class WrongUse(OmiumError):
    """The command line itself is wrong; nothing was asked of the server."""


def describe(error: OmiumError | Suspension) -> str:
    """Return what a person reads of an error: its sentence, and the next command if it names none."""
    words = safe_text(str(error), keep_newlines=True).strip() or type(error).__name__
    following = _next(error)
    if following is None or following in words or "omium " in words:
        return words
    if (named := _EXECUTION_ID.search(words)) is not None:
        following = following.replace(" ID", f" {named[0]}")
    end = "" if words.endswith((".", "!", "?")) else "."
    return f"{words}{end} {following}"


def describe_invalid(error: Exception) -> str | None:
    """Return what is wrong with what was typed, if `error` is our own model's refusal of it; else None."""
    if type(error).__name__ != "ValidationError":  # pydantic is loaded only by commands that need it
        return None
    names = [frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)]
    ours = [name for name in names if not name.startswith("pydantic")]
    faults: list[dict[str, object]] = getattr(error, "errors", list)()
    if not faults or not ours or not ours[-1].startswith("omium."):
        return None  # it comes out of somebody else's code
    where = ".".join(map(str, cast("tuple[object, ...]", faults[0]["loc"])))
    words = str(faults[0]["msg"]).removeprefix("Value error, ")
    return safe_text(f"{where}: {words}".strip(": ").rstrip(".") + ".")


def exit_code(error: OmiumError | Suspension) -> int:
    """Return the exit code that an error means."""
    return WRONG_USE if isinstance(error, WrongUse) else FAILED


def _next(error: OmiumError | Suspension) -> str | None:
    if isinstance(error, Problem):
        if error.code == "not-found":  # of anything else the command knows better than this
            return "See what there is: omium executions show ID" if _EXECUTION_ID.search(str(error)) else None
        if error.code == "invalid-request":
            return _first_fault(error)
        return _NEXT.get(error.code)
    if isinstance(error, ConnectionLost):
        return "Find the cause: omium doctor"
    return None


def _first_fault(error: Problem) -> str | None:
    """Return where the first fault is and what it is, unless the error's own sentence says it."""
    faults = error.members.get("errors")
    first = faults[0] if isinstance(faults, list) and faults else None
    if not isinstance(first, dict):
        return None
    pointer, detail = str(first.get("pointer", "")), str(first.get("detail", ""))
    if detail.rstrip(".").lower() in str(error).lower():
        return None
    return safe_text(f"{pointer}: {detail}".strip(": "))
