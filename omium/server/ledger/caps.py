"""Caps: what an API key may spend within a day, a month, or at all.

Periods are UTC, by the time of the hold.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

from omium.server.db.tx import Tx
from omium.server.store import holds as store

PERIODS: Final = ("total", "day", "month")
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def period_start_us(period: str, now_us: int) -> int:
    """Return when the period that `now_us` lies in began; 0 for `total`."""
    if period == "total":
        return 0
    day = (_EPOCH + dt.timedelta(microseconds=now_us)).replace(hour=0, minute=0, second=0, microsecond=0)
    start = day if period == "day" else day.replace(day=1)
    return (start - _EPOCH) // dt.timedelta(microseconds=1)


def set_cap(tx: Tx, api_key_id: str, cap_microcredits: int | None, period: str) -> None:
    """Cap a key, or take the cap away (None); `period` is one of `PERIODS`. What runs goes on."""
    store.set_cap(tx, api_key_id, cap_microcredits, period, period_start_us(period, tx.now_us))
