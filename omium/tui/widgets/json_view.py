"""A JSON value to look at: folds, is searched, and stays fast however large it is.

    yield JsonView(id="output")
    view.show(value)            # the same value again changes nothing: what is unfolded stays so

Owns what is on a row; which rows there are is json_rows.py's, moving about in them lines.py's. Strings come
from anywhere: they are made safe as they are drawn, a screen at a time.
"""

from __future__ import annotations

import asyncio
import json
from typing import ClassVar, Final

from textual.binding import BindingType

from omium.safetext import cut_text
from omium.tui.actions import NEXT_FOUND, PREVIOUS_FOUND, Action, bindings_of
from omium.tui.content import safe
from omium.tui.widgets.json_rows import Path, Row, Rows, is_long, search
from omium.tui.widgets.lines import LineView, Pieces
from omium.words import count, json_text

FOLD_OR_UNFOLD = Action("toggle_fold", "enter", "unfold", "Unfold what the cursor is on, or fold it.")
FOLD = Action("fold", "left,h", "fold", "Fold what the cursor is on, or what is around it.", shown=False)
UNFOLD = Action("unfold", "right,l", "unfold", "Unfold what the cursor is on.", shown=False)
_PREVIEW: Final = 400
"""So many characters of what is folded are looked at to show its beginning."""
_AT_ONCE: Final = 5_000
_FOUND_MAX: Final = 10_000


class JsonView(LineView):
    """Shows one value, as rows that fold."""

    ACTIONS: ClassVar[tuple[Action, ...]] = (
        *LineView.ACTIONS, FOLD_OR_UNFOLD, FOLD, UNFOLD, NEXT_FOUND, PREVIOUS_FOUND,
    )  # fmt: skip
    BINDINGS: ClassVar[list[BindingType]] = bindings_of(
        (FOLD_OR_UNFOLD, FOLD, UNFOLD, NEXT_FOUND, PREVIOUS_FOUND)
    )

    def __init__(self, *, empty: str = "Nothing.", id: str | None = None) -> None:  # noqa: A002  # Textual's word
        super().__init__(empty=empty, id=id)
        self._rows: Rows | None = None
        self._words = ""
        self.found: list[Path] = []
        """Where the words that are searched for stand, as far as it has been looked."""

    # ------------------------------------------------------------------------------ what is shown
    def show(self, value: object) -> None:
        """Show `value`; None is a value, too (`null`)."""
        if self._rows is not None and _same(self._rows.value, value):
            return
        self._rows = Rows(value)
        self.lay_out(0)
        if self._words:
            self._search()

    def clear(self, empty: str | None = None) -> None:
        """Show that there is nothing, in the words of `empty`."""
        self.empty = self.empty if empty is None else empty
        self._rows, self.found = None, []
        self.lay_out(0)

    @property
    def value(self) -> object:
        """What is shown; None also if nothing is."""
        return None if self._rows is None else self._rows.value

    @property
    def pointed_text(self) -> str:
        """What the cursor is on, as JSON."""
        row = self._row(self.cursor)
        return "" if row is None else json_text(row.value, indent=2)

    @property
    def filter_words(self) -> str:
        """The words that are searched for; the cursor goes to the first that is found."""
        return self._words

    @filter_words.setter
    def filter_words(self, words: str) -> None:
        if words.strip() != self._words:
            self._words = words.strip()
            self._search()

    def _search(self) -> None:
        self.found = []
        self.workers.cancel_group(self, "search")
        if self._words and self._rows is not None:
            self.run_worker(self._search_all(self._rows, self._words), group="search", exclusive=True)
        else:
            self.refresh()

    async def _search_all(self, rows: Rows, words: str) -> None:
        await asyncio.sleep(0)
        for number, path in enumerate(search(rows.value, words)):
            if path is not None:
                self.found.append(path)
                if len(self.found) == 1:
                    self._go_to(path)
                if len(self.found) >= _FOUND_MAX:
                    break
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
        self.refresh()

    # ------------------------------------------------------------------------------ keys
    def action_toggle_fold(self) -> None:
        """Unfold what the cursor is on, or fold it."""
        row = self._row(self.cursor)
        if row is None or self._rows is None:
            return
        if row.opened:
            self._rows.fold(self.cursor)
        else:
            self._rows.unfold(self.cursor)
        self.lay_out(self.cursor)

    def action_fold(self) -> None:
        """Fold what the cursor is on, or go to what is around it."""
        row = self._row(self.cursor)
        if row is None or self._rows is None:
            return
        if row.opened:
            self._rows.fold(self.cursor)
            self.lay_out(self.cursor)
        else:
            self.move_to(self._rows.outer(self.cursor))

    def action_unfold(self) -> None:
        """Unfold what the cursor is on."""
        row = self._row(self.cursor)
        if row is not None and not row.opened:
            self.action_toggle_fold()

    def action_next_found(self) -> None:
        """To the next that was found."""
        self._step(1)

    def action_previous_found(self) -> None:
        """To the one found before."""
        self._step(-1)

    def _step(self, by: int) -> None:
        row = self._row(self.cursor)
        if not self.found or row is None:
            return
        at = self.found.index(row.path) + by if row.path in self.found else 0
        self._go_to(self.found[at % len(self.found)])

    def _go_to(self, path: Path) -> None:
        if self._rows is not None:
            at = self._rows.reveal(path)
            self.lay_out(at)

    def chosen_again(self) -> None:
        self.action_toggle_fold()

    # ------------------------------------------------------------------------------ drawing
    @property
    def row_count(self) -> int:
        return 0 if self._rows is None else len(self._rows.rows)

    def _row(self, at: int) -> Row | None:
        return self._rows.rows[at] if self._rows is not None and 0 <= at < self.row_count else None

    def pieces(self, at: int, width: int) -> Pieces:
        row = self._row(at)
        return [] if row is None else _pieces(row, width)


