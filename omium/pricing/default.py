"""The book of a fresh server: reads default.toml, which is also what `omium prices edit` first shows."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Final

from omium.money import CREDITS_PER_USD
from omium.pricing.book import PriceBook
from omium.pricing.parse import parse_book

PATH: Final = Path(__file__).with_name("default.toml")


@lru_cache(maxsize=1)
def default_text() -> str:
    """Return the book as its author wrote it, comments and all."""
    return PATH.read_text(encoding="utf-8")


@lru_cache(maxsize=8)
def default_book(credits_per_usd: int = CREDITS_PER_USD) -> PriceBook:
    """Return the book, as version 0."""
    return parse_book(default_text(), credits_per_usd=credits_per_usd)
