"""Books from TOML: every mistake at once, each with its place and what to write instead.

Owns the form of the file. Amounts are read as decimals, never as floats, and must be whole micro-credits.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from typing import Final, cast

from omium.money import CREDITS_PER_USD, MICROCREDITS_PER_CREDIT
from omium.pricing.book import PriceBook, Rule, UnknownModel
from omium.pricing.patterns import ANY, covers
from omium.pricing.places import Place, find_lines
from omium.pricing.rates import PICOCREDITS_PER_MICROCREDIT, PICOCREDITS_PER_TOKEN, PPM, Rates

TEXT_BYTES_MAX: Final = 128 * 2**10
RULES_MAX: Final = 300
PRICE_CREDITS_MAX: Final = 10_000
MARKUP_PERCENT_MAX: Final = 1_000
PATTERN_LENGTH_MAX: Final = 200

_TOP = ("unknown_model", "bundled_models", "markup_percent", "work", "default_model", "rules")
_WORK = ("execution", "step", "checkpoint_gib_month")
_TOKENS = ("input", "output", "cached", "cache_write", "reasoning")
_AMOUNTS = (*_TOKENS, "call")
_RULE = ("provider", "model", *_AMOUNTS)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a book: where (`rules[2].input`), in which line if that is known, and what."""

    place: str
    line: int | None
    detail: str

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line is not None else ""
        return f"{where}{self.place}: {self.detail}" if self.place else f"{where}{self.detail}"