def _pieces(row: Row, width: int) -> Pieces:
    """Return a row as texts with tones, within `width`."""
    indent = "  " * row.depth
    if row.more is not None:
        many = f"{row.left:,} more" if row.left else "more"
        return [(f"{indent}… {many}: enter shows the next", "dim")]
    if row.text_line:
        return [(cut_text(f"{indent}│ {safe(row.value)}", width), "green")]
    sign = ("▾ " if row.opened else "▸ ") if row.folds else "  "
    head = indent + sign
    name = "" if row.label is None else f"{cut_text(safe(row.label), max(width // 2, 8))}: "
    room = max(width - len(head) - len(name) - 2, 4)
    return [
        (head, "dim"),
        (name, "dim" if isinstance(row.label, int) else "blue"),
        (_value_text(row, room), "dim" if row.opened else _value_tone(row.value)),
    ]


def _value_text(row: Row, room: int) -> str:
    value = row.value
    if isinstance(value, str):
        if not is_long(value):
            return cut_text(safe(json.dumps(value, ensure_ascii=False)), room)
        many = count(len(value), "character")
        if row.opened:
            return many
        begins = safe(json.dumps(value[:_PREVIEW], ensure_ascii=False)[:-1])
        return f"{cut_text(begins, max(room - len(many) - 2, 4))}  {many}"
    if isinstance(value, dict | list):
        if not value:
            return "{}" if isinstance(value, dict) else "[]"
        many = count(len(value), "member" if isinstance(value, dict) else "item")
        return many if row.opened else f"{cut_text(_preview(value), max(room - len(many) - 2, 4))}  {many}"
    return cut_text(safe(json.dumps(value)), room)


def _value_tone(value: object) -> str:
    if isinstance(value, str):
        return "green"
    if value is None or isinstance(value, bool):
        return "magenta"
    return "cyan" if isinstance(value, int | float) else "dim"


def _preview(value: dict[str, object] | list[object]) -> str:
    """Return the beginning of a container's JSON; what is deep inside it is not looked at."""
    parts: list[str] = []
    length = 0
    members = value.items() if isinstance(value, dict) else ((None, each) for each in value)
    for name, each in members:
        if isinstance(each, dict | list):
            text = (
                ("{…}" if isinstance(each, dict) else "[…]")
                if each
                else ("{}" if isinstance(each, dict) else "[]")
            )
        else:
            text = json.dumps(each[:60] if isinstance(each, str) else each, ensure_ascii=False)
        parts.append(text if name is None else f"{name}: {text}")
        length += len(parts[-1])
        if length > 60:
            parts.append("…")
            break
    inner = safe(", ".join(parts), length_max=80)
    return f"{{{inner}}}" if isinstance(value, dict) else f"[{inner}]"


def _same(one: object, other: object) -> bool:
    """Say whether two values are the same JSON: `1` and `true` are not."""
    return type(one) is type(other) and one == other
