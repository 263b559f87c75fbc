"""Months from an anchor: any day of a month, any time of a day, leap years."""

import datetime as dt
import itertools

from hypothesis import given
from hypothesis import strategies as st

from omium.server.ledger.periods import period_name, period_start_us

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def us(text):
    return (dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC) - EPOCH) // dt.timedelta(microseconds=1)


def test_a_plan_of_the_31st_renews_at_the_end_of_short_months_and_on_the_31st_again():
    anchor = us("2027-12-31T23:59:59.999999")

    starts = [period_start_us(anchor, period) for period in range(6)]

    assert [period_name(start) for start in starts] == [
        "2027-12-31", "2028-01-31", "2028-02-29", "2028-03-31", "2028-04-30", "2028-05-31",
    ]  # fmt: skip
    assert starts[0] == anchor
    assert starts[2] == us("2028-02-29T23:59:59.999999")


@given(anchor=st.integers(0, us("2100-01-01")), periods=st.integers(1, 40))
def test_periods_follow_each_other_and_stay_on_their_day(anchor, periods):
    starts = [period_start_us(anchor, period) for period in range(periods + 1)]
    days = [(EPOCH + dt.timedelta(microseconds=start)) for start in starts]

    assert starts == sorted(set(starts))
    first = days[0]
    assert all(day.time() == first.time() for day in days)
    assert all(27 <= (later - earlier).days <= 31 for earlier, later in itertools.pairwise(days))
    assert all(day.day == first.day or (day + dt.timedelta(days=1)).day == 1 for day in days)
