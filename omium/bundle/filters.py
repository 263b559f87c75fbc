"""Filters: what a list in a bundle leaves out, by the names that the API's queries have.

Owns which filter is the value of which member. A test compares the names with the endpoints' own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from omium.bundle.opening import Row
from omium.errors import InvalidRequest

Query = dict[str, str]
Keep = Callable[[Row], bool]

_SAME: Final[Mapping[str, Mapping[str, str]]] = {
    "executions": {
        "status": "status",
        "workflow": "workflow",
        "environment": "environment",
        "parent": "parent_id",
        "replay_of": "replay_of",
        "business_key": "business_key",
    },
    "failures": {name: name for name in ("status", "workflow", "environment", "kind")},
    "charges": {"kind": "kind", "key": "api_key_id"},
    "workflows": {"kind": "kind"},
    "attempts": {"path": "key"},
    "logs": {"path": "key"},
}
"""Per list: which filter is the value of which member."""
_WHEN: Final[Mapping[str, str]] = {"executions": "created_at_us", "charges": "at_us"}
"""Per list with times: the member that `from_us` and `until_us` are compared with, the end excluded."""


def make_filter(what: str, query: Query) -> Keep:
    """Return what says whether a row of the list `what` is wanted. Raises `InvalidRequest`."""
    same = [(member, query[name]) for name, member in _SAME.get(what, {}).items() if query.get(name)]
    when = _WHEN.get(what)
    if when is not None and ("from_us" in query or "until_us" in query):
        from_us, until_us = read_number(query, "from_us", 0), read_number(query, "until_us", 2**62)
    else:
        when, from_us, until_us = None, 0, 0

    def keep(row: Row) -> bool:
        if any(row.get(member) != wanted for member, wanted in same):
            return False
        at_us = row.get(when) if when is not None else None
        return when is None or (isinstance(at_us, int) and from_us <= at_us < until_us)

    return keep


def read_number(query: Query, name: str, default: int) -> int:
    """Return a number of the query. Raises `InvalidRequest` for what is none."""
    given = query.get(name)
    if given is None:
        return default
    if re.fullmatch(r"[0-9]{1,18}", given) is None:
        raise InvalidRequest(f"{name} is not one that a bundle gave; start again without it.")
    return int(given)
