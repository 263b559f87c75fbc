"""The help screen: every key that does something here, made from the registry of actions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Label, Static

from omium.safetext import width_of
from omium.tui.actions import Action
from omium.tui.content import safe
from omium.tui.frame import Frame
from omium.tui.registry import PAGES, PageEntry

GROUPS = ("Act", "Look", "Go", "Dashboard")


class HelpScreen(ModalScreen[None]):
    """What each key does on `page`, for what has the focus."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter", "leave", "close", show=False)
    ]

    def __init__(self, page: Frame | None, actions: Sequence[Action], pages: Sequence[PageEntry]) -> None:
        super().__init__()
        self._page, self._actions, self._pages = page, actions, pages

    def compose(self) -> ComposeResult:
        about = next(
            (each.help for each in PAGES if self._page is not None and each.name == self._page.NAME), ""
        )
        with Vertical(classes="dialog reading"):
            yield Label(
                safe(f"Keys: {self._page.breadcrumb if self._page else 'Omium'}"),
                classes="dialog-title",
                markup=False,
            )
            with VerticalScroll(classes="dialog-text", can_focus=True):
                yield Static(safe(about), classes="form-note", markup=False)
                yield Static(describe(self._actions))
                pages = "  ".join(f"{page.key} {page.title}" for page in self._pages)
                yield Static(f"\nPages\n  {pages}", markup=False)

    def on_mount(self) -> None:
        self.query_one(".dialog-text").focus()

    def action_leave(self) -> None:
        self.dismiss(None)


def describe(actions: Sequence[Action]) -> Text:
    """Return the actions by group, each with its keys and its sentence."""
    width = max((width_of(action.keys_text) for action in actions), default=0)
    text = Text()
    for group in GROUPS:
        members = [action for action in actions if action.group == group]
        if members:
            text.append(f"\n{group}\n", "bold")
        for action in members:
            text.append(f"  {action.keys_text:<{width}}  {action.help}\n")
    return text
