"""The filter of the list of executions, as it is typed: `status:failed workflow:report since:2h words`.

Owns the language, which the server's own filters are behind; what is no filter is words, which are looked for
in what is loaded. How it is typed is widgets/filter.py's.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from omium.clock import US_PER_S
from omium.states import Environment, ExecutionStatus

UNITS_S: Final[Mapping[str, int]] = {"s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400, "w": 604_800}
NAMES: Final[Mapping[str, str]] = {
    "status": "status", "s": "status", "is": "status",
    "workflow": "workflow", "w": "workflow",
    "environment": "environment", "env": "environment", "e": "environment",
    "tag": "tag", "t": "tag",
    "key": "business_key", "k": "business_key",
    "since": "from_us", "until": "until_us",
    "parent": "parent", "replay": "replay_of",
}  # fmt: skip
"""What can stand before a colon, and which filter of the server it is."""
PLACEHOLDER: Final = "status:failed workflow:NAME env:prod tag:T key:K since:2h until:… words"
_MARK: Final = re.compile(r"(?<!\S)([A-Za-z]+):(\"[^\"]*\"?|'[^']*'?|\S*)")


@dataclass(frozen=True, slots=True)
class ExecutionsWanted:
    """What is to be listed: the server's filters, the words that are left, what is wrong with the rest."""

    status: ExecutionStatus | None = None
    workflow: str | None = None
    environment: Environment | None = None
    tag: str | None = None
    business_key: str | None = None
    from_us: int | None = None
    until_us: int | None = None
    parent: str | None = None
    replay_of: str | None = None
    words: str = ""
    wrong: str = ""

    @property
    def for_server(self) -> dict[str, object]:
        """The arguments of `AsyncClient.list_executions`, without the page."""
        names = ("status", "workflow", "environment", "tag", "business_key", "from_us", "until_us", "parent")
        found = {name: getattr(self, name) for name in (*names, "replay_of")}
        return {name: value for name, value in found.items() if value is not None}

    @property
    def command_line(self) -> str:
        """The command that lists the same, as far as it has the filters."""
        options = {"status": "--status", "workflow": "--workflow", "tag": "--tag", "business_key": "--key"}
        parts = ["omium", "executions", "list"]
        for name, option in options.items():
            value = getattr(self, name)
            if value is not None:
                parts += [option, str(value)]
        return shlex.join(parts)


def read_filter(text: str, now_us: int) -> ExecutionsWanted:
    """Read what was typed. What cannot be is said in `wrong`, and filters nothing."""
    wanted = ExecutionsWanted(words=words_of(text))
    wrong: list[str] = []
    for name, value in _pairs(text):
        if not value:
            continue
        try:
            wanted = replace(wanted, **{name: _read(name, value, now_us)})  # type: ignore[arg-type]
        except ValueError as error:
            wrong.append(str(error))
    return replace(wanted, wrong=" ".join(wrong))


def words_of(text: str) -> str:
    """Return what is no filter of the server's."""
    return " ".join(_MARK.sub(lambda found: "" if found[1].lower() in NAMES else found[0], text).split())


def without(text: str, filter_name: str) -> str:
    """Return what was typed without one filter, such as `status`."""
    kept = _MARK.sub(lambda found: "" if NAMES.get(found[1].lower()) == filter_name else found[0], text)
    return " ".join(kept.split())


def _pairs(text: str) -> list[tuple[str, str]]:
    return [
        (NAMES[found[1].lower()], found[2].strip("\"'"))
        for found in _MARK.finditer(text)
        if found[1].lower() in NAMES
    ]


def _read(name: str, value: str, now_us: int) -> object:
    match name:
        case "status":
            return _choose(ExecutionStatus, value, "status")
        case "environment":
            return _choose(Environment, value, "environment")
        case "from_us" | "until_us":
            return read_time(value, now_us)
        case _:
            return value


def _choose(kind: type[ExecutionStatus | Environment], value: str, what: str) -> object:
    """Return the one that `value` is, or begins; raises `ValueError`."""
    found = [each for each in kind if each.value.startswith(value.lower())]
    if len(found) != 1:
        raise ValueError(f"{value} is no {what}; those are {', '.join(each.value for each in kind)}.")
    return found[0]


def read_time(value: str, now_us: int) -> int:
    """Return a time in microseconds: `2h` (ago), `today`, or a date with or without a time, on this clock.

    Raises `ValueError`.
    """
    ago = re.fullmatch(r"(\d{1,6})(s|m|min|h|d|w)", value.lower())
    if ago is not None:
        return max(now_us - int(ago[1]) * UNITS_S[ago[2]] * US_PER_S, 0)
    if value.lower() == "today":
        midnight = datetime.fromtimestamp(now_us / US_PER_S).astimezone()  # the clock on the wall here
        return int(midnight.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()) * US_PER_S
    try:
        return max(int(datetime.fromisoformat(value).astimezone().timestamp() * US_PER_S), 0)
    except (ValueError, OverflowError, OSError):
        raise ValueError(
            f"{value} is no time; write 30m, 2h, 3d, today, 2026-01-31 or 2026-01-31T08:00."
        ) from None
