"""What a command prints: tables and detail views for people, JSON for scripts, words on stderr.

Owns the two streams, whether they take colour and how wide they are. Whatever passes here is made safe for a
terminal. How a table is laid out is table.py, how a thing is said is words.py.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TextIO

import typer

from omium.cli.cells import Cell, to_cell
from omium.cli.ending import WrongUse
from omium.cli.stdout import stdout
from omium.cli.table import Column, lay_out
from omium.safetext import safe_text
from omium.words import json_text


class Output:
    """Where one command prints. With `as_json` only JSON reaches stdout; words always go to stderr."""

    def __init__(self, *, as_json: bool = False, quiet: bool = False, no_color: bool = False) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self._plain = no_color or bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"

    @property
    def live(self) -> bool:
        """Say whether a line on stderr can be written over: somebody looks at a terminal."""
        return not self.quiet and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"

    @property
    def interactive(self) -> bool:
        """Say whether somebody can be asked."""
        return sys.stdin.isatty()

    def json(self, value: object) -> None:
        """Print `value` (a model, or what JSON has) on stdout: indented for a person, one line for a pipe."""
        _write(stdout(), json_text(_to_plain(value), indent=2 if stdout().isatty() else None))

    def json_line(self, value: object) -> None:
        """Print one of many values, each on a line of its own."""
        _write(stdout(), json_text(_to_plain(value)))

    def say(self, words: str) -> None:
        """Say something that is not the result, unless --quiet."""
        if not self.quiet:
            _write(sys.stderr, safe_text(words, keep_newlines=True))

    def warn(self, words: str) -> None:
        """Say something that must be seen, also with --quiet."""
        self._print(sys.stderr, [Cell(words, "yellow")])

    def show(self, text: str, style: str = "") -> None:
        """Print a part of the result for people; the text may have several lines."""
        for line in safe_text(text, keep_newlines=True).split("\n"):
            if style:
                self._print(stdout(), [Cell(line, style)])
            else:
                _write(stdout(), line)

    def line(self, cells: Iterable[str | Cell], *, cut: bool = False) -> None:
        """Print cells one behind the other, two blanks apart; with `cut` not beyond the terminal's edge."""
        parts: list[Cell] = []
        left = (width_of_stdout() if cut else None) or 1_000_000
        for cell in map(to_cell, cells):
            if left < 1:
                break
            parts += [Cell("  "), cell.cut(left)] if parts else [cell]
            left -= cell.width + 2
        self._print(stdout(), parts)

    def table(self, columns: Sequence[Column], rows: Iterable[Any], *, empty: str) -> None:
        """Print `rows`; `empty` says what to do where there is none."""
        rows = list(rows)
        if not rows:
            self.say(empty)
            return
        for line in lay_out(columns, rows, width_of_stdout()):
            self._print(stdout(), line)

    def facts(self, facts: Iterable[tuple[str | Cell, str | Cell | None]]) -> None:
        """Print a detail view: a name and a value per line; None is left out."""
        known = [
            (Cell(name, "dim") if isinstance(name, str) else name, to_cell(value))
            for name, value in facts
            if value is not None
        ]
        left = max((name.width for name, _ in known), default=0) + 2
        width = width_of_stdout()
        for name, value in known:
            lines = [value] if width is None else list(value.fold(max(width - left, 20)))
            for number, line in enumerate(lines):
                head = Cell("", "dim") if number else name
                self._print(stdout(), [head, Cell(" " * (left - head.width)), line])

    def heading(self, words: str) -> None:
        """Print a heading above the next part."""
        _write(stdout(), "")
        self._print(stdout(), [Cell(words, "bold")])

    def progress(self, words: str) -> None:
        """Write over the live line on stderr; empty words remove it. Nothing where there is none."""
        if self.live:
            width = max(shutil.get_terminal_size().columns - 1, 10)
            sys.stderr.write(f"\r\x1b[K{Cell(words).cut(width).text}")
            sys.stderr.flush()

    def confirm(self, question: str, *, yes: bool, default: bool = False) -> None:
        """Go on if a person agrees or has said --yes; else end. Raises `WrongUse` where nobody is."""
        if yes:
            return
        if not self.interactive:
            raise WrongUse(f"{question} There is nobody to ask here: add --yes.")
        if not self.agrees(question, default=default):
            raise typer.Abort

    def agrees(self, question: str, *, default: bool = False) -> bool:
        """Return what a person answers."""
        return typer.confirm(safe_text(question), default=default, err=True)

    def _print(self, stream: TextIO, cells: Iterable[Cell]) -> None:
        colour = not self._plain and stream.isatty()
        _write(stream, "".join(cell.render(colour=colour) for cell in cells).rstrip())


def width_of_stdout() -> int | None:
    """Return how wide a table may be: the terminal's width, or None in a pipe, where nothing is cut."""
    if not stdout().isatty() and "COLUMNS" not in os.environ:
        return None
    return max(shutil.get_terminal_size().columns, 40)


def _write(stream: TextIO, line: str) -> None:
    stream.write(line + "\n")
    stream.flush()  # what was said stays said, and in its order with the other stream


def _to_plain(value: object) -> object:
    dump = getattr(value, "model_dump", None)  # a wire type, without loading pydantic to ask
    if dump is not None:
        return dump(mode="json")
    if isinstance(value, Mapping):
        return {name: _to_plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_to_plain(part) for part in value]
    return value
