"""Spend breaker: at most so many tokens, or microcredits, per window (a minute).

Owns the counting; what was spent is always counted, also beyond the limit, and only the next spending waits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from omium.breaker.window import Window, add, fit, free_at_us, new_window, read_window, total

_MINUTE_US = 60_000_000


@dataclass(frozen=True, slots=True)
class SpendLimit:
    """At most `amount` (tokens or microcredits) within `window_us`."""

    amount: int
    window_us: int = _MINUTE_US

    def __post_init__(self) -> None:
        assert self.amount > 0
        assert self.window_us > 0


@dataclass(frozen=True, slots=True)
class Spend:
    """What was spent lately."""

    spent: Window

    def to_json(self) -> dict[str, object]:
        """Return the JSON object, which `from_json` reads back."""
        return {"spent": self.spent.to_json()}

    @staticmethod
    def from_json(form: Mapping[str, object]) -> Spend:
        """Return the state that `form` describes; `DatabaseCorrupt` if it is not one."""
        return Spend(read_window(form.get("spent")))


def note_spend(spend: Spend | None, limit: SpendLimit, amount: int, now_us: int) -> Spend:
    """Return the state after `amount` more was spent; None is a state that has seen nothing."""
    window = spend.spent if spend is not None else new_window(limit.window_us, now_us)
    return Spend(add(fit(window, limit.window_us, now_us), now_us, amount))


def retry_after_us(spend: Spend | None, limit: SpendLimit, now_us: int, *, amount: int = 0) -> int:
    """Return how long to wait before `amount` more may be spent: 0 = now.

    Spending starts while the limit is not reached. An `amount` that alone is above the limit waits for an
    empty window and then passes: refusing it for ever would only be another way to be stuck.
    """
    if spend is None or spend.spent.width_us != new_window(limit.window_us, now_us).width_us:
        return 0
    room = max(limit.amount - max(amount, 1), 0)
    if total(spend.spent, now_us) <= room:
        return 0
    return max(free_at_us(spend.spent, now_us, room) - now_us, 1)
