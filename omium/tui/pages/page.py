"""What every page has: its frame, its actions, and calls to the server that say what went wrong.

A page is a screen. It lists its `ACTIONS` (omium/tui/actions.py), has a method `action_<name>` for each,
yields its widgets in `body()` and loads its data in `load()`, which runs when the page is shown, when the
server is back, and when `ctrl+r` is pressed; `on_news()` hears which executions changed.

    def load(self) -> None:
        self.fetch(self.client.get_status, self.show_status)
        self.fetch(lambda: self.client.get_execution(self.id), self.show, name="detail")

Nothing is awaited in a handler: `fetch` and `act` do the call in a worker, and hand its answer to a method
by a message, so that typing never waits for a server.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, TypeVar, cast

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.message import Message
from textual.widgets import Static, Tabs

from omium.errors import ConnectionLost, OmiumError, Problem
from omium.sdk.async_client import AsyncClient
from omium.tui.actions import Action, bindings_of
from omium.tui.app import DashboardApp
from omium.tui.content import paint, safe
from omium.tui.dialogs import Confirm
from omium.tui.frame import Frame, run_beside
from omium.tui.refused import refused_text
from omium.tui.widgets.header import PageHeader
from omium.tui.widgets.page_footer import PageFooter

T = TypeVar("T")
NEWS_EVERY_S: Final = 1.0
"""How often a page looks at news at most; `on_news` may be about many executions."""
_GOING_ON: Final = frozenset({"act", "steps"})
"""Calls that no news replace: changes, and reading thousands of steps page by page."""


class PageScreen(Frame):
    """A page or a detail of the dashboard."""

    class Answered(Message):
        """A call ended; `then` takes its answer, in this page's own time."""

        def __init__(self, then: Callable[[Any], None], answer: object) -> None:
            super().__init__()
            self.then = then
            self.answer = answer

    def __init_subclass__(cls, **kwargs: Any) -> None:
        if "ACTIONS" in cls.__dict__:
            own: list[BindingType] = list(cls.__dict__.get("BINDINGS", []))
            cls.BINDINGS = [*own, *bindings_of(cls.ACTIONS)]
        super().__init_subclass__(**kwargs)

    def __init__(self) -> None:
        super().__init__()
        self._news: set[str] = set()
        self._news_due = False
        self._shown_once = False

    # ------------------------------------------------------------------------------ what a page gives
    def body(self) -> ComposeResult:
        """Yield the page's widgets."""
        yield from ()

    def load(self) -> None:
        """Ask the server for what is shown. Called again whenever it may have changed as a whole."""

    def on_news(self, execution_ids: frozenset[str]) -> None:
        """Executions have news: by default everything is loaded again, at most once a second."""
        self.load()

    def may_do(self, action: Action) -> bool:
        """Say whether `action` makes sense now, for what the cursor is on; the frame asks the rest."""
        return True

    # ------------------------------------------------------------------------------ what a page can use
    @property
    def dashboard(self) -> DashboardApp:
        """The application."""
        return cast("DashboardApp", self.app)

    @property
    def client(self) -> AsyncClient:
        """The server, or a bundle's stand-in for it."""
        return self.dashboard.link.client

    def fetch(
        self,
        call: Callable[[], Awaitable[T]],
        then: Callable[[T], None],
        *,
        name: str = "load",
        failed: Callable[[OmiumError], None] | None = None,
    ) -> None:
        """Ask the server; `then` gets the answer. A newer call of the same `name` replaces one under way.

        What goes wrong is said in the banner or as a notice, or given to `failed`.
        """
        work = partial(self._call, call, then, failed)
        run_beside(self, work, name=name, group=name, exclusive=True)

    def act(
        self,
        what: str,
        call: Callable[[], Awaitable[T]],
        then: Callable[[T], None] | None = None,
        *,
        said: str = "",
        failed: Callable[[OmiumError], None] | None = None,
    ) -> None:
        """Change something: `what` names it in the log of own actions, `said` is the notice of success.

        Calls are not replaced by others. Afterwards `then` gets the answer; without one the page loads again.
        """
        entry = self.dashboard.own_log.begin(what)

        def done(answer: T) -> None:
            self.dashboard.own_log.end(entry, said or "done")
            if said:
                self.notify(said, markup=False)
            if then is None:
                self.load()
            else:
                then(answer)

        def wrong(error: OmiumError) -> None:
            self.dashboard.own_log.end(entry, str(error), failed=True)
            if failed is None:
                self.dashboard.tell(error, what)
            else:
                failed(error)

        work = partial(self._call, call, done, wrong)
        run_beside(self, work, name=what, group="act")

    def say_refused(self, place: str, error: OmiumError, *, shown: bool) -> None:
        """Say at `place`, instead of that it loads, why it does not; where something is `shown`, it stays.

        Of a lost server the banner tells.
        """
        if isinstance(error, ConnectionLost):
            return
        if shown:
            self.dashboard.tell(error)
        else:
            self.query_one(place, Static).update(refused_text(error))

    def ask(
        self, question: str, details: str, then: Callable[[], None], *, yes: str, count: int | None = None
    ) -> None:
        """Confirm something that cannot be taken back; several at once (`count`) are confirmed by number."""

        def answered(sure: bool | None) -> None:
            if sure:
                then()

        self.app.push_screen(Confirm(question, details, yes=yes, count=count), answered)

    def copy_text(self, text: str, what: str) -> None:
        """Put `text` on the clipboard of the terminal; the notice says that it is `what`."""
        self.app.copy_to_clipboard(text)
        self.notify(f"Copied {safe(what)}.", markup=False)

    def painted(self, text: Text) -> Text:
        """Return `text` in the colours of the theme."""
        return paint(text, self.app.theme_variables)

    # ------------------------------------------------------------------------------ the frame
    def compose(self) -> ComposeResult:
        yield PageHeader()
        with Container(id="body"):
            yield from self.body()
        yield PageFooter(show_command_palette=False, compact=True)

    def on_mount(self) -> None:
        # Not by watching `theme`: words take colours from the variables, which follow it a moment later.
        self.app.theme_changed_signal.subscribe(self, lambda _: self._theme_changed())

    def on_screen_resume(self) -> None:
        """The page is shown, or a detail over it was closed."""
        self._shown_once = True
        self.load()

    def news_arrived(self, execution_ids: frozenset[str]) -> None:
        """Gather news and pass them on, at most once in `NEWS_EVERY_S`."""
        self._news |= execution_ids
        if not self._news_due:
            self._news_due = True
            self.set_timer(NEWS_EVERY_S, self._pass_news_on)

    def _pass_news_on(self) -> None:
        if self.is_current and self._waits():
            self.set_timer(NEWS_EVERY_S, self._pass_news_on)
            return
        self._news_due = False
        news, self._news = frozenset(self._news), set()
        if self.is_current:
            self.on_news(news)

    def _waits(self) -> bool:
        """Say whether an answer is due: asking anew would drop it, and a slow server never be heard out."""
        return any(
            each.node is self and not each.is_finished and each.group not in _GOING_ON
            for each in self.workers
        )

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        found = next((each for each in self.ACTIONS if each.name == action), None)
        if found is None:  # the application's, a widget's; or a base class's that this page has not taken
            return not any(each.name == action for base in type(self).__mro__ for each in _own_actions(base))
        return self.dashboard.offers(found) and self.may_do(found)

    def action_focus_next(self) -> None:
        """To the next pane."""
        self.focus_next()

    def action_next_tab(self) -> None:
        """To the next tab."""
        self.query_one(Tabs).action_next_tab()

    def action_previous_tab(self) -> None:
        """To the tab before."""
        self.query_one(Tabs).action_previous_tab()

    def action_refresh_now(self) -> None:
        """Load what is shown again."""
        self.load()

    async def _call(
        self,
        call: Callable[[], Awaitable[T]],
        then: Callable[[T], None],
        failed: Callable[[OmiumError], None] | None,
    ) -> None:
        try:
            answer = await call()
        except ConnectionLost as error:
            self.dashboard.link.lost(error)
            self.post_message(self.Answered(failed or self._not_reached, error))
        except OmiumError as error:
            if isinstance(error, Problem) and error.status == 401:
                self.dashboard.link.ended(error)
            self.post_message(self.Answered(failed or self.dashboard.tell, error))
        else:
            self.dashboard.link.answered()
            self.post_message(self.Answered(then, answer))

    def _not_reached(self, _: ConnectionLost) -> None:
        """The banner says it; what is shown stays."""

    @on(Answered)
    def _take_answer(self, message: Answered) -> None:
        message.stop()
        if self.is_attached:
            message.then(message.answer)
            self.refresh_bindings()

    def _theme_changed(self) -> None:
        """Draw again what has colours of its own; lists do so themselves."""
        if self._shown_once and self.is_current:
            self.load()


def _own_actions(page: type) -> tuple[Action, ...]:
    found: tuple[Action, ...] = page.__dict__.get("ACTIONS", ())
    return found
