"""A JSON value over the page: for what does not fit into the row of a list."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Label, Static

from omium.tui.content import safe
from omium.tui.widgets.json_view import JsonView
from omium.words import json_text


class Looking(ModalScreen[None]):
    """Shows one value; esc closes it, y copies all of it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "close", show=False),
        Binding("y", "copy", "copy"),
    ]
    DEFAULT_CSS = """
    Looking .dialog { width: 96%; height: 80%; }
    """

    def __init__(self, title: str, value: object) -> None:
        super().__init__()
        self._title, self._value = title, value

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog reading"):
            yield Label(safe(self._title), classes="dialog-title", markup=False)
            yield JsonView()
            yield Static("enter unfolds, y copies all of it, esc closes.", classes="form-help", markup=False)

    def on_mount(self) -> None:
        view = self.query_one(JsonView)
        view.show(self._value)
        view.focus()

    def action_copy(self) -> None:
        self.app.copy_to_clipboard(json_text(self._value, indent=2))
        self.app.notify("Copied.")

    def action_leave(self) -> None:
        self.dismiss(None)
