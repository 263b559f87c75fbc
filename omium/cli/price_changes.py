"""`omium prices diff|edit|set|restore`: what a change of the price book does, and changing it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from omium.cli.context import Common, for_server
from omium.cli.ending import WrongUse
from omium.cli.inputs import read_file
from omium.cli.options import Yes
from omium.cli.output import Output
from omium.cli.prices import BookFile, tell_warnings
from omium.cli.table import Column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from omium.models.prices import PriceChange, PriceFinding, PricesAnswer
    from omium.sdk.sync_client import Client

Note = Annotated[str, typer.Option("--note", help="Why; it's kept with the version.")]


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
        _save(common, client, text, note, yes=yes, replaces=book.version)


@for_server
def set_book(common: Common, file: BookFile, note: Note = "", yes: Yes = False) -> None:
    """Put the price book of a file into force. The change is shown first.

    \b
    omium prices set prices.toml --note "new year" --yes
    """
    with common.client() as client:
        _save(common, client, read_file(file), note, yes=yes)


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


def _save(
    common: Common, client: Client, text: str, note: str, *, yes: bool, replaces: int | None = None
) -> None:
    """Show what `text` changes, ask, and save it in the place of `replaces`, or what it was compared with."""
    from omium.models.prices import CheckPrices, SetPrices

    answer = client.check_prices(CheckPrices(text=text))
    if not common.output.as_json:
        _print_changes(common.output, answer.changes, answer.warnings)
    common.output.confirm("Put this book into force?", yes=yes)
    compared = answer.version.version if replaces is None else replaces
    _tell_saved(common.output, client.set_prices(SetPrices(text=text, note=note, replaces=compared)))


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
    tell_warnings(output, warnings)
