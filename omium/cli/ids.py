"""Ids as people give them: whole, or a part of one that they saw in a table.

Owns going from `ex_…9ygs3x`, its last characters, its first ones, or `last` to the one id that is meant. A
whole id is taken as it is. For a part of one the newest are looked through, so an old one needs the whole id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Final, Protocol

import typer

from omium.cli.ending import WrongUse

if TYPE_CHECKING:
    from omium.sdk.sync_client import Client

LOOKED_THROUGH: Final = 1_000
_LENGTH_MIN: Final = 4

ExecutionId = Annotated[
    str, typer.Argument(metavar="ID", help="An execution: its id, a unique part of it, or `last`.")
]
FailureId = Annotated[
    str, typer.Argument(metavar="ID", help="A failure: its id, a unique part of it, or `last`.")
]
KeyId = Annotated[str, typer.Argument(metavar="ID", help="A key: its id, a unique part of it, or its name.")]


class Identified(Protocol):
    """Whatever has an id."""

    @property
    def id(self) -> str:
        """The id."""
        ...


def find_execution_id(client: Client, given: str) -> str:
    """Return the execution's id that `given` means. Raises `WrongUse` if several are meant, or none."""
    return _find(
        given,
        "ex",
        lambda: client.each(client.list_executions, limit=200),
        "omium executions list",
        "execution",
    )


def find_failure_id(client: Client, given: str) -> str:
    """Return the failure's id that `given` means. Raises `WrongUse` if several are meant, or none."""
    return _find(
        given, "fl", lambda: client.each(client.list_failures, limit=200), "omium failures list", "failure"
    )


def find_session_id(client: Client, given: str) -> str:
    """Return the session's id that `given` means. Raises `WrongUse` if several are meant, or none."""
    return _find(
        given, "se", lambda: client.each(client.list_sessions, limit=200), "omium sessions list", "session"
    )


def find_key_id(client: Client, given: str) -> str:
    """Return the key's id that `given` means: also a name that one living key has."""
    if _is_whole(given, "ak"):
        return given
    keys = list(islice(client.each(client.list_keys, limit=200), LOOKED_THROUGH))
    named = [key.id for key in keys if key.name == given and key.status == "active"]
    if len(named) == 1:
        return named[0]
    return _find(given, "ak", lambda: keys, "omium keys list", "key")


def _find(
    given: str, prefix: str, list_newest: Callable[[], Iterable[Identified]], command: str, noun: str
) -> str:
    if _is_whole(given, prefix):
        return given
    newest = [each.id for each in islice(list_newest(), 1 if given == "last" else LOOKED_THROUGH)]
    if given == "last":
        if not newest:
            raise WrongUse(f"There is no {noun} yet. See: {command}")
        return newest[0]
    if given in newest:
        return given
    head, _, tail = given.partition("…")
    part = tail or head.removeprefix(f"{prefix}_")
    found = [each for each in newest if each.endswith(part) or (not tail and each.startswith(given))]
    if len(part) < _LENGTH_MIN and len(found) != 1:
        raise WrongUse(f"{given!r} is too short for an id; give its last characters. See: {command}")
    if len(found) == 1:
        return found[0]
    if found:
        shown = ", ".join(found[:5])
        raise WrongUse(f"{given!r} is a part of {len(found)} ids ({shown}); give more of it.")
    if "…" in given or given.startswith(f"{prefix}_"):
        raise WrongUse(
            f"There is no {noun} {given!r} among the newest {LOOKED_THROUGH:,}; an older one needs its whole "
            f"id. See: {command}"
        )
    return given  # an id of the user's own making: the server knows


def _is_whole(given: str, prefix: str) -> bool:
    from omium.ids import is_id  # loads hashlib, which `omium --help` can do without

    return is_id(given, prefix)
