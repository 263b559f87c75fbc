"""The doctor's hint about the age of the bundled table; no test fails because time goes by."""

import datetime as dt

from omium.cli.checks_prices import AGE_WARN_DAYS, check_model_prices
from omium.pricing.table import read_edition

AS_OF = dt.date.fromisoformat(read_edition().as_of)


def test_a_table_of_this_half_year_is_fine():
    (found,) = check_model_prices(AS_OF + dt.timedelta(days=AGE_WARN_DAYS))
    assert (found.level, found.remedy) == ("ok", "")
    assert read_edition().as_of in found.detail


def test_an_older_one_gets_a_hint_and_fails_nothing():
    (found,) = check_model_prices(AS_OF + dt.timedelta(days=AGE_WARN_DAYS + 1))
    assert found.level == "warn"
    assert "omium prices edit" in found.remedy


def test_a_clock_before_the_table_is_no_finding():
    (found,) = check_model_prices(AS_OF - dt.timedelta(days=400))
    assert found.level == "ok"
