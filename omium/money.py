"""Money: dollars, credits and micro-credits, converted exactly.

Everything is counted in whole micro-credits (a millionth of a credit); credits and dollars are how people
read them. No float is ever involved: text goes through `decimal`, and what is not exact is refused.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

MICROCREDITS_PER_CREDIT = 1_000_000
CREDITS_PER_USD = 1_000
"""Unless the server is configured otherwise (docs/configuration.md)."""

AMOUNT_MAX_MICROCREDITS = 10**16
"""The most that one entry may move, ten million dollars: sums stay far from the end of 64 bits."""


def parse_usd(text: str, credits_per_usd: int = CREDITS_PER_USD) -> int:
    """Return the micro-credits for dollars such as `20` or `0.05`.

    Raises `ValueError` for what is no plain number above zero, is too large, or has parts of a micro-credit.
    """
    return _parse(text, credits_per_usd * MICROCREDITS_PER_CREDIT)


def parse_credits(text: str) -> int:
    """Return the micro-credits for credits such as `1500` or `0.25`; refuses as `parse_usd`."""
    return _parse(text, MICROCREDITS_PER_CREDIT)


def format_credits(microcredits: int) -> str:
    """Return micro-credits as credits, exact, without trailing zeros: `1,234.5`."""
    return _format(microcredits, MICROCREDITS_PER_CREDIT, places=0)


def format_usd(microcredits: int, credits_per_usd: int = CREDITS_PER_USD) -> str:
    """Return micro-credits as dollars, exact, with at least two places: `1.50`."""
    return _format(microcredits, credits_per_usd * MICROCREDITS_PER_CREDIT, places=2)


def to_credits(microcredits: int) -> int | float:
    """Return micro-credits as a number of credits for JSON: whole where it is, else as near as a float comes.

    For people and their scripts to look at; what must be exact is counted in micro-credits.
    """
    return _as_number(microcredits, MICROCREDITS_PER_CREDIT)


def to_usd(microcredits: int, credits_per_usd: int = CREDITS_PER_USD) -> int | float:
    """Return micro-credits as a number of dollars for JSON; see `to_credits`."""
    return _as_number(microcredits, credits_per_usd * MICROCREDITS_PER_CREDIT)


def _as_number(microcredits: int, unit_microcredits: int) -> int | float:
    whole, rest = divmod(microcredits, unit_microcredits)
    return microcredits / unit_microcredits if rest else whole


def _parse(text: str, unit_microcredits: int) -> int:
    try:
        amount = Decimal(text.strip()) * unit_microcredits
    except InvalidOperation:
        raise ValueError(f"{text!r} is not an amount; write a number such as 20 or 0.50.") from None
    if not amount.is_finite() or amount <= 0:
        raise ValueError(f"{text!r} is not an amount above zero.")
    if amount > AMOUNT_MAX_MICROCREDITS:
        raise ValueError(f"{text!r} is more than one entry may move.")
    if amount != amount.to_integral_value():
        raise ValueError(f"{text!r} is finer than a micro-credit.")
    return int(amount)


def _format(microcredits: int, unit_microcredits: int, places: int) -> str:
    whole, rest = divmod(abs(microcredits), unit_microcredits)
    sign = "-" if microcredits < 0 else ""
    fraction = format(Decimal(rest) / unit_microcredits, "f").partition(".")[2].ljust(places, "0")
    return f"{sign}{whole:,}.{fraction}" if fraction else f"{sign}{whole:,}"
