"""What usage costs: exact, rounded up once, never less for more, never zero unless a rule says so."""

from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from omium.errors import UnknownPrice
from omium.pricing.default import default_book
from omium.pricing.parse import parse_book
from omium.pricing.rates import COST_MAX_MICROCREDITS, Rates, Tokens, round_up

RULE = """
unknown_model = "{unknown}"
bundled_models = {bundled}
markup_percent = {markup}
[default_model]
input = 7
output = 9
call = 2
[[rules]]
provider = "openai"
model = "gpt-*"
input = {input}
output = {output}
cached = {cached}
call = {call}
"""


def make_book(unknown="default", bundled="false", **given):
    prices = {"input": "3", "output": "4", "cached": "1", "call": "0", "markup": "0"} | given
    return parse_book(RULE.format(unknown=unknown, bundled=bundled, **prices))


def price(book, provider="openai", model="gpt-5", **tokens):
    return book.price_usage(provider=provider, model=model, **tokens)


amounts = st.integers(0, 10**10).map(lambda micro: f"{micro // 10**6}.{micro % 10**6:06}")
counts = st.integers(0, 10**8)


@given(
    amounts, amounts, amounts, amounts, st.integers(0, 10**6), counts, counts, counts, st.integers(0, 1000)
)
def test_a_price_is_the_exact_fraction_rounded_up_once(
    per_input, per_output, per_cached, per_call, markup, tokens_in, tokens_out, cached, calls
):
    book = make_book(
        input=per_input,
        output=per_output,
        cached=per_cached,
        call=per_call,
        markup=f"{markup // 1000}.{markup % 1000:03}",
    )
    cached = min(cached, tokens_in)

    priced = price(book, input_tokens=tokens_in, output_tokens=tokens_out, cached_tokens=cached, calls=calls)

    thousand = Fraction(1000)
    exact = (
        Fraction(per_input) * (tokens_in - cached) / thousand
        + Fraction(per_cached) * cached / thousand
        + Fraction(per_output) * tokens_out / thousand
        + Fraction(per_call) * calls
    ) * (1 + Fraction(markup, 100_000))
    exact_microcredits = exact * 10**6
    assume(exact_microcredits <= COST_MAX_MICROCREDITS)
    assert 0 <= priced.microcredits - exact_microcredits < 1


@given(st.lists(st.integers(0, 10**12), min_size=6, max_size=6), *[counts] * 6)
def test_more_never_costs_less(rates, tokens_in, tokens_out, calls, more_in, more_out, more_calls):
    by = Rates(*rates)
    less = by.cost_picocredits(Tokens(tokens_in, tokens_out, calls=calls))
    more = by.cost_picocredits(Tokens(tokens_in + more_in, tokens_out + more_out, calls=calls + more_calls))
    assert less <= more
    assert round_up(less) <= round_up(more)


@given(st.lists(st.integers(0, 10**12), min_size=6, max_size=6), *[st.integers(0, 10**5)] * 4)
def test_two_records_cost_at_most_a_microcredit_more_than_one_of_both(rates, a_in, a_out, b_in, b_out):
    by = Rates(*rates)
    first, second, both = (
        round_up(by.cost_picocredits(Tokens(*tokens)), 125_000)
        for tokens in ((a_in, a_out), (b_in, b_out), (a_in + b_in, a_out + b_out))
    )
    assert both <= first + second <= both + 1


def test_cached_and_reasoning_tokens_are_parts_of_input_and_output():
    book = make_book(input="4", output="10", cached="1")
    assert price(book, input_tokens=1000, cached_tokens=400).microcredits == 2_800_000
    assert price(book, output_tokens=1000, reasoning_tokens=400).microcredits == 10_000_000


def test_cached_tokens_without_a_price_of_their_own_cost_as_input():
    book = parse_book('[[rules]]\nprovider = "p"\ninput = 4\noutput = 10')
    assert book.price_usage(provider="p", model="m", input_tokens=9, cached_tokens=9).microcredits == 36_000


