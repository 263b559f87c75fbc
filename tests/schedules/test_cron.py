"""Times of schedules: time zones, the nights on which clocks change, and what is due after an absence."""

import datetime as dt
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from omium.server.schedules import cron

BERLIN = "Europe/Berlin"
HOUR_US = 3_600_000_000


def us(text, zone="UTC"):
    moment = dt.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))
    return round(moment.timestamp()) * 1_000_000


def shown(times, zone=BERLIN):
    return [f"{dt.datetime.fromtimestamp(at // 1_000_000, ZoneInfo(zone)):%d %H:%M}" for at in times]


def nexts(expression, after, count=3, zone=BERLIN):
    return shown(cron.list_next(expression, zone, us(after, zone), count), zone)


def test_a_time_is_that_of_its_zone_in_summer_and_winter():
    assert cron.next_after("0 9 * * *", BERLIN, us("2026-07-01T00:00")) == us("2026-07-01T07:00")
    assert cron.next_after("0 9 * * *", BERLIN, us("2026-01-01T00:00")) == us("2026-01-01T08:00")


def test_a_time_that_the_night_leaves_out_comes_after_the_gap():
    assert nexts("30 2 * * *", "2026-03-28T12:00") == ["29 03:00", "30 02:30", "31 02:30"]
    assert nexts("0 * * * *", "2026-03-29T00:30") == ["29 01:00", "29 03:00", "29 04:00"]


def test_a_time_that_the_night_repeats_comes_once_and_what_is_hourly_goes_on():
    assert nexts("30 2 * * *", "2026-10-24T12:00") == ["25 02:30", "26 02:30", "27 02:30"]
    times = cron.list_next("0 * * * *", BERLIN, us("2026-10-25T00:30", BERLIN), 4)
    assert {later - former for former, later in pairwise(times)} == {HOUR_US}


@pytest.mark.parametrize("count", [1, 2, 100])
@pytest.mark.parametrize("expression", ["* * * * *", "*/15 2 * * *", "0 9 * * MON-FRI", "0 0 1 * *"])
def test_what_is_due_are_the_newest_of_all_times_between(expression, count):
    first, now = us("2026-02-10T00:00"), us("2026-04-02T05:00")
    every = []
    at = first - 1
    while (at := cron.next_after(expression, BERLIN, at)) <= now and len(every) < 100_000:
        every.append(at)
        if expression == "* * * * *" and len(every) > 300:  # the others are enough to walk through
            every, at = [], now - 300 * 60_000_000
    assert cron.newest_due(expression, BERLIN, first, now, count) == every[-count:]


@pytest.mark.parametrize(
    ("expression", "zone", "said"),
    [
        ("0 9 * *", "UTC", "five fields"),
        ("* * * * * *", "UTC", "five fields"),
        ("61 * * * *", "UTC", "no cron expression"),
        ("0 0 31 2 *", "UTC", "no cron expression"),
        ("0 9 * * *", "Mars/Olympus", "no time zone"),
        ("0 9 * * *", "../../etc/passwd", "no time zone"),
        ("0 9 * * *", "", "no time zone"),
    ],
)
def test_what_cannot_be_meant_is_told(expression, zone, said):
    with pytest.raises(cron.CronInvalid, match=said):
        cron.check(expression, zone, 0)
