"""A page of several lists, one beside the other as tabs: settings, the server.

A `Section` says what its list holds and what can be done with what is in it; the page draws it, loads only
the section that is shown, and offers only the actions that the section has a method for.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel
from textual import on
from textual.app import ComposeResult
from textual.widgets import Static, TabbedContent, TabPane, Tabs

from omium.models.wire import Page
from omium.tui import actions
from omium.tui.actions import Action
from omium.tui.content import safe_lines
from omium.tui.dialogs import Reading
from omium.tui.pages.page import PageScreen
from omium.tui.widgets.filter import FilterBar
from omium.tui.widgets.listing import Column, Listing

if TYPE_CHECKING:
    from omium.sdk.async_client import AsyncClient

T = TypeVar("T", bound=BaseModel)
OF_A_SECTION = frozenset({"create", "remove", "rotate", "change", "test", "verify"})

OF_AN_ITEM = frozenset({"remove", "change", "rotate"})
"""Of these, what the cursor is on; an empty list offers none of them."""


class Section(ABC, Generic[T]):
    """One list.

    A subclass has `create`, `remove`, `rotate`, `change`, `test` or `verify` where that makes sense.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    empty: ClassVar[str]
    command: ClassVar[str]

    def __init__(self, page: SectionsPage) -> None:
        self.page = page

    @abstractmethod
    def columns(self) -> Sequence[Column[T]]:
        """Return the list's columns."""

    @abstractmethod
    def key_of(self, item: T) -> str:
        """Return an item's id."""

    @abstractmethod
    def list_page(self, after: str | None) -> Awaitable[Page[T]]:
        """Ask for one page of the list."""

    def open(self, item: object) -> None:
        """Show all of an item."""
        if isinstance(item, BaseModel):
            self.page.app.push_screen(Reading(self.title, _json(item), note=self.command))

    @property
    def client(self) -> AsyncClient:
        """The server."""
        return self.page.client

    @property
    def pointed(self) -> T | None:
        """What the cursor is on."""
        return self.listing.pointed

    @property
    def chosen(self) -> list[T]:
        """What is marked, or what the cursor is on."""
        return self.listing.chosen

    @property
    def listing(self) -> Listing[T]:
        """The list's widget."""
        found: Listing[T] = self.page.query_one(f"#list-{self.name}", Listing)
        return found

    def remove_each(
        self,
        question: str,
        details: str,
        yes: str,
        call: Callable[[T], Awaitable[object]],
        name_of: Callable[[T], str],
    ) -> None:
        """Confirm, then do `call` with what is marked, one after the other; `{}` in the question is what."""
        chosen = self.chosen
        if not chosen:
            return
        what = name_of(chosen[0]) if len(chosen) == 1 else f"{len(chosen)} of them"

        def go() -> None:
            self.listing.marked.clear()
            for item in chosen:
                self.page.act(f"{yes} {name_of(item)}", partial(call, item), said=f"{name_of(item)}: done.")

        several = len(chosen) if len(chosen) > 1 else None
        sure = f"{yes} {'them' if several else 'it'}"  # a bare `Cancel` reads as leaving the question
        self.page.ask(question.format(what), details, go, yes=sure, count=several)