class BookInvalid(ValueError):
    """A text is no price book; `findings` has every mistake in it."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__("\n".join(map(str, findings)))
        self.findings = findings


def parse_book(text: str, *, version: int = 0, credits_per_usd: int = CREDITS_PER_USD) -> PriceBook:
    """Return the book that `text` describes, or raise `BookInvalid`."""
    if len(text.encode()) > TEXT_BYTES_MAX:
        raise BookInvalid([Finding("", None, f"a price book has at most {TEXT_BYTES_MAX // 1024} KiB.")])
    try:
        document = tomllib.loads(text, parse_float=_read_decimal)
    except tomllib.TOMLDecodeError as error:
        raise BookInvalid([Finding("", None, f"this is no TOML: {error}.")]) from None
    except ValueError:  # Python's own bound for the digits of a whole number
        raise BookInvalid([Finding("", None, "a number in this has thousands of digits.")]) from None
    except RecursionError:
        raise BookInvalid([Finding("", None, "this is nested too deep.")]) from None
    reader = _Reader(find_lines(text))
    book = reader.book(document)
    if reader.findings:
        raise BookInvalid(reader.findings)
    return replace(book, version=version, credits_per_usd=credits_per_usd)


def find_warnings(book: PriceBook) -> list[Finding]:
    """Return what is allowed but surely not meant: rules that are never reached."""
    return list(_unreached(book))


def _unreached(book: PriceBook) -> Iterator[Finding]:
    for number, rule in enumerate(book.rules, start=1):
        for before, earlier in enumerate(book.rules[: number - 1], start=1):
            if covers(earlier.provider, rule.provider) and covers(earlier.model, rule.model):
                yield Finding(
                    f"rules[{number}]",
                    None,
                    f"{rule.name} is never reached: rules[{before}] ({earlier.name}) stands above it and fits"
                    " all of it; put the narrower rule first.",
                )
                break


def _read_decimal(text: str) -> Decimal:
    return Decimal(text.replace("_", ""))


@dataclass
class _Reader:
    """Reads a document and notes what is wrong with it."""

    lines: Mapping[Place, int]
    findings: list[Finding] = field(default_factory=list)

    def book(self, document: Mapping[str, object]) -> PriceBook:
        self._refuse_unknown(document, _TOP, ())
        work = self._table(document, "work")
        self._refuse_unknown(work, _WORK, ("work",))
        default = self._table(document, "default_model")
        self._refuse_unknown(default, _AMOUNTS, ("default_model",))
        unknown_model = document.get("unknown_model", "refuse")
        if unknown_model not in {"refuse", "default"}:
            self._find(("unknown_model",), 'write "refuse" or "default".')
        if unknown_model == "default":
            self._need(default, ("input", "output"), ("default_model",))
        bundled = document.get("bundled_models", True)
        if not isinstance(bundled, bool):
            self._find(("bundled_models",), "write true or false.")
        return PriceBook(
            version=0,
            execution_microcredits=self._amount(work, "execution", ("work",)) or 0,
            step_microcredits=self._amount(work, "step", ("work",)) or 0,
            checkpoint_gib_month_microcredits=self._amount(work, "checkpoint_gib_month", ("work",)) or 0,
            markup_ppm=self._markup(document),
            bundled_models=bundled is True,
            unknown_model=cast("UnknownModel", unknown_model),
            default=self._rates(default, ("default_model",)),
            rules=tuple(self._rules(document)),
        )

    def _rules(self, document: Mapping[str, object]) -> Iterator[Rule]:
        rules = document.get("rules", [])
        if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
            self._find(("rules",), "each rule begins with a line [[rules]].")
            return
        if len(rules) > RULES_MAX:
            self._find(("rules",), f"a book has at most {RULES_MAX:,} rules.")
            return
        for number, rule in enumerate(rules, start=1):
            place: Place = ("rules", number)
            self._refuse_unknown(rule, _RULE, place)
            if "provider" not in rule and "model" not in rule:
                self._find(
                    place, 'say what the rule is for: provider = "openai", model = "gpt-4o*", or both.'
                )
            if any(key in rule for key in _TOKENS):
                self._need(rule, ("input", "output"), place)
            elif "call" not in rule:
                self._find(place, "give it prices: input and output for tokens, or call for each call.")
            provider, model = (self._pattern(rule, key, place) for key in ("provider", "model"))
            yield Rule(provider, model, self._rates(rule, place))

    def _rates(self, table: Mapping[str, object], place: Place) -> Rates:
        amounts = {key: self._amount(table, key, place) for key in _AMOUNTS}
        per_input, per_output = amounts["input"] or 0, amounts["output"] or 0

        def per_token(key: str, otherwise: int) -> int:
            amount = amounts[key]
            return (otherwise if amount is None else amount) * PICOCREDITS_PER_TOKEN

        return Rates(
            input_picocredits=per_token("input", 0),
            output_picocredits=per_token("output", 0),
            cached_picocredits=per_token("cached", per_input),
            cache_write_picocredits=per_token("cache_write", per_input),
            reasoning_picocredits=per_token("reasoning", per_output),
            call_picocredits=(amounts["call"] or 0) * PICOCREDITS_PER_MICROCREDIT,
        )

    def _pattern(self, rule: Mapping[str, object], key: str, place: Place) -> str:
        pattern = rule.get(key, ANY)
        if not isinstance(pattern, str) or not pattern.strip():
            self._find((*place, key), 'write a name such as "openai"; * stands for any characters.')
            return ANY
        if len(pattern) > PATTERN_LENGTH_MAX:
            self._find((*place, key), f"a pattern has at most {PATTERN_LENGTH_MAX} characters.")
        return pattern.strip()

    def _amount(self, table: Mapping[str, object], key: str, place: Place) -> int | None:
        """Return micro-credits, or None where the key is missing or wrong."""
        if key not in table:
            return None
        where = (*place, key)
        amount = self._number(table[key], where, f"{key} = 0.25, in credits")
        if amount is None:
            return None
        if amount > PRICE_CREDITS_MAX:
            self._find(where, f"{amount} is more than {PRICE_CREDITS_MAX:,} credits.")
            return None
        microcredits = amount * MICROCREDITS_PER_CREDIT
        if microcredits != microcredits.to_integral_value():
            self._find(where, f"{amount} is finer than a micro-credit; give at most six decimals.")
            return None
        return int(microcredits)

    def _markup(self, document: Mapping[str, object]) -> int:
        where: Place = ("markup_percent",)
        amount = self._number(document.get("markup_percent", 0), where, "markup_percent = 20")
        if amount is None:
            return 0
        ppm = amount * PPM / 100
        if amount > MARKUP_PERCENT_MAX or ppm != ppm.to_integral_value():
            self._find(where, f"write a percentage up to {MARKUP_PERCENT_MAX:,}, with at most four decimals.")
            return 0
        return int(ppm)

    def _number(self, value: object, where: Place, example: str) -> Decimal | None:
        if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
            self._find(where, f"write a number, such as {example}.")
            return None
        try:
            amount = Decimal(value)
        except InvalidOperation:
            amount = Decimal("NaN")
        # What has an exponent of millions would take all memory as soon as it is written out.
        if not amount.is_finite() or (amount and not -30 < amount.adjusted() < 30):
            self._find(where, f"write a number, such as {example}.")
            return None
        if amount < 0:
            self._find(where, f"{amount} is below zero; nothing is paid back for work.")
            return None
        return amount

    def _table(self, document: Mapping[str, object], name: str) -> Mapping[str, object]:
        table = document.get(name, {})
        if isinstance(table, dict):
            return table
        self._find((name,), f"this is a table: a line [{name}], then its prices.")
        return {}

    def _need(self, table: Mapping[str, object], keys: tuple[str, ...], place: Place) -> None:
        for key in keys:
            if key not in table:
                self._find(place, f"{key} is missing; write {key} = 0 if it costs nothing.")

    def _refuse_unknown(self, table: Mapping[str, object], known: tuple[str, ...], place: Place) -> None:
        for key in table:
            if key not in known:
                self._find((*place, key), f"this key means nothing here; {', '.join(known)} do.")

    def _find(self, where: Place, detail: str) -> None:
        name = ""
        for part in where:
            name += f"[{part}]" if isinstance(part, int) else f".{part}" if name else part
        self.findings.append(Finding(name, self.lines.get(where), detail))
