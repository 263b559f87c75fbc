"""Amounts by time: how much there was within the last so many microseconds, in twelve numbers.

The window moves bucket by bucket, so it spans between eleven and twelve twelfths of its length. A clock
that is stepped back does not lose what was counted: times before the newest bucket count there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from omium.errors import DatabaseCorrupt

BUCKETS = 12


@dataclass(frozen=True, slots=True)
class Window:
    """`amounts[0]` belongs to bucket `newest` (time divided by `width_us`), the rest to those before it."""

    width_us: int
    newest: int
    amounts: tuple[int, ...]

    def to_json(self) -> dict[str, object]:
        """Return the JSON object, which `read_window` reads back."""
        return {"width_us": self.width_us, "newest": self.newest, "amounts": list(self.amounts)}


def new_window(length_us: int, now_us: int) -> Window:
    """Return an empty window of `length_us`."""
    width_us = max(length_us // BUCKETS, 1)
    return Window(width_us, now_us // width_us, (0,) * BUCKETS)


def add(window: Window, now_us: int, amount: int) -> Window:
    """Return `window` with `amount` counted at `now_us`."""
    assert amount >= 0
    moved = move(window, now_us)
    return replace(moved, amounts=(moved.amounts[0] + amount, *moved.amounts[1:]))


def move(window: Window, now_us: int) -> Window:
    """Return `window` as it is at `now_us`, without what is too old."""
    steps = min(now_us // window.width_us - window.newest, BUCKETS)
    if steps <= 0:
        return window
    return Window(window.width_us, now_us // window.width_us, ((0,) * steps + window.amounts)[:BUCKETS])


def total(window: Window, now_us: int) -> int:
    """Return how much `window` holds at `now_us`."""
    return sum(move(window, now_us).amounts)


def free_at_us(window: Window, now_us: int, at_most: int) -> int:
    """Return the first time from `now_us` on when the window holds `at_most` or less, if nothing is added."""
    moved = move(window, now_us)
    held = sum(moved.amounts)
    if held <= at_most:
        return now_us
    for age in range(BUCKETS - 1, -1, -1):  # the oldest bucket leaves first
        held -= moved.amounts[age]
        if held <= at_most:
            return max((moved.newest + BUCKETS - age) * moved.width_us, now_us)
    return max((moved.newest + BUCKETS) * moved.width_us, now_us)


def fit(window: Window, length_us: int, now_us: int) -> Window:
    """Return `window` if it has `length_us`, else an empty one: the policy was changed."""
    return window if window.width_us == max(length_us // BUCKETS, 1) else new_window(length_us, now_us)


def read_window(form: object) -> Window:
    """Return the window that `to_json` wrote; `DatabaseCorrupt` if it is not one."""
    if isinstance(form, Mapping):
        width_us, newest, amounts = form.get("width_us"), form.get("newest"), form.get("amounts")
        if type(width_us) is int and width_us > 0 and type(newest) is int and isinstance(amounts, list):
            kept = tuple(amount for amount in amounts if type(amount) is int and amount >= 0)
            if len(kept) == len(amounts) == BUCKETS:
                return Window(width_us, newest, kept)
    raise DatabaseCorrupt("The stored state of a breaker cannot be read; reset that breaker.")
