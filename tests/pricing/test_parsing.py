"""Price books from TOML: every mistake at once, each with its place."""

import pytest

from omium.pricing.default import default_text
from omium.pricing.parse import BookInvalid, find_warnings, parse_book


def findings(text):
    with pytest.raises(BookInvalid) as caught:
        parse_book(text)
    return [str(each) for each in caught.value.findings]


def test_every_mistake_is_told_at_once_with_its_line_and_remedy():
    told = findings(
        """
unknown_model = "maybe"
markup = 3

[work]
step = -1
execution = "cheap"

[[rules]]
provider = "openai"
input = 1

[[rules]]
model = ""
input = 0.0000001
output = 1
"""
    )
    assert told == [
        (
            "line 3: markup: this key means nothing here; unknown_model, bundled_models, markup_percent, "
            "work, default_model, rules do."
        ),
        'line 2: unknown_model: write "refuse" or "default".',
        "line 7: work.execution: write a number, such as execution = 0.25, in credits.",
        "line 6: work.step: -1 is below zero; nothing is paid back for work.",
        "line 9: rules[1]: output is missing; write output = 0 if it costs nothing.",
        'line 14: rules[2].model: write a name such as "openai"; * stands for any characters.',
        "line 15: rules[2].input: 1E-7 is finer than a micro-credit; give at most six decimals.",
    ]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("work = 3", "this is a table"),
        ("rules = 3", "each rule begins with"),
        ("[rules]\nprovider = 'x'", "each rule begins with"),
        ("[[rules]]\ncall = 1", "say what the rule is for"),
        ("[[rules]]\nprovider = 'x'", "give it prices"),
        ("[[rules]]\nprovider = 3\ncall = 1", "write a name"),
        ("[[rules]]\nprovider = 'x'\ncall = 10001", "more than 10,000 credits"),
        ("[work]\nstep = nan", "write a number"),
        ("[work]\nstep = inf", "write a number"),
        ("[work]\nstep = true", "write a number"),
        (f"[work]\nstep = {'1' * 5000}", "thousands of digits"),
        ("[work]\nstep = 1e999999999", "write a number"),
        ("[work]\nstep = 1e-999999999", "write a number"),
        ("[work]\nstep = 2026-01-01", "write a number"),
        ("markup_percent = 0.00001", "at most four decimals"),
        ("markup_percent = 1001", "up to 1,000"),
        ("bundled_models = 1", "write true or false"),
        ("unknown_model = 'default'", "input is missing"),
        ("a = ", "this is no TOML"),
        ("a = " + "[" * 5000, "nested too deep"),
        ("#" * 300_000, "at most 128 KiB"),
    ],
)
def test_a_mistake_has_its_remedy(text, word):
    assert word in "\n".join(findings(text))


def test_amounts_are_exact():
    book = parse_book("[work]\nstep = 0.1\nexecution = '0.000001'\ncheckpoint_gib_month = 1_000.5\n")
    assert book.step_microcredits == 100_000
    assert book.execution_microcredits == 1
    assert book.checkpoint_gib_month_microcredits == 1_000_500_000


def test_an_empty_book_refuses_what_it_does_not_know():
    assert parse_book("").unknown_model == "refuse"


def test_a_rule_that_is_never_reached_is_told():
    book = parse_book(
        '[[rules]]\nmodel = "gpt-*"\ncall = 1\n[[rules]]\nprovider = "openai"\nmodel = "gpt-4o"\ncall = 1\n'
        '[[rules]]\nmodel = "*"\ncall = 1\n'
    )
    assert [str(each) for each in find_warnings(book)] == [
        (
            "rules[2]: openai/gpt-4o is never reached: rules[1] (*/gpt-*) stands above it and fits all of "
            "it; put the narrower rule first."
        )
    ]


def test_the_default_book_has_no_warnings():
    assert find_warnings(parse_book(default_text())) == []
