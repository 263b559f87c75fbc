"""Price books: what work and usage cost. Pure and frozen; which version is in force, the server knows.

A usage record is priced by the first rule of the book, from top to bottom, whose provider and model patterns
both match; if none does, by the bundled table of model prices; if that does not know the model either, by the
default price, or not at all (`UnknownPrice`), as the book says. Nothing costs zero unless a rule says so.

The sum of a record, the markup included, is rounded up to a whole micro-credit, once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from omium.errors import UnknownPrice
from omium.money import CREDITS_PER_USD
from omium.pricing.patterns import matches
from omium.pricing.rates import Rates, TieredRates, Tokens, round_up
from omium.pricing.table import find_model

Source = Literal["rule", "bundled", "default"]
UnknownModel = Literal["refuse", "default"]

GIB_MONTH_BYTE_US: Final = 2**30 * 30 * 24 * 3600 * 1_000_000
"""A month of storage is 30 days."""
_FOUND_MAX = 4096  # names come from clients: what is remembered of them has an end


@dataclass(frozen=True, slots=True)
class Rule:
    """The rates of the providers and models that its patterns stand for."""

    provider: str
    model: str
    rates: Rates

    @property
    def name(self) -> str:
        """How people find it again."""
        return f"{self.provider}/{self.model}"


@dataclass(frozen=True, slots=True)
class Match:
    """Where a price comes from. `rule` names it; `position` counts the book's rules from 1."""

    source: Source
    rule: str
    rates: TieredRates
    position: int | None = None


@dataclass(frozen=True, slots=True)
class Priced:
    """What a usage record costs, and by which rule of which version."""

    microcredits: int
    source: Source
    rule: str
    price_version: int


@dataclass(frozen=True, slots=True)
class PriceBook:
    """Every price, in whole micro-credits. Made by `parse_book`; `version` 0 was never stored."""

    version: int
    execution_microcredits: int
    step_microcredits: int
    checkpoint_gib_month_microcredits: int
    markup_ppm: int
    bundled_models: bool
    unknown_model: UnknownModel
    default: Rates
    rules: tuple[Rule, ...] = ()
    credits_per_usd: int = CREDITS_PER_USD
    _found: dict[tuple[str, str], Match | None] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )

    def price_usage(
        self,
        *,
        provider: str | None,
        model: str | None,
        input_tokens: int = 0,
        output_tokens: int = 0,
        cached_tokens: int = 0,
        cache_write_tokens: int = 0,
        reasoning_tokens: int = 0,
        calls: int = 1,
    ) -> Priced:
        """Return what one usage record costs.

        Cached and cache-write tokens are a part of the input tokens, reasoning tokens of the output tokens.
        Raises `UnknownPrice` where nothing has a price for it and the book refuses what is unknown.
        """
        tokens = Tokens(
            input_tokens, output_tokens, cached_tokens, cache_write_tokens, reasoning_tokens, calls
        )
        match = self.get_match(provider, model)
        cost = match.rates.for_tokens(tokens).cost_picocredits(tokens)
        return Priced(round_up(cost, self.markup_ppm), match.source, match.rule, self.version)

    def get_match(self, provider: str | None, model: str | None) -> Match:
        """Return where the price of a model comes from, or raise `UnknownPrice`."""
        match = self.find_match(provider, model)
        if match is not None:
            return match
        name = "/".join(filter(None, (provider, model))) or "usage without a provider and a model"
        raise UnknownPrice(
            f"The price book has no price for {name} and refuses what it does not know; add a rule with"
            ' `omium prices edit`, or set unknown_model = "default".',
            provider=provider,
            model=model,
            price_version=self.version,
        )

    def find_match(self, provider: str | None, model: str | None) -> Match | None:
        """Return where the price of a model comes from; None where the book refuses it."""
        key = (provider or "", model or "")
        try:
            return self._found[key]
        except KeyError:
            match = self._look_up(*key)
        if len(self._found) >= _FOUND_MAX:  # another thread may do this at any moment
            self._found.clear()
        self._found[key] = match
        return match

    def _look_up(self, provider: str, model: str) -> Match | None:
        for position, rule in enumerate(self.rules, start=1):
            if matches(rule.provider, provider) and matches(rule.model, model):
                return Match("rule", rule.name, TieredRates(rule.rates), position)
        if self.bundled_models and model:
            entry = find_model(provider, model)
            if entry is not None:
                return Match("bundled", entry.name, entry.to_rates(self.credits_per_usd))
        if self.unknown_model == "default":
            return Match("default", "default", TieredRates(self.default))
        return None

    def price_storage(self, size_bytes: int, held_us: int) -> int:
        """Return what keeping `size_bytes` of checkpoints for `held_us` costs, rounded up."""
        return -(-size_bytes * held_us * self.checkpoint_gib_month_microcredits // GIB_MONTH_BYTE_US)

    def work_microcredits(self, steps: int) -> int:
        """Return what an execution with so many completed steps costs without its usage."""
        return self.execution_microcredits + steps * self.step_microcredits
