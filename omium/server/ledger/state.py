"""State: how a tenant's credits stand, whether they are low, and how fast they go. Reads, but for two sweeps.

`credits_state` is one statement, cheap enough for every request. `burn` tells how many credits a day are
spent, from marks that a sweep makes every hour, and when they will be gone at that rate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from omium.clock import US_PER_S
from omium.server.db.tx import Tx
from omium.server.ledger.book import About, open_book
from omium.server.ledger.lots import settle
from omium.server.store import credits as store

HOUR_US = 3_600 * US_PER_S
DAY_US = 24 * HOUR_US
BURN_DAYS = 7
MARKS_PER_SWEEP = 500
FOREVER_DAYS = 36_500
"""A rate that leaves credits for longer than a century tells no day."""


@dataclass(frozen=True, slots=True)
class CreditsState:
    """A tenant's credits in micro-credits; `threshold_microcredits` is what counts as low."""

    balance_microcredits: int = 0
    held_microcredits: int = 0
    negative_microcredits: int = 0
    owed_microcredits: int = 0
    usage_microcredits: int = 0
    threshold_microcredits: int = 0
    low_percent: int | None = None
    low_since_us: int | None = None

    @property
    def available_microcredits(self) -> int:
        """What may be spent or set aside now, the plan's negative included."""
        return self.balance_microcredits + self.negative_microcredits - self.held_microcredits

    @property
    def is_low(self) -> bool:
        """Whether what is available has come down to the threshold."""
        return self.available_microcredits <= self.threshold_microcredits

    @property
    def is_exhausted(self) -> bool:
        """Whether nothing is available."""
        return self.available_microcredits <= 0


@dataclass(frozen=True, slots=True)
class Burn:
    """How fast credits are spent; `empty_us` is when they are gone at this rate, None for never."""

    microcredits_per_day: int
    empty_us: int | None


def credits_state(tx: Tx, tenant_id: str) -> CreditsState:
    """Return how a tenant's credits stand; one without any has an empty state."""
    row = store.find_state(tx, tenant_id)
    if row is None:
        return CreditsState(low_percent=store.LOW_PERCENT)
    threshold = row.low_microcredits
    if threshold is None:
        threshold = row.full_microcredits * (row.low_percent or 0) // 100
    return CreditsState(
        balance_microcredits=row.balance_microcredits,
        held_microcredits=row.held_microcredits,
        negative_microcredits=-row.floor_microcredits,
        owed_microcredits=row.owed_microcredits,
        usage_microcredits=row.usage_microcredits,
        threshold_microcredits=threshold,
        low_percent=row.low_percent if row.low_microcredits is None else None,
        low_since_us=row.low_since_us,
    )


def choose_threshold(tx: Tx, tenant_id: str, microcredits: int | None, percent: int | None) -> None:
    """Say what counts as low: an amount, or hundredths of what was available when credits came last."""
    with open_book(tx, tenant_id, About()) as book:
        settle(tx, book)  # makes the marks of a tenant that never had credits
        store.set_low(tx, tenant_id, microcredits, percent)


def burn(tx: Tx, tenant_id: str, state: CreditsState) -> Burn:
    """Return the rate of the last seven days, and when `state` runs out at it.

    Before the first mark, and for what was spent within less than a day, it counts as spent within a day.
    """
    mark = store.find_usage_mark(tx, tenant_id, tx.now_us - BURN_DAYS * DAY_US)
    spent = state.usage_microcredits - (mark.usage_microcredits if mark is not None else 0)
    over_us = max(DAY_US, min(BURN_DAYS * DAY_US, tx.now_us - mark.at_us) if mark is not None else 0)
    if spent <= 0:
        return Burn(0, None)
    left = max(0, state.available_microcredits)
    lasts_us = left * over_us // spent
    empty_us = tx.now_us + lasts_us if lasts_us <= FOREVER_DAYS * DAY_US else None
    return Burn(spent * DAY_US // over_us, empty_us)


def sweep_usage_marks(tx: Tx) -> int:
    """Note what tenants have spent, each at most once an hour; returns for how many (`MARKS_PER_SWEEP`)."""
    store.delete_usage_marks(tx, tx.now_us - BURN_DAYS * DAY_US)
    return store.insert_usage_marks(tx, tx.now_us - HOUR_US, MARKS_PER_SWEEP)


def sweep_low(tx: Tx, limit: int, tell: Callable[[Tx, str, CreditsState], None]) -> int:
    """Note which tenants have become low, and which are not any more; `tell` is called once for each.

    The note and what `tell` writes are one transaction, so a crossing is told once, also by several servers.
    """
    crossed = store.list_crossed(tx, limit)
    for tenant_id in crossed:
        state = credits_state(tx, tenant_id)
        if store.note_low(tx, tenant_id, is_low=state.is_low):
            tell(tx, tenant_id, state)
    return len(crossed)
