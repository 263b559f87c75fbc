"""Cron: when a schedule is due, on the clock of its time zone. Pure.

Five fields, as in crontab(5), with names, lists, ranges, steps, `L` (the last day) and `MON#2` (the second
Monday); cronsim reads them. Where clocks go forward, a fixed time that does not exist comes at the first
moment after the gap; where they go back, a fixed time comes once, the first time, and what comes every hour
or minute goes on.
"""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

_FIELDS: Final = 5
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_US: Final = dt.timedelta(microseconds=1)
_HOUR_US: Final = 3_600_000_000
_LOOK_BACK_US: Final = (_HOUR_US, 24 * _HOUR_US, 40 * 24 * _HOUR_US, 800 * 24 * _HOUR_US)


class CronInvalid(ValueError):
    """The expression or the zone cannot be read; the message is a sentence."""


def check(expression: str, timezone: str, now_us: int) -> int:
    """Return the first time after now; raises `CronInvalid`."""
    if len(expression.split()) != _FIELDS:
        raise CronInvalid(
            "A cron expression has five fields: minute, hour, day, month, weekday. '0 9 * * MON-FRI' is"
            " nine o'clock on working days."
        )
    try:
        ZoneInfo(timezone)
    except (ValueError, OSError, KeyError):  # a name that is no path, and one that is not there
        raise CronInvalid(_no_zone(timezone)) from None
    try:
        return next_after(expression, timezone, now_us)
    except CronSimError as error:
        raise CronInvalid(f"{expression!r} is no cron expression: {error}.") from None
    except StopIteration:
        raise CronInvalid(f"{expression!r} names a day that never comes.") from None


def next_after(expression: str, timezone: str, after_us: int) -> int:
    """Return the first time after `after_us`."""
    return next(_times(expression, timezone, after_us))


def list_next(expression: str, timezone: str, after_us: int, count: int) -> list[int]:
    """Return the next `count` times after `after_us`."""
    return list(islice(_times(expression, timezone, after_us), count))


def newest_due(expression: str, timezone: str, first_us: int, now_us: int, count: int) -> list[int]:
    """Return the newest `count` times from `first_us` up to now, in order.

    Looks back in growing spans, so that a month without a server costs no walk through its minutes.
    """
    found: deque[int] = deque(maxlen=count)
    for span_us in (*_LOOK_BACK_US, now_us):
        begin_us = max(now_us - span_us, first_us)
        found.clear()
        for time_us in _times(expression, timezone, begin_us - 1):
            if time_us > now_us:
                break
            found.append(time_us)
        if len(found) == count or begin_us == first_us:
            break
    return list(found)


def _times(expression: str, timezone: str, after_us: int) -> Iterator[int]:
    zone = ZoneInfo(timezone)
    start = (_EPOCH + dt.timedelta(microseconds=after_us)).astimezone(zone)
    for moment in CronSim(expression, start):
        # Where clocks change the library's first answer may lie before `start`: it counts in whole minutes.
        time_us = (moment - _EPOCH) // _US
        if time_us > after_us:
            yield time_us


def _no_zone(timezone: str) -> str:
    return f"There is no time zone {timezone!r}; write a name such as Europe/Berlin or UTC."
