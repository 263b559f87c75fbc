"""One of several: a dialog with a list, for what comes next and for what is meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Label, OptionList, Static
from textual.widgets.option_list import Option

from omium.safetext import cut_text
from omium.tui.content import safe, safe_lines

_LABEL_LENGTH_MAX = 60
_NOTE_LENGTH_MAX = 200


@dataclass(frozen=True, slots=True)
class Choice:
    """Something to choose: its key, what it is called, and what is known of it."""

    key: str
    label: str
    note: str = ""


class Choose(ModalScreen[str | None]):
    """Ask which of several; ends with the key of a choice, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "leave", show=False),
        Binding("j", "down", "down", show=False),
        Binding("k", "up", "up", show=False),
    ]

    def __init__(self, title: str, choices: Sequence[Choice], *, details: str = "") -> None:
        super().__init__()
        self._title, self._choices, self._details = title, choices, details

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog choose"):
            yield Label(safe(self._title), classes="dialog-title", markup=False)
            if self._details:
                with VerticalScroll(classes="dialog-text"):
                    yield Static(safe_lines(self._details), markup=False)
            yield OptionList(
                *(Option(_line(each)) for each in self._choices), classes="choices", markup=False
            )
            yield Static("enter takes it, esc leaves.", classes="form-help", markup=False)

    def on_mount(self) -> None:
        options = self.query_one(OptionList)
        options.focus()
        options.highlighted = 0 if self._choices else None

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._choices[event.option_index].key)

    def action_down(self) -> None:
        self.query_one(OptionList).action_cursor_down()

    def action_up(self) -> None:
        self.query_one(OptionList).action_cursor_up()

    def action_leave(self) -> None:
        self.dismiss(None)


def _line(choice: Choice) -> Text:
    line = Text(cut_text(safe(choice.label), _LABEL_LENGTH_MAX), no_wrap=True, overflow="ellipsis")
    if choice.note:
        line.append(f"  {safe(choice.note, length_max=_NOTE_LENGTH_MAX)}", "dim")
    return line
