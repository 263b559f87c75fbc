"""`omium prices show|list|lookup|validate|diff|edit|set|restore`: the price book."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from omium.cli.amounts import money
from omium.cli.context import Common, for_server, for_this_machine
from omium.cli.ending import WrongUse
from omium.cli.inputs import read_file
from omium.cli.options import Yes
from omium.cli.output import Output
from omium.cli.table import Column
from omium.cli.words import ago, now_us
from omium.errors import ConfigError
from omium.money import format_credits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from omium.models.prices import PriceChange, PriceFinding, PriceLookup, PricesAnswer, PriceVersion
    from omium.sdk.sync_client import Client

app = typer.Typer(help="See and change what things cost.", no_args_is_help=True, rich_markup_mode=None)

BookFile = Annotated[Path, typer.Argument(metavar="FILE", help="A price book, TOML.")]
Note = Annotated[str, typer.Option("--note", help="Why; it's kept with the version.")]
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
    _tell_warnings(common.output, book.warnings)


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


@app.command("diff")
@for_server
def diff(
    common: Common,
    what: Annotated[
        list[str] | None,
        typer.Argument(metavar="[VERSION|FILE] [VERSION]", help="The last version, unless named."),
    ] = None,
) -> None:
    """Say what a version or a file changes. Compared with the version before it, or the one in force.

    \b
    omium prices diff
    omium prices diff 2 5
    omium prices diff prices.toml
    """
    from omium.models.prices import CheckPrices

    named = what or []
    if len(named) > 2 or (len(named) == 2 and not all(each.isdecimal() for each in named)):
        raise WrongUse("Name one version, two versions, or one file.")
    with common.client() as client:
        if len(named) == 1 and not named[0].isdecimal():
            answer = client.check_prices(CheckPrices(text=read_file(Path(named[0]))))
            _print_changes(common.output, answer.changes, answer.warnings)
            return
        if len(named) == 2:
            found = client.compare_price_versions(int(named[1]), against=int(named[0]))
        else:
            newest = int(named[0]) if named else client.get_prices().version
            found = client.compare_price_versions(newest)
    if common.output.as_json:
        common.output.json(found)
        return
    common.output.say(f"From version {found.before} to version {found.after}:")
    _print_changes(common.output, found.changes, [])


@app.command("edit")
@for_server
def edit(common: Common, note: Note = "", yes: Yes = False) -> None:
    """Edit the price book with $VISUAL or $EDITOR. It's checked, and the change shown, before it is saved.

    \b
    omium prices edit --note "our own contract with OpenAI"
    """
    with common.client() as client:
        book = client.get_prices()
        text = _edit(common, client, book.text)
        if text is None:
            common.output.say("Nothing was changed.")
            return
        _save(common, client, text, note, replaces=book.version, yes=yes)


@app.command("set")
@for_server
def set_book(common: Common, file: BookFile, note: Note = "", yes: Yes = False) -> None:
    """Put the price book of a file into force. The change is shown first.

    \b
    omium prices set prices.toml --note "new year" --yes
    """
    with common.client() as client:
        _save(common, client, read_file(file), note, replaces=None, yes=yes)


@app.command("restore")
@for_server
def restore(
    common: Common,
    version: Annotated[int, typer.Argument(min=1, help="Which; see omium prices list.")],
    note: Note = "",
    yes: Yes = False,
) -> None:
    """Put an earlier price book into force again. It becomes a version of its own.

    \b
    omium prices restore 2 --yes
    """
    from omium.models.prices import CheckPrices, RestorePrices

    with common.client() as client:
        earlier = client.get_price_version(version)
        answer = client.check_prices(CheckPrices(text=earlier.text))
        if not common.output.as_json:
            _print_changes(common.output, answer.changes, answer.warnings)
        if answer.changes:
            common.output.confirm(f"Put version {version} into force again?", yes=yes)
        _tell_saved(common.output, client.restore_prices(RestorePrices(version=version, note=note)))


def _save(common: Common, client: Client, text: str, note: str, *, replaces: int | None, yes: bool) -> None:
    from omium.models.prices import CheckPrices, SetPrices

    answer = client.check_prices(CheckPrices(text=text))
    if not common.output.as_json:
        _print_changes(common.output, answer.changes, answer.warnings)
    common.output.confirm("Put this book into force?", yes=yes)
    _tell_saved(common.output, client.set_prices(SetPrices(text=text, note=note, replaces=replaces)))


def _edit(common: Common, client: Client, text: str) -> str | None:
    """Return what came out of the editor, None if it is the same; asks again while it is no price book."""
    from omium.cli.editor import edit_text
    from omium.errors import InvalidRequest
    from omium.models.prices import CheckPrices

    edited = text
    while True:
        edited = edit_text(edited, suffix=".toml")
        if edited == text:
            return None
        try:
            client.check_prices(CheckPrices(text=edited))
        except InvalidRequest as invalid:
            common.output.warn(str(invalid))
            common.output.confirm("Edit it again?", yes=False, default=True)
        else:
            return edited


def _tell_saved(output: Output, answer: PricesAnswer) -> None:
    if output.as_json:
        output.json(answer)
    elif answer.saved:
        output.say(
            f"Version {answer.version.version} is in force. Take it back: omium prices restore "
            f"{max(answer.version.version - 1, 1)}"
        )
    else:
        output.say(f"Version {answer.version.version} is in force; it is the same book.")


def _print_changes(output: Output, changes: Sequence[PriceChange], warnings: Sequence[PriceFinding]) -> None:
    if output.as_json:
        output.json({"changes": changes, "warnings": warnings})
        return
    output.table(
        [
            Column("WHAT", lambda c: c.place, give="fold", width_min=16),
            Column("BEFORE", lambda c: c.before or "-", give="fold", width_min=12),
            Column("AFTER", lambda c: c.after or "-", give="fold", width_min=12),
        ],
        changes,
        empty="No price changes.",
    )
    _tell_warnings(output, warnings)


def _tell_warnings(output: Output, warnings: Sequence[PriceFinding]) -> None:
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
