"""The bundled table of model prices, read from models.json when a model's price is first asked for.

Owns finding a model in it, by its provider's name and its own. Does not decide whether the table counts
(book.py). It is made by tools/generate_model_prices.py from the package genai-prices and never fetched: newer
prices come with a newer Omium, or as a rule of the price book.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from omium.pricing.clauses import Clause, fits
from omium.pricing.rates import Rates, Tier, TieredRates

PATH: Final = Path(__file__).with_name("models.json")
_RELAYS = frozenset({"", "litellm"})
"""Providers that say nothing about who is asked: the model's own name does."""
_COMPACT_DATE = re.compile(r"-(20\d\d)(0[1-9]|1[0-2])([0-2]\d|3[01])(?=-|:|$)")

Prices = Sequence[int | None]
"""Micro-dollars per million tokens: input, output, cached, cache write, reasoning; per thousand requests."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A model's prices; `tiers` hold the number of input tokens above which they apply, and other prices."""

    provider: str
    model: str
    prices: Prices
    tiers: tuple[tuple[int, Prices], ...]

    @property
    def name(self) -> str:
        """How people find it again."""
        return f"{self.provider}/{self.model}"

    def to_rates(self, credits_per_usd: int) -> TieredRates:
        """Return the rates in credits."""
        return TieredRates(
            _to_rates(self.prices, credits_per_usd),
            tuple(Tier(above, _to_rates(prices, credits_per_usd)) for above, prices in self.tiers),
        )


@dataclass(frozen=True, slots=True)
class Edition:
    """Which table it is: what it was made from, the day whose prices it has, and the digest of all of it."""

    source: str
    as_of: str
    digest: str


@dataclass(frozen=True, slots=True)
class ModelTerms:
    """Which names are the model's, and its prices; `prices` None: none that goes by tokens is known."""

    model: str
    clause: Clause
    prices: Prices | None
    tiers: tuple[tuple[int, Prices], ...]


@dataclass(frozen=True, slots=True)
class ProviderTerms:
    """A provider: by which names it is known, which models are its own, whose it also offers."""

    id: str
    clause: Clause | None
    model_clause: Clause | None
    fallback: tuple[str, ...]
    models: tuple[ModelTerms, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """The whole table."""

    aliases: tuple[tuple[Clause, str], ...]
    providers: dict[str, ProviderTerms]

    def find_provider(self, provider: str, model: str) -> tuple[ProviderTerms | None, str]:
        """Return the provider that is meant, and the model's name without a provider's name before it."""
        if provider in _RELAYS:
            before, slash, rest = model.partition("/")
            named = self._find_by_name(before) if slash else None
            if named is not None:
                return named, rest
            own = (each for each in self.providers.values() if each.model_clause)
            return next((each for each in own if fits(each.model_clause or [], model)), None), model
        return self._find_by_name(provider), model

    def _find_by_name(self, provider: str) -> ProviderTerms | None:
        if provider in self.providers:
            return self.providers[provider]
        for clause, known_as in self.aliases:
            if fits(clause, provider):
                return self.providers[known_as]
        known = (each for each in self.providers.values() if each.clause is not None)
        return next((each for each in known if fits(each.clause or [], provider)), None)

    def find_terms(self, provider: ProviderTerms, model: str) -> tuple[ProviderTerms, ModelTerms] | None:
        """Return the first terms of the provider, or of those whose models it offers, that fit the name."""
        for offered in (provider, *(self.providers[name] for name in provider.fallback)):
            for terms in offered.models:
                if fits(terms.clause, model):
                    return offered, terms
        return None


def find_model(provider: str, model: str) -> Entry | None:
    """Return the model's prices, or None where the table has none.

    Without a provider, or through `litellm`, the model's name decides: `openai/gpt-4o`, or `gpt-4o`.
    """
    table = read_table()
    found, name = table.find_provider(provider.strip().lower(), model.strip().lower())
    if found is None:
        return None
    # Some relays write a date without its dashes.
    hit = table.find_terms(found, name) or table.find_terms(found, _COMPACT_DATE.sub(r"-\1-\2-\3", name))
    if hit is None or hit[1].prices is None:
        return None
    owner, terms = hit
    assert terms.prices is not None
    return Entry(owner.id, terms.model, terms.prices, terms.tiers)


@lru_cache(maxsize=1)
def read_edition() -> Edition:
    """Return which table came with this release; only the file's first lines are read."""
    with PATH.open(encoding="utf-8") as file:
        head = "".join(itertools.takewhile(lambda line: not line.startswith('"aliases"'), file))
    document = json.loads(head.rstrip().removesuffix(",") + "}")
    return Edition(document["source"], document["as_of"], document["digest"])


@lru_cache(maxsize=1)
def read_table() -> Table:
    """Return the table that came with this release."""
    document = json.loads(PATH.read_bytes())
    return Table(
        aliases=tuple((clause, known_as) for clause, known_as in document["aliases"]),
        providers={each["id"]: _read_provider(each) for each in document["providers"]},
    )


def _read_provider(document: dict[str, object]) -> ProviderTerms:
    rows = document["models"]
    assert isinstance(rows, list)
    return ProviderTerms(
        id=str(document["id"]),
        clause=document.get("clause"),  # type: ignore[arg-type]  # our own file
        model_clause=document.get("model_clause"),  # type: ignore[arg-type]
        fallback=tuple(document.get("fallback", ())),  # type: ignore[arg-type]
        models=tuple(
            ModelTerms(name, clause or ["=", name.lower()], prices, tuple((a, p) for a, p in tiers))
            for name, clause, prices, *tiers in rows
        ),
    )


def _to_rates(prices: Prices, credits_per_usd: int) -> Rates:
    """Return rates; a kind of token without a price of its own costs what it is a part of."""
    padded = [*prices, *[None] * (6 - len(prices))]
    per_input = padded[0] or 0
    per_output = per_input if padded[1] is None else padded[1]

    def per_token(price: int | None, otherwise: int) -> int:
        # a micro-dollar per million tokens is credits_per_usd picocredits per token
        return (otherwise if price is None else price) * credits_per_usd

    return Rates(
        input_picocredits=per_token(per_input, 0),
        output_picocredits=per_token(per_output, 0),
        cached_picocredits=per_token(padded[2], per_input),
        cache_write_picocredits=per_token(padded[3], per_input),
        reasoning_picocredits=per_token(padded[4], per_output),
        call_picocredits=(padded[5] or 0) * credits_per_usd * 1_000,
    )
