"""`omium prices show|list|lookup|validate`: the price book. How it is changed is price_changes.py."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from omium.cli.context import Common, for_server, for_this_machine
from omium.cli.inputs import read_file
from omium.cli.output import Output
from omium.cli.table import Column
from omium.errors import ConfigError
from omium.money import format_credits
from omium.words import ago, money, now_us

if TYPE_CHECKING:
    from collections.abc import Sequence

    from omium.models.prices import PriceFinding, PriceLookup, PriceVersion

app = typer.Typer(help="See and change what things cost.", no_args_is_help=True, rich_markup_mode=None)

BookFile = Annotated[Path, typer.Argument(metavar="FILE", help="A price book, TOML.")]
Version = Annotated[int | None, typer.Option("--version", min=1, help="Not the one in force but this one.")]


@app.command("show")
@for_server
def show_prices(common: Common, version: Version = None) -> None:
    """Print the price book that is in force. It is TOML, for a file or a pager.

    \b
    omium prices show
    omium prices show --version 2 > prices.toml
    """
    with common.client() as client:
        book = client.get_prices() if version is None else client.get_price_version(version)
    if common.output.as_json:
        common.output.json(book)
        return
    common.output.say(f"{_describe(book)}. Models without a rule: prices as of {book.models_as_of}.")
    common.output.show(book.text.rstrip("\n"))
    tell_warnings(common.output, book.warnings)


@app.command("list")
@for_server
def list_versions(
    common: Common,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many, newest first.")] = 20,
) -> None:
    """List the versions of the price book. Who saved each, when, and why.

    \b
    omium prices list
    """
    with common.client() as client:
        page = client.list_price_versions(limit=limit)
    if common.output.as_json:
        common.output.json(page.items)
        return
    at_us = now_us()
    common.output.table(
        [
            Column("VERSION", lambda v: str(v.version), align="right"),
            Column("SAVED", lambda v: ago(v.created_at_us, at_us)),
            Column("BY", lambda v: v.created_by or "-", give="id", spare=3),
            Column("HOW", lambda v: v.origin, spare=2),
            Column("MODELS AS OF", lambda v: v.models_as_of, spare=1),
            Column("NOTE", lambda v: v.note or "-", give="cut", width_min=12),
        ],
        page.items,
        empty="This server has saved no version yet; the default book counts: omium prices show",
    )


@app.command("lookup")
@for_server
def look_up(
    common: Common,
    model: Annotated[str, typer.Argument(metavar="[PROVIDER/]MODEL", help="As usage records name it.")],
    provider: Annotated[str | None, typer.Option("--provider", help="Whose; MODEL is then its own.")] = None,
    input_tokens: Annotated[int | None, typer.Option("--input-tokens", min=0, help="Price so many.")] = None,
    output_tokens: Annotated[int | None, typer.Option("--output-tokens", min=0, help="And these.")] = None,
    cached_tokens: Annotated[
        int | None, typer.Option("--cached-tokens", min=0, help="How many of the input were cached.")
    ] = None,
    cache_write_tokens: Annotated[
        int | None, typer.Option("--cache-write-tokens", min=0, help="How many of it went into the cache.")
    ] = None,
) -> None:
    """Say what a model costs. And which rule of the book says so, or the bundled table.

    \b
    omium prices lookup gpt-4o-mini
    omium prices lookup anthropic/claude-sonnet-4-5 --input-tokens 12000 --output-tokens 800
    """
    if provider is None and "/" in model:
        provider, _, model = model.partition("/")
    with common.client() as client:
        found = client.look_up_price(
            provider=provider,
            model=model,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cached_tokens=cached_tokens,
            cache_write_tokens=cache_write_tokens,
        )
    if common.output.as_json:
        common.output.json(found)
    else:
        _show_lookup(common.output, found)


@app.command("validate")
@for_this_machine
def validate(common: Common, file: BookFile) -> None:
    """Check a price book without a server. Every mistake is told at once.

    \b
    omium prices validate prices.toml
    """
    from omium.pricing.parse import BookInvalid, find_warnings, parse_book

    try:
        book = parse_book(read_file(file))
    except BookInvalid as invalid:
        if common.output.as_json:
            common.output.json({"valid": False, "errors": [_plain(each) for each in invalid.findings]})
            raise typer.Exit(1) from None
        raise ConfigError(f"{file} is no price book:\n{invalid}") from None
    warnings = find_warnings(book)
    if common.output.as_json:
        found = [_plain(each) for each in warnings]
        common.output.json({"valid": True, "rules": len(book.rules), "warnings": found})
        return
    for each in warnings:
        common.output.warn(str(each))
    common.output.say(f"{file} is a price book with {len(book.rules)} rules.")


def tell_warnings(output: Output, warnings: Sequence[PriceFinding]) -> None:
    """Print what is odd in a price book, each with its line."""
    for each in warnings:
        where = f"line {each.line}: " if each.line is not None else ""
        output.warn(f"{where}{each.place}: {each.detail}")


def _show_lookup(output: Output, found: PriceLookup) -> None:
    source = {
        "rule": f"rule {found.position} of the book, {found.rule}",
        "bundled": f"the bundled table as of {found.models_as_of}, {found.rule}",
        "default": "nobody knows this model, so [default_model] of the book",
    }[found.source]
    per_thousand = "credits per 1,000 tokens"
    prices = found.prices
    output.facts(
        [
            ("price from", source),
            ("input", f"{prices.input} {per_thousand}"),
            ("output", f"{prices.output} {per_thousand}"),
            ("cached input", f"{prices.cached} {per_thousand}" if prices.cached != prices.input else None),
            ("cache write", prices.cache_write if prices.cache_write != prices.input else None),
            ("reasoning", prices.reasoning if prices.reasoning != prices.output else None),
            ("per call", f"{prices.call} credits" if prices.call != "0" else None),
            *(
                (
                    f"above {tier.above_input_tokens:,}",
                    f"input {tier.prices.input}, output {tier.prices.output}",
                )
                for tier in found.tiers
            ),
            ("markup", f"{found.markup_percent} %" if found.markup_percent != "0" else None),
            ("book", f"version {found.price_version}"),
            ("cost", _cost(found)),
        ]
    )


def _cost(found: PriceLookup) -> str | None:
    if found.cost_microcredits is None or found.cost_usd is None:
        return None
    return f"{format_credits(found.cost_microcredits)} credits (${money(found.cost_usd)})"


def _describe(version: PriceVersion) -> str:
    words = f"Version {version.version}, saved {ago(version.created_at_us, now_us())}"
    if version.created_by is not None:
        words += f" by {version.created_by}"
    return f"{words}: {version.note}" if version.note else words


def _plain(finding: object) -> dict[str, object]:
    return {name: getattr(finding, name) for name in ("place", "line", "detail")}