class SectionsPage(PageScreen):
    """A page made of sections."""

    AUTO_FOCUS: ClassVar[str | None] = ""  # a list of a tab that is not shown would bring its tab with it
    SECTIONS: ClassVar[tuple[type[Section[Any]], ...]] = ()
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        actions.PREVIOUS_TAB,
        actions.NEXT_TAB,
        actions.FILTER,
        actions.COPY,
        actions.CREATE,
        actions.REMOVE,
        actions.CHANGE,
        actions.ROTATE,
        actions.TEST,
        actions.VERIFY,
    )

    def __init__(self) -> None:
        super().__init__()
        self.pointing: str | None = None
        """The id of what was just made: the cursor goes there when it is listed."""
        self.sections = {section.name: section(self) for section in self.SECTIONS}

    def body(self) -> ComposeResult:
        with TabbedContent(id="sections"):
            for name, section in self.sections.items():
                with TabPane(section.title, id=f"tab-{name}"):
                    yield Static("Loading …", id=f"empty-{name}", classes="empty", markup=False)
                    yield Listing(section.columns(), section.key_of, id=f"list-{name}")
                    yield FilterBar(f"#list-{name}", id=f"filter-{name}")

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one(Tabs).can_focus = False  # `[` and `]` change the tab; the keys are the list's

    @property
    def section(self) -> Section[Any]:
        """The section that is shown."""
        active = self.query_one("#sections", TabbedContent).active.removeprefix("tab-")
        return self.sections.get(active) or next(iter(self.sections.values()))

    @property
    def breadcrumb(self) -> str:
        return f"{self.TITLE} / {self.section.title}" if self.is_mounted else f"{self.TITLE}"

    @property
    def command_line(self) -> str:
        return self.section.command

    def load(self) -> None:
        section = self.section
        self.fetch(
            lambda: section.list_page(None),
            partial(self._show, section),
            failed=partial(self._refused, section),
        )

    def on_news(self, execution_ids: frozenset[str]) -> None:
        """Executions are not listed here."""

    def may_do(self, action: Action) -> bool:
        if action.name in OF_A_SECTION:
            needs_item = action.name in OF_AN_ITEM
            return hasattr(self.section, action.name) and not (needs_item and self.section.pointed is None)
        return True

    def _show(self, section: Section[Any], found: Page[Any]) -> None:
        section.listing.show(found.items, found.next)
        section.listing.display = bool(found.items)
        if self.pointing is not None and section.listing.point_at(self.pointing):
            self.pointing = None
        empty = self.query_one(f"#empty-{section.name}", Static)
        empty.update(safe_lines(section.empty))
        empty.display = not found.items
        if found.items and not (isinstance(self.focused, Listing | FilterBar) and self.focused.is_on_screen):
            section.listing.focus()

    def _refused(self, section: Section[Any], error: Exception) -> None:
        section.listing.display = False
        empty = self.query_one(f"#empty-{section.name}", Static)
        empty.update(safe_lines(str(error)))
        empty.display = True

    @on(TabbedContent.TabActivated)
    def _other_section(self) -> None:
        self.set_focus(None)  # what had it is in the tab before
        self.load()
        self.query("PageHeader").refresh(layout=True)
        self.refresh_bindings()

    @on(Listing.More)
    def _load_more(self, event: Listing.More) -> None:
        section = self.sections[str(event.listing.id).removeprefix("list-")]
        self.fetch(
            lambda: section.list_page(event.after),
            lambda found: section.listing.append(found.items, found.next),
            name="more",
        )

    @on(Listing.Chosen)
    def _open(self, event: Listing.Chosen) -> None:
        self.section.open(event.item)

    def action_filter(self) -> None:
        """Filter what is listed."""
        self.query_one(f"#filter-{self.section.name}", FilterBar).open()

    def action_copy(self) -> None:
        """Copy the id of what the cursor is on."""
        if self.section.pointed is not None:
            key = self.section.key_of(self.section.pointed)
            self.copy_text(key, key)

    def action_create(self) -> None:
        """Make a new one."""
        self._do("create")

    def action_remove(self) -> None:
        """Remove what is marked."""
        self._do("remove")

    def action_change(self) -> None:
        """Change what the cursor is on."""
        self._do("change")

    def action_rotate(self) -> None:
        """Give what the cursor is on a new secret."""
        self._do("rotate")

    def action_test(self) -> None:
        """Try what the cursor is on."""
        self._do("test")

    def action_verify(self) -> None:
        """Check that nothing was changed behind the server's back."""
        self._do("verify")

    def _do(self, name: str) -> None:
        run = getattr(self.section, name, None)
        if run is not None:
            run()


def _json(item: BaseModel) -> str:
    return json.dumps(item.model_dump(mode="json"), indent=2, ensure_ascii=False)
