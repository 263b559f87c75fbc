"""Periods: months from an anchor, in UTC. Pure arithmetic.

A period is counted from the anchor itself, not from the one before: a plan that began on the 31st renews on
the 28th or 30th where a month is short, and on the 31st again where it is not.
"""

from __future__ import annotations

import calendar
import datetime as dt

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


def period_start_us(anchor_us: int, period: int) -> int:
    """Return when the `period`-th month from `anchor_us` begins; period 0 begins at the anchor."""
    anchor = _EPOCH + dt.timedelta(microseconds=anchor_us)
    months = anchor.month - 1 + period
    year, month = anchor.year + months // 12, months % 12 + 1
    day = min(anchor.day, calendar.monthrange(year, month)[1])
    return (anchor.replace(year=year, month=month, day=day) - _EPOCH) // _MICROSECOND


def period_name(start_us: int) -> str:
    """Return the day on which a period begins, such as `2026-01-31`."""
    return (_EPOCH + dt.timedelta(microseconds=start_us)).date().isoformat()
