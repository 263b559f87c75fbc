"""Make omium/pricing/models.json, the bundled table of model prices, from the package genai-prices.

    make model-prices        installs the package in an environment of its own, then runs this

Rules, by which the package's conditions become one price a model:

- The prices are those in force on the day of `--as-of` (today, unless given), which the table names.
- Where they depend on the time of day, the dearest of the day counts. Discounts for batches do not count.
- Tiers by the number of input tokens are kept.
- Only what a usage record can tell is kept: tokens of input, output, cache reads, cache writes and reasoning,
  and requests. Cache writes have the price of the shortest time.
- A model that has no price by tokens stays in the table without one, so that it counts as unknown, not as
  another model; `:free` at the end of its name makes it free.
- Prices are whole micro-dollars per million tokens, rounded up; a distance below a thousandth of that is the
  noise of somebody's floating point.
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import json
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal
from importlib.metadata import version
from pathlib import Path

from genai_prices import types
from genai_prices.data import providers

TARGET = Path(__file__).resolve().parent.parent / "omium" / "pricing" / "models.json"
KEYS = (
    "input_mtok",
    "output_mtok",
    "cache_read_mtok",
    "cache_write_mtok",
    "output_reasoning_mtok",
    "requests_kcount",
)
# Names that frameworks give to providers, beyond those that the package knows by itself.
ALIASES = (
    (["^", "azure"], "azure"),
    (["^", "deepseek"], "deepseek"),
    (["^", "fireworks"], "fireworks"),
    (["^", "groq"], "groq"),
    (["^", "openrouter"], "openrouter"),
    (["^", "perplexity"], "perplexity"),
    (["^", "together"], "together"),
    (["|", [["=", "bedrock"], ["=", "aws"], ["^", "bedrock_"], ["^", "amazon"]]], "aws"),
    (["|", [["=", "xai"], ["=", "x_ai"], ["=", "grok"]]], "x-ai"),
    (["|", [["=", "zhipu"], ["=", "zhipu_ai"], ["=", "bigmodel"]]], "zhipuai"),
)


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--as-of", type=dt.date.fromisoformat, default=dt.datetime.now(dt.UTC).date())
    as_of = parser.parse_args().as_of
    table: dict[str, object] = {
        "source": f"genai-prices {version('genai-prices')}",
        "licence": "MIT, Copyright (c) Pydantic Services Inc. 2025 to present (models.license.txt)",
        "as_of": as_of.isoformat(),
        "aliases": ALIASES,
        "providers": [_provider(each, as_of) for each in providers],
    }
    digest = hashlib.sha256(json.dumps(table, separators=(",", ":")).encode()).hexdigest()
    head = {name: table[name] for name in ("source", "licence", "as_of")}
    _write({**head, "digest": digest, **table})
    print(f"{TARGET.name}: {sum(len(each.models) for each in providers)} models, {TARGET.stat().st_size:,} B")


def _write(table: dict[str, object]) -> None:
    """Write one model a line, so that a newer table shows what it changes."""
    rows = table.pop("providers")
    assert isinstance(rows, list)
    lines = [f"{json.dumps(name)}: {_compact(value)}," for name, value in table.items()]
    blocks = []
    for row in rows:
        models = ",\n".join(_compact(model) for model in row.pop("models"))
        blocks.append(f'{_compact(row)[:-1]},"models":[\n{models}\n]}}')
    TARGET.write_text("{" + "\n".join([*lines, '"providers": [', ",\n".join(blocks), "]}"]) + "\n")


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _provider(provider: types.Provider, as_of: dt.date) -> dict[str, object]:
    return {
        "id": provider.id,
        **({"clause": _clause(provider.provider_match)} if provider.provider_match else {}),
        **({"model_clause": _clause(provider.model_match)} if provider.model_match else {}),
        **({"fallback": provider.fallback_model_providers} if provider.fallback_model_providers else {}),
        "models": [_model(each, as_of) for each in provider.models],
    }


def _model(model: types.ModelInfo, as_of: dt.date) -> list[object]:
    clause = _clause(model.match)
    return [
        model.id,
        None if clause == ["=", model.id.lower()] else clause,
        *_prices(model, as_of),
    ]


def _prices(model: types.ModelInfo, as_of: dt.date) -> list[object]:
    """Return the prices, or None, and the tiers."""
    dearest = [_dearest(model, key, as_of) for key in KEYS]
    if dearest[0] is None:
        return [[0, 0] if model.id.endswith(":free") and not any(dearest) else None]
    starts = sorted({start for price in dearest if price for start in price if start})
    rows: list[object] = [_trim([_price_above(price, 0) for price in dearest])]
    rows += [[start, _trim([_price_above(price, start) for price in dearest])] for start in starts]
    return rows


def _dearest(model: types.ModelInfo, key: str, as_of: dt.date) -> dict[int, int] | None:
    """Return the price by the number of input tokens above which it applies, or None."""
    times = {dt.time(0)}
    if isinstance(model.prices, list):
        for each in model.prices:
            if isinstance(each.constraint, types.TimeOfDateConstraint):
                times |= {each.constraint.start_time, each.constraint.end_time}
    found: dict[int, int] = {}
    for time in times:
        moment = dt.datetime.combine(as_of, time.replace(tzinfo=time.tzinfo or dt.UTC))
        price = getattr(model.get_prices(moment), key)
        if price is None:
            continue
        tiers = {0: price}
        if isinstance(price, types.TieredPrices):
            tiers = {0: price.base, **{tier.start: tier.price for tier in price.tiers}}
        for start, amount in tiers.items():
            found[start] = max(found.get(start, 0), _micro(amount))
    return found or None


def _micro(usd: Decimal) -> int:
    quiet = (usd * 1_000_000).quantize(Decimal("0.001"), ROUND_HALF_EVEN)
    return int(quiet.to_integral_value(ROUND_CEILING))


def _price_above(price: dict[int, int] | None, start: int) -> int | None:
    return None if price is None else price[max(each for each in price if each <= start)]


def _trim(prices: list[int | None]) -> list[int | None]:
    while prices[-1] is None:
        prices.pop()
    return prices


def _clause(match: object) -> list[object]:
    match match:
        case types.ClauseEquals(equals=text):
            return ["=", text.lower()]
        case types.ClauseStartsWith(starts_with=text):
            return ["^", text.lower()]
        case types.ClauseEndsWith(ends_with=text):
            return ["$", text.lower()]
        case types.ClauseContains(contains=text):
            return ["*", text.lower()]
        case types.ClauseRegex(regex=text):
            return ["~", text]
        case types.ClauseOr(or_=parts):
            return ["|", [_clause(part) for part in parts]]
        case types.ClauseAnd(and_=parts):
            return ["&", [_clause(part) for part in parts]]
        case _:
            raise TypeError(f"a clause of another kind: {match!r}")


if __name__ == "__main__":
    main()
