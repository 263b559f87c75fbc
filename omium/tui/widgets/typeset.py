"""Markdown as lines of a terminal: a section of a page, in a width, in the colours of a theme.

Links and blocks of code keep what they are in the style's meta, under `STOP`: that is what the cursor goes to
and the mouse hits. No segment carries a link of the terminal itself, which would open it outside.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from rich import box
from rich.console import Console, ConsoleOptions, JustifyMethod, RenderResult
from rich.markdown import CodeBlock, Heading, Markdown, MarkdownElement, TableElement
from rich.segment import Segment
from rich.style import Style
from rich.styled import Styled
from rich.syntax import Syntax
from rich.table import Table
from rich.theme import Theme

from omium.manual import Section
from omium.tui.content import tone_style

STOP: Final = "omium_stop"
"""In a segment's meta: which stop of the section it belongs to."""
_CODE: Final = "omium_code"
WIDTH_MAX: Final = 110
"""Longer lines are hard to read."""


@dataclass(frozen=True, slots=True)
class Stop:
    """A link (`code` False, `text` its target) or a block of code (`text` what it holds), from `line` on."""

    text: str
    code: bool
    line: int


@dataclass(frozen=True, slots=True)
class Sheet:
    """A section as lines; the stops' numbers begin at the section's own first one."""

    lines: list[list[Segment]]
    stops: list[Stop]


class _Heading(Heading):
    LEVEL_ALIGN: ClassVar[dict[str, JustifyMethod]] = dict.fromkeys(
        ("h1", "h2", "h3", "h4", "h5", "h6"), "left"
    )


class _Code(CodeBlock):
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        code = str(self.text).rstrip()
        shown = Syntax(
            code,
            self.lexer_name,
            theme=self.theme,
            word_wrap=True,
            padding=(0, 2),
            background_color="default",
        )
        yield Styled(shown, Style(meta={_CODE: code}))


class _Table(TableElement):
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, style="markdown.table.border", show_edge=False)
        heads = self.header.row.cells if self.header is not None and self.header.row is not None else []
        table.show_header = any(cell.content.plain.strip() for cell in heads)  # many have none
        for cell in heads:
            words = cell.content.copy()
            words.stylize("markdown.table.header")
            table.add_column(words)
        for row in self.body.rows if self.body is not None else []:
            table.add_row(*(cell.content for cell in row.cells))
        yield table


class _Page(Markdown):
    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "heading_open": _Heading,
        "fence": _Code,
        "code_block": _Code,
        "table_open": _Table,
    }


class Typesetter:
    """Sets sections in one width and theme (`App.theme_variables`)."""

    def __init__(self, width: int, variables: Mapping[str, str], *, dark: bool) -> None:
        self.width = max(min(width, WIDTH_MAX), 20)
        self._code_theme = "monokai" if dark else "default"
        self._console = Console(
            file=io.StringIO(),
            width=self.width,
            force_terminal=True,
            color_system="truecolor",
            legacy_windows=False,
            theme=Theme(make_styles(variables)),
        )

    def set(self, section: Section) -> Sheet:
        """Return the section with its heading."""
        heading = section.heading
        head = f"{'#' * heading.level} {_escape(heading.text)}\n\n" if heading else ""
        page = _Page(head + section.text, code_theme=self._code_theme)
        lines = self._console.render_lines(page, pad=False)
        return _find_stops(lines)


def make_styles(variables: Mapping[str, str]) -> dict[str, Style | str]:
    """Return Rich's styles of Markdown in the colours of a theme."""
    blue, cyan, magenta = (tone_style(tone, variables) for tone in ("blue", "cyan", "magenta"))
    bold, dim = Style(bold=True), Style(dim=True)
    return {
        "markdown.h1": blue + bold + Style(underline=True),
        "markdown.h2": blue + bold,
        "markdown.h3": bold,
        "markdown.h4": cyan + bold,
        "markdown.code": magenta,
        "markdown.code_block": magenta,
        "markdown.link": blue,
        "markdown.link_url": blue + Style(underline=True),
        "markdown.block_quote": dim,
        "markdown.list": Style(),
        "markdown.item.bullet": cyan + bold,
        "markdown.item.number": cyan + bold,
        "markdown.table.border": dim,
        "markdown.table.header": bold,
    }


def _find_stops(lines: list[list[Segment]]) -> Sheet:
    """Number links and blocks of code; pieces of a link that stand side by side or wrap are one stop."""
    stops: list[Stop] = []
    made: list[list[Segment]] = []
    before: tuple[str, bool] | None = None
    for number, line in enumerate(lines):
        row: list[Segment] = []
        for segment in line:
            style = segment.style or Style()
            found = _stop_of(style)
            if found is not None:
                if found != before:
                    stops.append(Stop(found[0], found[1], number))
                style = style.update_link(None) + Style(meta={STOP: len(stops) - 1})
            if found is not None or segment.text.strip():
                before = found
            row.append(Segment(segment.text, style))
        made.append(row)
    return Sheet(made, stops)


def _stop_of(style: Style) -> tuple[str, bool] | None:
    if style.link:
        return style.link, False
    code = style.meta.get(_CODE) if style.meta else None
    return None if code is None else (str(code), True)


def _escape(words: str) -> str:
    """Return a heading's words, which are plain, so that Markdown shows them as they are."""
    return "".join(f"\\{each}" if each in "\\`*_[]<>#|" else each for each in words)
