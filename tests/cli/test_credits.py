"""Credits on the command line: what is printed, what scripts get, and what is refused with the next step."""

import csv
import io

import pytest

from omium.cli.amounts import read_number
from omium.cli.ending import WrongUse
from omium.words import money, number, rounded


def test_the_life_of_a_balance(cli):
    before = cli("credits", "balance", "--json").json
    assert {"usd", "credits", "held_credits", "available_credits", "empty_at"} <= before.keys()

    entry = cli("credits", "topup", "20", "--reference", "INV-1", "--json").json
    assert (entry["kind"], entry["credits"], entry["reference"]) == ("topup", 20_000, "INV-1")
    assert cli("credits", "topup", "20", "--reference", "INV-1", "--json").json == entry
    assert cli("credits", "topup", "30", "--reference", "INV-1").code == 1
    assert cli("credits", "balance", "--json").json["credits"] == before["credits"] + 20_000

    assert "+500 credits (grant)" in cli("credits", "grant", "500", "--reason", "=trial").err
    assert "-5.5 credits" in cli("credits", "adjust", "-5.5", "--reason", "too many").err
    kinds = [line["kind"] for line in cli("credits", "history", "--json").json]
    assert kinds == ["adjustment", "grant", "topup", "grant"]
    assert [line["kind"] for line in cli("credits", "history", "--kind", "topup", "--json").json] == ["topup"]
    assert len(cli("credits", "history", "--limit", "2", "--json").json) == 2
    rows = list(csv.DictReader(io.StringIO(cli("credits", "history", "--csv").out)))
    assert [row["credits"] for row in rows] == ["-5.5", "500", "20000", "10000"]
    assert rows[1]["note"] == "'=trial"  # no formula for a spreadsheet
    assert cli("credits", "history", "--csv", "--json").code == 2
    shown = cli("credits", "history")
    assert "INV-1" in shown.out
    assert "starter credits" in shown.out

    too_little = cli("credits", "topup", "5")
    assert (too_little.code, "The least is $10" in too_little.err) == (1, True)
    assert cli("credits", "topup", "ten").code == 2
    assert cli("credits", "refund", "1", "--reason", "r").code == 1


def test_plans_and_the_threshold(cli):
    assert "from 1,000 on" in cli("credits", "low", "10%").err
    assert cli("credits", "low", "101%").code == 2
    assert "renews" in cli("credits", "choose-plan", "hobby").err
    assert cli("credits", "cancel-plan").code == 2  # nobody to ask
    assert "ends on" in cli("credits", "cancel-plan", "--yes").err
    own = cli("credits", "plans", "--json").json
    assert own["subscription"]["next_plan"] is None
    assert {plan["name"] for plan in own["items"]} >= {"hobby", "team"}
    listed = cli("credits", "payments")
    assert "omium credits topup 20" in listed.err


@pytest.mark.parametrize(
    ("amount", "text"), [(0, "0"), (1234.5, "1,234.5"), (-20.000001, "-20.000001"), (10_000, "10,000")]
)
def test_credits_are_told_exactly_and_without_needless_zeros(amount, text):
    assert number(amount) == text


@pytest.mark.parametrize(
    ("amount", "text"), [(7.077888, "7.08"), (9999.77, "9,999.77"), (0.0025, "0.0025"), (0.123456, "0.1235")]
)
def test_credits_to_compare_are_rounded_and_small_ones_are_told_apart(amount, text):
    assert rounded(amount) == text


@pytest.mark.parametrize(
    ("amount", "text"), [(0, "0.00"), (1.5, "1.50"), (0.0025, "0.0025"), (1000, "1,000.00")]
)
def test_dollars_have_two_places_or_as_many_as_they_need(amount, text):
    assert money(amount) == text


@pytest.mark.parametrize("text", ["", "ten", "NaN", "inf", "1,000"])
def test_what_is_no_amount_is_wrong_use(text):
    with pytest.raises(WrongUse):
        read_number(text)
