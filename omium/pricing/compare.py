"""What differs between two price books, in the words of the file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher

from omium.money import format_credits
from omium.pricing.book import PriceBook, Rule
from omium.pricing.rates import PICOCREDITS_PER_MICROCREDIT, PICOCREDITS_PER_TOKEN, PPM, Rates


@dataclass(frozen=True, slots=True)
class Change:
    """One difference; None where there was, or is, nothing."""

    place: str
    before: str | None
    after: str | None

    def __str__(self) -> str:
        return f"{self.place}: {self.before or 'nothing'} -> {self.after or 'nothing'}"


def compare_books(before: PriceBook, after: PriceBook) -> list[Change]:
    """Return what another book changes. A rule that moved is taken away in one place and added in another."""
    changes = [
        Change(place, old, new)
        for (place, old), (_, new) in zip(_prices(before), _prices(after), strict=True)
        if old != new
    ]
    return [*changes, *_compare_rules(before.rules, after.rules)]


def describe_rates(rates: Rates) -> str:
    """Return rates as the file says them, without what follows from the others."""
    amounts = {
        "input": rates.input_picocredits,
        "output": rates.output_picocredits,
        "cached": rates.cached_picocredits,
        "cache_write": rates.cache_write_picocredits,
        "reasoning": rates.reasoning_picocredits,
    }
    follows = {"cached": "input", "cache_write": "input", "reasoning": "output"}
    words = [
        f"{name} {_credits(amount, PICOCREDITS_PER_TOKEN)}"
        for name, amount in amounts.items()
        if name not in follows or amount != amounts[follows[name]]
    ]
    if rates.call_picocredits:
        words.append(f"call {_credits(rates.call_picocredits, PICOCREDITS_PER_MICROCREDIT)}")
    return ", ".join(words)


def _prices(book: PriceBook) -> Iterator[tuple[str, str]]:
    yield "unknown_model", book.unknown_model
    yield "bundled_models", "true" if book.bundled_models else "false"
    yield "markup_percent", f"{book.markup_ppm * 100 / PPM:g}"
    yield "work.execution", format_credits(book.execution_microcredits)
    yield "work.step", format_credits(book.step_microcredits)
    yield "work.checkpoint_gib_month", format_credits(book.checkpoint_gib_month_microcredits)
    yield "default_model", describe_rates(book.default)
    yield "credits per dollar", f"{book.credits_per_usd:,}"


def _compare_rules(before: tuple[Rule, ...], after: tuple[Rule, ...]) -> Iterator[Change]:
    old_names, new_names = [rule.name for rule in before], [rule.name for rule in after]
    steps = SequenceMatcher(None, old_names, new_names, autojunk=False).get_opcodes()
    for step, old_from, old_to, new_from, new_to in steps:
        if step == "equal":
            for old, new in zip(before[old_from:old_to], after[new_from:new_to], strict=True):
                if old.rates != new.rates:
                    yield Change(f"rule {new.name}", describe_rates(old.rates), describe_rates(new.rates))
            continue
        for rule in before[old_from:old_to]:
            yield Change(f"rule {rule.name}", describe_rates(rule.rates), None)
        for rule in after[new_from:new_to]:
            yield Change(f"rule {rule.name}", None, describe_rates(rule.rates))


def _credits(picocredits: int, per_microcredit: int) -> str:
    microcredits, rest = divmod(picocredits, per_microcredit)
    assert rest == 0, "a book's prices are whole micro-credits"
    return format_credits(microcredits)
