from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omium.money import format_credits, format_usd, parse_credits, parse_usd, to_credits, to_usd


@pytest.mark.parametrize(
    ("text", "microcredits"),
    [("20", 20_000_000_000), (" 0.01 ", 10_000_000), ("0.000000001", 1), ("1e1", 10_000_000_000)],
)
def test_dollars_are_read_exactly(text, microcredits):
    assert parse_usd(text) == microcredits


@pytest.mark.parametrize("text", ["", "ten", "0", "-5", "NaN", "Infinity", "0.0000000001", "1e30", "1,000"])
def test_what_is_no_exact_amount_above_zero_is_refused(text):
    with pytest.raises(ValueError, match=r"amount|more than|finer"):
        parse_usd(text)


@pytest.mark.parametrize(
    ("microcredits", "usd", "as_credits"),
    [
        (0, "0.00", "0"),
        (1_500_000_000, "1.50", "1,500"),
        (1, "0.000000001", "0.000001"),
        (-1_234_500_000, "-1.2345", "-1,234.5"),
        (10**18, "1,000,000,000.00", "1,000,000,000,000"),
    ],
)
def test_amounts_are_written_exactly(microcredits, usd, as_credits):
    assert (format_usd(microcredits), format_credits(microcredits)) == (usd, as_credits)


@given(st.integers(1, 10**16))
def test_what_is_written_is_read_back_equal(microcredits):
    assert parse_usd(format_usd(microcredits).replace(",", "")) == microcredits
    assert parse_credits(format_credits(microcredits).replace(",", "")) == microcredits
    assert Decimal(format_usd(microcredits).replace(",", "")) * 10**9 == microcredits


@pytest.mark.parametrize(
    ("microcredits", "number"), [(0, 0), (2_000_000, 2), (-2_000_000, -2), (1_500_000, 1.5), (-1, -0.000001)]
)
def test_a_number_for_json_is_whole_where_it_can_be(microcredits, number):
    shown = to_credits(microcredits)

    assert shown == number
    assert type(shown) is type(number)
    assert to_usd(microcredits * 1_000) == number
