"""The bundled table: which names find which model, and that nothing in it is free by accident."""

import json
import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omium.pricing.patterns import covers, matches
from omium.pricing.table import PATH, find_model, read_edition, read_table


@pytest.mark.parametrize(
    ("provider", "model", "name"),
    [
        ("openai", "gpt-4o-mini", "openai/gpt-4o-mini"),
        ("OpenAI", "GPT-4o-mini-2024-07-18", "openai/gpt-4o-mini"),
        ("", "gpt-4o-mini", "openai/gpt-4o-mini"),
        ("litellm", "anthropic/claude-sonnet-4-5-20250929", "anthropic/claude-sonnet-4-5"),
        ("google_genai", "gemini-2.5-pro", "google/gemini-2.5-pro"),
        ("google_vertexai", "gemini-2.5-flash", "google/gemini-2.5-flash"),
        ("azure", "gpt-4o", "openai/gpt-4o"),
        ("azure_openai", "gpt-4o", "openai/gpt-4o"),
        ("mistralai", "mistral-large-latest", "mistral/mistral-large"),
        ("xai", "grok-4", "x-ai/grok-4-0709"),
    ],
)
def test_a_model_is_found_by_the_names_that_frameworks_give(provider, model, name):
    entry = find_model(provider, model)
    assert entry is not None
    assert entry.name == name


@pytest.mark.parametrize(
    ("provider", "model"), [("openai", "no-such-model"), ("my-gateway", "gpt-4o"), ("", ""), ("", "no-such")]
)
def test_what_the_table_does_not_know_it_does_not_guess(provider, model):
    assert find_model(provider, model) is None


def test_a_long_prompt_has_the_price_of_its_tier():
    entry = find_model("google", "gemini-2.5-pro")
    assert entry is not None
    assert entry.tiers
    above = entry.tiers[0][0]
    base, dear = entry.prices[0], entry.tiers[0][1][0]
    assert base is not None
    assert dear is not None
    assert dear > base
    from omium.pricing.rates import Tokens

    rates = entry.to_rates(1_000)
    assert rates.for_tokens(Tokens(input_tokens=above)).input_picocredits == base * 1_000
    assert rates.for_tokens(Tokens(input_tokens=above + 1)).input_picocredits == dear * 1_000
    # ten calls of a tenth each are no long prompt
    assert rates.for_tokens(Tokens(input_tokens=above + 10, calls=10)).input_picocredits == base * 1_000


def test_every_price_is_a_whole_number_and_what_is_free_says_so_in_its_name():
    free = []
    for provider in read_table().providers.values():
        assert all(name in read_table().providers for name in provider.fallback)
        for terms in provider.models:
            for prices in [terms.prices or [], *(prices for _, prices in terms.tiers)]:
                assert all(price is None or (isinstance(price, int) and price >= 0) for price in prices)
            if terms.prices is not None and not any(terms.prices):
                free.append(f"{provider.id}/{terms.model}")
    assert [name for name in free if not name.endswith(":free")] == []


def test_the_table_names_its_source_its_licence_and_its_day():
    document = json.loads(PATH.read_bytes())
    assert document["source"].startswith("genai-prices ")
    assert "MIT" in document["licence"]
    assert PATH.with_name("models.license.txt").exists()
    edition = read_edition()
    assert (edition.source, edition.as_of, edition.digest) == tuple(
        document[name] for name in ("source", "as_of", "digest")
    )


def test_the_table_is_read_when_a_price_of_a_model_is_asked_for_and_not_before():
    code = (
        "import omium.pricing.default as d, omium.pricing.table as t, sys;"
        "d.default_book().price_usage(provider='ollama', model='x');"
        "assert t.read_table.cache_info().misses == 0;"
        "assert not {'pydantic', 'genai_prices', 'omium.server'} & set(sys.modules);"
        "d.default_book().price_usage(provider='openai', model='gpt-4o');"
        "assert t.read_table.cache_info().misses == 1"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_patterns_know_stars_and_no_case():
    assert matches("GPT-*", "gpt-4o")
    assert matches("*", "")
    assert matches("*4o*mini", "gpt-4o-mini")
    assert not matches("gpt-4o", "gpt-4o-mini")
    assert not matches("gpt.4o", "gpt-4o")
    assert covers("gpt-*", "gpt-4*")
    assert not covers("gpt-4*", "gpt-*")


def test_no_pattern_makes_a_match_slow():
    assert not matches("*a" * 99 + "b", "a" * 200)


names = st.text("ab", max_size=12)


@given(st.text("ab*", max_size=8), names)
def test_a_pattern_stands_for_what_a_regular_expression_would(pattern, name):
    expression = ".*".join(map(re.escape, pattern.split("*")))
    assert matches(pattern, name) == (re.fullmatch(expression, name) is not None)


@given(st.text("ab*", max_size=6), st.text("ab*", max_size=6), names)
def test_a_pattern_that_covers_another_fits_all_that_the_other_fits(first, second, name):
    if covers(first, second) and matches(second, name):
        assert matches(first, name)
