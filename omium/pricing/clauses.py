"""Clauses: which names an entry of the bundled table is for, as short lists such as `["^", "gpt-4o-"]`.

    ["=", text]    the name itself        ["~", pattern]   a regular expression, found anywhere
    ["^", text]    how it begins          ["|", clauses]   one of them
    ["$", text]    how it ends            ["&", clauses]   all of them
    ["*", text]    what it contains

Texts are in lower case, names are made so by the caller.
"""

from __future__ import annotations

import re
from typing import cast

Clause = list[object]


def fits(clause: Clause, name: str) -> bool:
    """Say whether the clause is for `name`, which is in lower case."""
    sign, operand = clause
    if sign in {"|", "&"}:
        parts = (fits(part, name) for part in cast("list[Clause]", operand))
        return any(parts) if sign == "|" else all(parts)
    text = str(operand)
    match sign:
        case "=":
            return name == text
        case "^":
            return name.startswith(text)
        case "$":
            return name.endswith(text)
        case "*":
            return text in name
        case "~":
            return re.search(text, name) is not None
        case _:
            raise ValueError(f"{sign!r} is no clause")
