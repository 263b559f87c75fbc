"""`omium docs`: the documentation that came with this installation, without a network.

Owns the options and what is printed; the pages are omium/manual's, the reader in a terminal the dashboard's.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from omium.cli.cells import Cell
from omium.cli.context import Common, for_this_machine
from omium.cli.ending import WrongUse
from omium.cli.output import width_of_stdout

if TYPE_CHECKING:
    from omium.manual import Manual, Page, Place


@for_this_machine
def docs(
    common: Common,
    page: Annotated[
        str | None,
        typer.Argument(help="A page, with #HEADING if you like; also an error's code or a command."),
    ] = None,
    words: Annotated[
        str | None, typer.Option("--search", metavar="WORDS", help="List the places for these words.")
    ] = None,
    list_pages: Annotated[bool, typer.Option("--list", help="List all pages.")] = False,
    plain: Annotated[bool, typer.Option("--plain", help="Print Markdown in a terminal, too.")] = False,
) -> None:
    """Read the documentation. In a terminal it's shown with search and links, in a pipe printed.

    \b
    omium docs
    omium docs keys#short-lived-tokens
    omium docs lease-lost
    omium docs --search "spend cap"
    omium docs http --plain > http.md
    """
    from omium.manual import Manual

    if (page is not None) + (words is not None) + list_pages > 1:
        raise WrongUse("Give a page, --search or --list, one at a time.")
    manual = Manual.open()
    if words is not None:
        _show_hits(common, manual, words)
    elif list_pages:
        _show_pages(common, manual)
    else:
        place = manual.get_place(page or "")
        if common.output.as_json:
            common.output.json(_to_json(manual.get_page(place.page), place))
        else:
            _show_page(common, manual, place, read=not plain and _somebody_reads())


def _somebody_reads() -> bool:
    """Say whether a reader can be shown: a terminal at both ends, and one that can do more than print."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def _show_page(common: Common, manual: Manual, place: Place, *, read: bool) -> None:
    if read:
        from omium.tui.docs_app import DocsApp

        DocsApp(manual, place).run()
        return
    page = manual.get_page(place.page)
    common.output.show(page.cut_out(place.anchor) if place.anchor else page.text)


def _show_pages(common: Common, manual: Manual) -> None:
    if common.output.as_json:
        names = ("name", "title", "group", "about")
        common.output.json([{name: getattr(page, name) for name in names} for page in manual.pages])
        return
    for group, pages in manual.list_groups():
        common.output.heading(group)
        common.output.facts((Cell(page.name), page.about) for page in pages)


def _show_hits(common: Common, manual: Manual, words: str) -> None:
    from omium.manual import search

    hits = search(manual, words)
    if common.output.as_json:
        names = ("page", "title", "heading", "anchor", "excerpt", "score")
        common.output.json([{name: getattr(hit, name) for name in names} for hit in hits])
        return
    width = max((width_of_stdout() or 100) - 4, 20)
    for hit in hits:
        heading = "" if hit.heading == hit.title else f": {hit.heading}"
        common.output.line([Cell(str(hit.place), "bold"), f"{hit.title}{heading}"], cut=True)
        for line in Cell(hit.excerpt).fold(width):
            common.output.line([f"    {line.text}"])
    if hits:
        common.output.say(f"Read one: omium docs {hits[0].place}")
    else:
        common.output.say("Nothing in the documentation has these words. All pages: omium docs --list")


def _to_json(page: Page, place: Place) -> dict[str, object]:
    return {
        "name": page.name,
        "title": page.title,
        "group": page.group,
        "about": page.about,
        "anchor": place.anchor,
        "text": page.cut_out(place.anchor) if place.anchor else page.text,
        "headings": [
            {"level": heading.level, "text": heading.text, "anchor": heading.anchor}
            for heading in page.headings
        ],
    }
