"""Patterns: which providers and models a rule of the price book is for.

Case does not matter, `*` stands for any number of characters, also none; everything else for itself.
"""

from __future__ import annotations

ANY = "*"


def matches(pattern: str, name: str) -> bool:
    """Say whether `name` is one of those that `pattern` stands for; the time is linear, whatever they are."""
    pattern, name = pattern.casefold(), name.casefold()
    first, star, rest = pattern.partition(ANY)
    if not star:
        return pattern == name
    *middle, last = rest.split(ANY)
    end = len(name) - len(last)
    if not (name.startswith(first) and name.endswith(last) and len(first) <= end):
        return False
    start = len(first)
    for part in middle:  # the leftmost place leaves the most for what follows
        start = name.find(part, start, end)
        if start < 0:
            return False
        start += len(part)
    return True


def covers(first: str, second: str) -> bool:
    """Say whether `first` stands for everything that `second` stands for."""
    return matches(first, second)  # a `*` of the second is matched by nothing but a `*` of the first
