"""Rates: what the tokens and calls of one model cost, as exact integers.

Everything is in picocredits (a millionth of a micro-credit), so that a price per 1,000 tokens and one per
million tokens are whole numbers per token. Only a record's sum is rounded, up, once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PICOCREDITS_PER_MICROCREDIT: Final = 1_000_000
PICOCREDITS_PER_TOKEN: Final = 1_000
"""For each micro-credit per 1,000 tokens."""
PPM: Final = 1_000_000
COST_MAX_MICROCREDITS: Final = 10**15
"""The most that one usage record can cost, a million dollars: no report, however mad, breaks the ledger."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a usage record counts. Cached and cache-write tokens are among the input, reasoning the output."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    calls: int = 0

    @property
    def is_calls_only(self) -> bool:
        """Whether no token of any kind was counted."""
        return not (
            self.input_tokens
            or self.output_tokens
            or self.cached_tokens
            or self.cache_write_tokens
            or self.reasoning_tokens
        )


@dataclass(frozen=True, slots=True)
class Rates:
    """What a token of each kind and a call cost, in picocredits."""

    input_picocredits: int
    output_picocredits: int
    cached_picocredits: int
    cache_write_picocredits: int
    reasoning_picocredits: int
    call_picocredits: int

    def cost_picocredits(self, tokens: Tokens) -> int:
        """Return what `tokens` cost."""
        special = tokens.cached_tokens + tokens.cache_write_tokens
        return (
            max(0, tokens.input_tokens - special) * self.input_picocredits
            + tokens.cached_tokens * self.cached_picocredits
            + tokens.cache_write_tokens * self.cache_write_picocredits
            + max(0, tokens.output_tokens - tokens.reasoning_tokens) * self.output_picocredits
            + tokens.reasoning_tokens * self.reasoning_picocredits
            + tokens.calls * self.call_picocredits
        )


@dataclass(frozen=True, slots=True)
class Tier:
    """Rates of calls with more than so many input tokens; the whole call is charged by them."""

    above_input_tokens: int
    rates: Rates


@dataclass(frozen=True, slots=True)
class TieredRates:
    """A model's rates; `tiers` are in ascending order."""

    rates: Rates
    tiers: tuple[Tier, ...] = ()

    def for_tokens(self, tokens: Tokens) -> Rates:
        """Return the rates for `tokens`. A record of several calls counts as if they were equally long."""
        if not self.tiers:
            return self.rates
        per_call = tokens.input_tokens // max(1, tokens.calls)
        chosen = self.rates
        for tier in self.tiers:
            if per_call > tier.above_input_tokens:
                chosen = tier.rates
        return chosen


def round_up(picocredits: int, markup_ppm: int = 0) -> int:
    """Return whole micro-credits, the markup included, rounded up; at most `COST_MAX_MICROCREDITS`."""
    whole = -(-picocredits * (PPM + markup_ppm) // (PICOCREDITS_PER_MICROCREDIT * PPM))
    return min(whole, COST_MAX_MICROCREDITS)
