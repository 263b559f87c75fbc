"""What a command prints: tables and detail views for people, JSON for scripts.

Owns columns, times, states and colours, so that every command looks alike. Strings that are not ours pass
`safe_text` before they reach a terminal. A state is a glyph and a word, never colour alone.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table
from rich.text import Text

from omium.clock import US_PER_S
from omium.safetext import safe_text

if TYPE_CHECKING:
    from rich.console import RenderableType

STATES: Mapping[str, tuple[str, str]] = {
    "queued": ("…", "cyan"),
    "running": ("▶", "blue"),
    "waiting": ("◷", "cyan"),
    "paused": ("‖", "yellow"),
    "completed": ("✓", "green"),
    "failed": ("✗", "red"),
    "cancelled": ("⊘", "magenta"),
    "retrying": ("↻", "yellow"),
    "open": ("✗", "red"),
    "replayed": ("↻", "green"),
    "rolled_back": ("↶", "green"),
    "ignored": ("-", "dim"),
    "resolved": ("✓", "green"),
    "closed": ("✓", "green"),
    "half_open": ("◐", "yellow"),
    "active": ("✓", "green"),
    "revoked": ("⊘", "magenta"),
    "reuse": ("✓", "green"),
    "rerun": ("↻", "yellow"),
    "blocked": ("✗", "red"),
    "intended": ("▶", "blue"),
    "done": ("✓", "green"),
    "not_applied": ("-", "dim"),
    "unknown": ("?", "red"),
    "skipped": ("-", "dim"),
    "pending": ("…", "cyan"),
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: its heading, and what of a row stands in it."""

    heading: str
    value: Callable[[Any], str | Text]
    align: Literal["left", "right"] = "left"
    wrap: bool = False


class Output:
    """Where one command prints. With `as_json` only JSON reaches stdout; words always go to stderr."""

    def __init__(self, *, as_json: bool = False, quiet: bool = False, no_color: bool = False) -> None:
        self.as_json = as_json
        self.quiet = quiet
        plain = no_color or bool(os.environ.get("NO_COLOR"))
        self._out = Console(no_color=plain, highlight=False, markup=False, emoji=False, soft_wrap=False)
        self._err = Console(stderr=True, no_color=plain, highlight=False, markup=False, emoji=False)

    def json(self, value: object) -> None:
        """Print `value` (a model, or what JSON has) on stdout: indented for a person, one line for a pipe."""
        indent = 2 if sys.stdout.isatty() else None
        sys.stdout.write(json.dumps(_plain(value), ensure_ascii=False, indent=indent) + "\n")

    def say(self, words: str) -> None:
        """Say something that is not the result, unless --quiet."""
        if not self.quiet:
            self._err.print(Text(words), soft_wrap=True)

    def warn(self, words: str) -> None:
        """Say something that must be seen, also with --quiet."""
        self._err.print(Text(words, "yellow"), soft_wrap=True)

    def show(self, renderable: RenderableType) -> None:
        """Print a part of the result for people."""
        self._out.print(renderable)

    def table(self, columns: Sequence[Column], rows: Iterable[Any], *, empty: str) -> None:
        """Print `rows`; `empty` says what to do where there is none."""
        rows = list(rows)
        if not rows:
            self.say(empty)
            return
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for column in columns:
            table.add_column(
                column.heading,
                justify=column.align,
                overflow="fold" if column.wrap else "ellipsis",
                no_wrap=not column.wrap,
            )
        for row in rows:
            table.add_row(*(_cell(column.value(row)) for column in columns))
        self._out.print(table)

    def facts(self, facts: Iterable[tuple[str, str | Text | None]]) -> None:
        """Print a detail view: a name and a value per line; None is left out."""
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
        table.add_column(style="dim", no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in facts:
            if value is not None:
                table.add_row(name, _cell(value))
        self._out.print(table)

    def heading(self, words: str) -> None:
        """Print a heading above the next part."""
        self._out.print(Text(f"\n{words}", "bold"))


def state(name: str, note: str = "") -> Text:
    """Return a state as glyph and word, such as `✗ failed (driver-lost)`."""
    glyph, style = STATES.get(name, ("·", ""))
    return Text(f"{glyph} {name.replace('_', ' ')}" + (f" ({safe_text(note)})" if note else ""), style)


def ago(at_us: int | None, now_us: int) -> str:
    """Return a time as people say it: `just now`, `5 min ago`, `in 2 h`."""
    if at_us is None:
        return "-"
    distance_s = (now_us - at_us) / US_PER_S
    size = abs(distance_s)
    if size < 5:
        return "just now"
    words = span(round(size * US_PER_S))
    return f"{words} ago" if distance_s > 0 else f"in {words}"


def span(length_us: int) -> str:
    """Return a length of time in its largest unit that fits: `340 ms`, `12 s`, `5 min`, `3 h`, `2 d`."""
    seconds = length_us / US_PER_S
    if seconds < 1:
        return f"{length_us / 1000:.0f} ms"
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def size(length_bytes: int | None) -> str:
    """Return a size in its largest unit that fits."""
    if length_bytes is None:
        return "-"
    amount = float(length_bytes)
    for unit in ("B", "KiB", "MiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GiB"


def value(recorded: object, *, length_max: int = 2_000) -> str:
    """Return a recorded value as indented JSON; a long one says how much of it is left out."""
    if isinstance(recorded, str):
        text = safe_text(recorded, keep_newlines=True)
    else:
        text = safe_text(json.dumps(recorded, ensure_ascii=False, indent=2), keep_newlines=True)
    if len(text) <= length_max:
        return text
    return f"{text[:length_max]}\n… {len(text) - length_max} more characters; --json shows all of it"


def _cell(cell: str | Text) -> Text:
    return cell if isinstance(cell, Text) else Text(safe_text(cell, keep_newlines=True))


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value