def test_a_rule_comes_before_the_bundled_table_and_the_first_one_that_fits_counts():
    book = parse_book(
        '[[rules]]\nmodel = "gpt-4o-mini"\ninput = 1\noutput = 1\n'
        '[[rules]]\nmodel = "gpt-4o*"\ninput = 2\noutput = 2\n'
    )
    mini = book.price_usage(provider="openai", model="GPT-4o-mini", input_tokens=1000)
    big = book.price_usage(provider="openai", model="gpt-4o", input_tokens=1000)
    assert (mini.microcredits, mini.source, mini.rule) == (1_000_000, "rule", "*/gpt-4o-mini")
    assert (big.microcredits, big.rule) == (2_000_000, "*/gpt-4o*")
    other = book.price_usage(provider="openai", model="gpt-4.1", input_tokens=1000)
    assert (other.microcredits, other.source) == (2_000_000, "bundled")


def test_an_unknown_model_takes_the_default_price_and_says_so():
    priced = price(make_book(), model="mystery", input_tokens=1000, output_tokens=1000, calls=1)
    assert (priced.microcredits, priced.source, priced.rule) == (18_000_000, "default", "default")


@pytest.mark.parametrize(("provider", "model"), [("openai", "mystery"), (None, None), ("tool", None)])
def test_a_book_that_refuses_what_it_does_not_know_never_calls_it_free(provider, model):
    book = make_book(unknown="refuse")
    with pytest.raises(UnknownPrice, match="omium prices edit") as caught:
        book.price_usage(provider=provider, model=model, calls=1)
    assert caught.value.members == {"provider": provider, "model": model, "price_version": 0}
    with pytest.raises(UnknownPrice):  # remembered is no softer than looked up
        book.price_usage(provider=provider, model=model, calls=1)


def test_a_provider_that_is_paid_by_the_call_is_charged_by_the_call():
    book = parse_book('[[rules]]\nprovider = "tavily"\ncall = 8')
    assert book.price_usage(provider="tavily", model=None, calls=3).microcredits == 24_000_000


def test_a_mad_report_costs_much_and_breaks_nothing():
    book = make_book(input="10000", call="10000", markup="1000")
    assert price(book, input_tokens=10**8, calls=2**31 - 1).microcredits == COST_MAX_MICROCREDITS


def test_names_that_clients_make_up_do_not_fill_the_memory():
    book = make_book()
    for number in range(5_000):
        book.find_match("openai", f"made-up-{number}")
    assert len(book._found) <= 4096


def test_a_price_is_found_while_another_thread_forgets_what_was_remembered():
    class Forgetful(dict):
        def __setitem__(self, key, value):
            """Keep nothing, as if it was cleared right after."""

        def __contains__(self, key):
            return True

    book = make_book()
    object.__setattr__(book, "_found", Forgetful())
    assert book.find_match("openai", "gpt-4o") == make_book().find_match("openai", "gpt-4o")


def test_the_default_book_knows_the_well_known_and_says_what_is_free():
    book = default_book()
    assert price(book, model="gpt-4o-mini", input_tokens=1_000_000).microcredits == 150 * 10**6
    assert price(book, "ollama", "llama3", input_tokens=10**6).source == "rule"
    assert price(book, "ollama", "llama3", input_tokens=10**6).microcredits == 0
    assert price(book, "nobody", "knows", input_tokens=1).microcredits > 0
    assert book.work_microcredits(steps=10) == 200_000


def test_storage_is_charged_by_the_gib_month():
    book = parse_book("[work]\ncheckpoint_gib_month = 250")
    month_us = 30 * 24 * 3600 * 10**6
    assert book.price_storage(2**30, month_us) == 250 * 10**6
    assert book.price_storage(1, 1) == 1
    assert book.price_storage(0, month_us) == 0
