"""Summing: the sweeps that add rows up, and make days of hours that are old.

Each portion takes rows, marks them and adds them to the sums in one transaction: a process that dies leaves
neither half. Two servers take different rows, and write sums in one order.
"""

from __future__ import annotations

from typing import Final

from omium.server.analytics.rows import (
    day_of,
    execution_sums,
    failure_sums,
    merge,
    spent_sums,
    usage_sums,
)
from omium.server.db.tx import Tx
from omium.server.store import sums, unsummed

PORTION: Final = 250
HOURS_KEPT_DAYS: Final = 40
"""Days for which there are sums of hours; then they become those of days."""
DAYS_KEPT_DAYS: Final = 800
"""Days for which there are sums at all."""


def sum_rows(tx: Tx) -> int:
    """Add up a portion of executions, usage and failures; returns the size of the largest."""
    ended = unsummed.take_ended(tx, PORTION)
    used = unsummed.take_used(tx, PORTION)
    failed = unsummed.take_failed(tx, PORTION)
    sums.add_sums(tx, execution_sums(ended))
    sums.add_sums(tx, usage_sums(used))
    sums.add_sums(tx, failure_sums(failed))
    return max(len(ended), len(used), len(failed))


def sum_spending(tx: Tx) -> int:
    """Add up a portion of one tenant's journal; returns 1 if there was something."""
    behind = unsummed.find_behind(tx)
    if behind is None:
        return 0
    summed_seq = unsummed.lock_spending_mark(tx, behind.tenant_id)
    last_seq = min(behind.last_seq, summed_seq + PORTION)
    if last_seq > summed_seq:  # else another server was here in between
        spent = unsummed.take_spent(tx, behind.tenant_id, summed_seq, last_seq)
        sums.add_sums(tx, spent_sums(behind.tenant_id, spent))
    return 1


def compact_sums(tx: Tx) -> int:
    """Make days of a portion of old hours, and drop days that are too old; returns how many rows went."""
    today_us = tx.now_us - tx.now_us % sums.DAY_US
    taken = sums.take_hours(tx, today_us - HOURS_KEPT_DAYS * sums.DAY_US, PORTION)
    sums.add_sums(tx, merge(day_of(row) for row in taken))
    return len(taken) + sums.drop_days(tx, today_us - DAYS_KEPT_DAYS * sums.DAY_US, PORTION)
