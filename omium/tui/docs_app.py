"""`omium docs` in a terminal: the dashboard's page of the documentation alone, without a server."""

from __future__ import annotations

from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.screen import Screen
from textual.widgets import Footer

from omium.manual import Manual, Place
from omium.tui import actions
from omium.tui.actions import Action, bindings_of
from omium.tui.app import THEMES
from omium.tui.dialogs import Reading
from omium.tui.help import describe
from omium.tui.legible import make_legible
from omium.tui.pages.docs import READING, Reads
from omium.tui.widgets.manual import ManualReader

_HELP = Action("help", "question_mark", "help", "Say what each key does here.", "Dashboard")
_THEME = Action("next_theme", "T", "theme", actions.THEME.help, "Dashboard", shown=False)
_QUIT = Action("leave", "q", "quit", "Quit.", "Dashboard")


class DocsScreen(Reads, Screen[None]):
    """The manual and what its keys are."""

    ACTIONS: ClassVar[tuple[Action, ...]] = (*READING, _HELP, _THEME, _QUIT)
    BINDINGS: ClassVar[list[BindingType]] = bindings_of(ACTIONS)

    def __init__(self, manual: Manual, place: Place) -> None:
        super().__init__()
        self._reader = ManualReader(manual, place)

    def compose(self) -> ComposeResult:
        yield self._reader
        yield Footer(show_command_palette=False, compact=True)

    def action_help(self) -> None:
        """Say what each key does."""
        self.app.push_screen(Reading("Keys", describe(self.ACTIONS).plain.strip()))

    def action_leave(self) -> None:
        """Quit."""
        self.app.exit()

    def action_next_theme(self) -> None:
        """Change to the next theme."""
        at = THEMES.index(self.app.theme) if self.app.theme in THEMES else -1
        self.app.theme = THEMES[(at + 1) % len(THEMES)]


class DocsApp(App[None]):
    """Shows `manual` from `place` on."""

    TITLE = "Omium's documentation"
    CSS_PATH = "omium.tcss"
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, manual: Manual, place: Place) -> None:
        super().__init__()
        self._manual, self._place = manual, place

    def get_css_variables(self) -> dict[str, str]:
        variables = super().get_css_variables()
        self.theme_variables = variables if self.no_color else make_legible(variables)
        return self.theme_variables

    def get_default_screen(self) -> Screen[None]:
        return DocsScreen(self._manual, self._place)
