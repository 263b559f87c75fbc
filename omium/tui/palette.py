"""The palette (ctrl+p): everything that can be done here, by its name; and `:`, to go to a page or an id."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import ClassVar, Protocol, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.suggester import SuggestFromList
from textual.widgets import Input, Static

from omium.tui.actions import Action
from omium.tui.registry import DETAILS, PAGES, PageEntry


class Offering(Protocol):
    """The application, as the palette sees it."""

    def actions_here(self) -> list[Action]:
        """Return what can be done now."""

    @property
    def pages(self) -> Sequence[PageEntry]:
        """The pages that there are."""

    def action_page(self, name: str) -> None:
        """Open a page."""


class Everything(Provider):
    """Pages, and the actions of the page that is shown and of what has the focus."""

    async def discover(self) -> Hits:
        for name, help_text, run in self._all():
            yield DiscoveryHit(name, run, help=help_text)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for name, help_text, run in self._all():
            score = max(matcher.match(name), matcher.match(help_text) * 0.5)
            if score > 0:
                yield Hit(score, matcher.highlight(name), run, help=help_text)

    def _all(self) -> Iterator[tuple[str, str, Callable[[], object]]]:
        app = cast("Offering", self.app)
        for action in app.actions_here():
            if action.name != "command_palette":
                run = partial(self._run, action.name)
                yield f"{action.label.capitalize()} ({action.keys_text})", action.help, run
        for page in app.pages:
            yield f"{page.title} ({page.key})", page.help, partial(app.action_page, page.name)

    async def _run(self, name: str) -> None:
        """Do as the key would: the focused widget first, then the page, then the application."""
        for owner in (self.focused, self.screen, self.app):
            if owner is not None and hasattr(owner, f"action_{name}"):
                await self.app.run_action(name, default_namespace=owner)
                return


class GoTo(ModalScreen[str | None]):
    """Ask for a page's word or an id."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "leave", show=False)]

    def compose(self) -> ComposeResult:
        words = [page.name for page in cast("Offering", self.app).pages]
        with Vertical(classes="dialog go-to"):
            yield Input(
                placeholder="a page, or an id", suggester=SuggestFromList(words, case_sensitive=False)
            )
            kinds = ", ".join(f"{prefix}_…" for prefix in DETAILS)
            yield Static(f"{' '.join(words)}\nor an id: {kinds}", classes="form-help", markup=False)
            yield Static("", classes="form-wrong", markup=False)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        word = event.value.strip().removeprefix(":").lower()
        fits = [page.name for page in PAGES if page.name.startswith(word)] if word else []
        if len(fits) == 1 or word in fits:
            self.dismiss(word if word in fits else fits[0])
        elif word.partition("_")[0] in DETAILS and "_" in word:
            self.dismiss(word)
        else:
            self.query_one(".form-wrong", Static).update(
                f"{word!r} fits {len(fits)} pages."
                if fits
                else f"{word!r} is no page and no id of a kind that opens."
            )

    def action_leave(self) -> None:
        self.dismiss(None)
