"""The application: its pages, who is here, what may be done, and what is said when the server is lost.

A page is a mode with a stack of its own: details lie on top of the page that they were opened from, and a
page is found again as it was left. Calls are made by pages (`pages/page.py`), the connection is `link.py`'s.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final

from textual import events
from textual.app import App, ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.reactive import reactive
from textual.screen import Screen
from textual.widgets import Static

from omium.errors import OmiumError
from omium.tui import actions
from omium.tui.actions import Action, bindings_of
from omium.tui.content import safe
from omium.tui.frame import Frame, run_beside
from omium.tui.help import HelpScreen
from omium.tui.legible import make_legible
from omium.tui.link import Link, LinkState
from omium.tui.own_log import OwnLog
from omium.tui.palette import Everything, GoTo
from omium.tui.registry import DETAILS, OFFLINE, PAGES, PageEntry, load_detail, make_connect
from omium.words import count, local_time, number

if TYPE_CHECKING:
    from omium.sdk.async_client import AsyncClient

THEMES: Final = (
    "textual-dark",
    "textual-light",
    "ansi-dark",
    "ansi-light",
    "nord",
    "gruvbox",
    "solarized-light",
)
BALANCE_EVERY_S: Final = 15.0
NO_COMMAND: Final = (
    "There is no command that shows this of a bundle. `omium bundle open FILE --plain` prints a report of one"
    " execution, `--json` all that is known of it."
)


class DashboardApp(App[None]):
    """The dashboard of one server, or of one bundle.

    `make_client` is called in the application's own event loop; None asks for a server and a log-in first.
    `read_only` takes away whatever changes something, `in_browser` whatever would touch the files or the
    shell of the machine it runs on. `offline`: the client reads a file, there is no server. `plain` draws
    without boxes, plots and motion, for screen readers. `start` is a page's word, or an id.
    """

    TITLE = "Omium"
    CSS_PATH = "omium.tcss"
    COMMANDS: ClassVar = {Everything}
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings_of(actions.EVERYWHERE),
        *(Binding(page.key, f"page('{page.name}')", page.title, show=False) for page in PAGES),
    ]
    MODES: ClassVar = {page.name: partial(lambda page: page.load()(), page) for page in PAGES}

    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 -- Textual has it without ClassVar
        (0, "-narrow"),
        (100, "-normal"),
        (160, "-wide"),
    ]

    link_state: reactive[LinkState] = reactive(LinkState.CONNECTING)
    banner: reactive[str] = reactive("")
    balance: reactive[str] = reactive("")

    def __init__(
        self,
        make_client: Callable[[], AsyncClient] | None,
        *,
        read_only: bool = False,
        in_browser: bool = False,
        offline: bool = False,
        plain: bool = False,
        start: str = "overview",
    ) -> None:
        # Without colours, Textual sends greys, unless it is to leave colours to the terminal.
        super().__init__(ansi_color=True if "NO_COLOR" in os.environ else None)
        self.read_only = read_only or offline
        self.in_browser = in_browser
        self.plain = plain
        self.own_log = OwnLog()
        self._make_client = make_client
        self._offline = offline
        self._start = start
        self._link: Link | None = None
        self._asking = False
        self.set_class(plain, "-plain")
        if plain:
            self.animation_level = "none"

    async def on_key(self, event: events.Key) -> None:
        """Give a key that was typed ahead of a field's opening to that field.

        A field keeps such a key for itself; one that comes up to here waited for what had the focus before.
        """
        focused = self.focused
        if focused is not None and focused.check_consume_key(event.key, event.character):
            event.prevent_default()
            focused.post_message(events.Key(event.key, event.character))

    def get_css_variables(self) -> dict[str, str]:
        variables = super().get_css_variables()
        self.theme_variables = variables if self.no_color else make_legible(variables)
        return self.theme_variables

    # ------------------------------------------------------------------------------ the connection
    @property
    def link(self) -> Link:
        """The connection; there is one whenever a page is shown."""
        assert self._link is not None, "no page is shown before there is a connection"
        return self._link

    @property
    def connected(self) -> bool:
        """Whether there is a connection to show pages of."""
        return self._link is not None

    def compose(self) -> ComposeResult:
        """Show at once what is going to be here: clients and pages take longer to load than to draw."""
        names = " ".join(f"{page.key}{page.title}" for page in self.pages)
        yield Static(f"{names}\n Omium … connecting", markup=False)

    def on_mount(self) -> None:
        """Draw first; then connect."""
        self.call_after_refresh(self._begin)
        self.set_interval(BALANCE_EVERY_S, self._look_at_balance)

    async def _begin(self) -> None:
        """Connect, or ask whereto."""
        if self._make_client is None:
            self.ask_whereto("")
        else:
            await self.use(self._make_client())

    async def use(self, client: AsyncClient) -> None:
        """Show the server of `client` from now on; a former client is closed, and the page stays."""
        former = self._link  # pages ask while it is closed: there is a connection at any time
        self._link = Link(
            client, on_state=self._link_became, on_news=self._pass_news_on, offline=self._offline
        )
        self.link_state = self._link.state
        run_beside(self, self._link.run, group="link", exclusive=True)
        if former is not None:
            await former.client.close()
        page = self._page()
        if former is None or page is None:
            await self._show_start()
        else:
            page.load()

    async def on_unmount(self) -> None:
        """Close the connection."""
        self.workers.cancel_group(self, "link")
        if self._link is not None:
            await self._link.client.close()

    def ask_whereto(self, sentence: str) -> None:
        """Ask for a server and a log-in or key; `sentence` says why."""
        if not self._asking:
            self._asking = True
            self.push_screen(make_connect(sentence), self._asked)

    def _asked(self, _: None) -> None:
        self._asking = False

    async def _show_start(self) -> None:
        start = self._start
        if start in self.MODES:
            await self.switch_mode(start)
        else:
            detail = load_detail(start)  # with the page that it belongs to under it
            await self.switch_mode(getattr(detail, "NAME", "executions" if self._offline else "overview"))
            self.open_id(start)

    def _link_became(self, state: LinkState, sentence: str) -> None:
        was, self.link_state = self.link_state, state
        if state is LinkState.AWAY:
            self.banner = f"The server is away; trying again. {sentence}"
        else:
            self.banner = ""
        if state is LinkState.CLOSED:
            self.ask_whereto(sentence)
        elif state is LinkState.THERE:
            self._show_balance()
            page = self._page()
            if page is not None and was is not LinkState.CONNECTING:
                page.load()
        self.refresh_bindings()

    def _pass_news_on(self, execution_ids: frozenset[str]) -> None:
        page = self._page()
        if page is not None:
            page.news_arrived(execution_ids)

    def _look_at_balance(self) -> None:
        if self.connected and self.link_state is LinkState.THERE:
            run_beside(self, self._refresh_who, group="balance", exclusive=True)

    async def _refresh_who(self) -> None:
        try:
            self.link.who = await self.link.client.get_whoami()
        except OmiumError:  # the page that is shown says so, or the next look does
            return
        self._show_balance()

    def _show_balance(self) -> None:
        who = self.link.who
        self.balance = "" if who is None or who.credits is None else f"{number(who.credits)} credits"

    @property
    def _bundle_path(self) -> str:
        """The bundle that is looked at; a client of one knows it."""
        bundle = getattr(self.link.client, "bundle", None)
        return "FILE" if bundle is None else str(bundle.path)

    @property
    def whereabouts(self) -> str:
        """Tenant, environment, balance and how the connection stands, for the header."""
        if self._link is None:
            return ""
        if self._offline:
            return "a file, read only"
        who = self._link.who
        said = {LinkState.THERE: "● live", LinkState.AWAY: "○ away", LinkState.CONNECTING: "… connecting"}
        parts = [] if who is None else [f"{safe(who.tenant)}/{who.environment.value}", self.balance]
        if self.read_only:
            parts.append("read only")
        return " · ".join([*filter(None, parts), said.get(self.link_state, "○ logged out")])

    # ------------------------------------------------------------------------------ what may be done
    def offers(self, action: Action) -> bool:
        """Say whether whoever is here may be offered `action`."""
        if (action.changes and self.read_only) or (action.local and self.in_browser):
            return False
        who = None if self._link is None else self._link.who
        return action.scope is None or who is None or action.scope in who.scopes

    def actions_here(self) -> list[Action]:
        """Return what can be done now: by the focused widget, by the page, everywhere."""
        page = self._page()
        found: dict[str, Action] = {}
        focused = self.focused
        for source in (focused, page):
            for action in getattr(source, "ACTIONS", ()):
                here = source is not focused or focused is None or focused.check_action(action.name, ())
                if here and self.offers(action):
                    found.setdefault(action.name, action)
        for action in actions.EVERYWHERE:
            found.setdefault(action.name, action)
        return list(found.values())

    def tell(self, error: OmiumError, what: str = "") -> None:
        """Say what went wrong, in the error's own words, which hold the remedy."""
        title = what or "That did not work"
        self.notify(safe(str(error)), title=safe(title), severity="error", timeout=12, markup=False)

    # ------------------------------------------------------------------------------ going about
    @property
    def pages(self) -> list[PageEntry]:
        """The pages that there are here: of a bundle, those that it has something for."""
        return [page for page in PAGES if page.name in OFFLINE or not self._offline]

    def action_page(self, name: str) -> None:
        """Open a page as it was left; of a bundle, say which there are."""
        known = any(page.name == name for page in self.pages)
        if self.connected and known and not self.screen.is_modal:
            run_beside(self, partial(self._switch, name), group="switch", exclusive=True)
        elif self.connected and not known:
            held = ", ".join(page.name for page in self.pages)
            self.notify(f"A bundle holds no {name}. It has: {held}.", severity="warning", markup=False)

    async def _switch(self, name: str) -> None:
        if name != self.current_mode:
            await self.switch_mode(name)
        while len(self.screen_stack) > 1 and getattr(self._page(), "NAME", name) != name:
            await self.pop_screen()  # a detail of another page lies on it

    def open_id(self, object_id: str) -> None:
        """Show what `object_id` names, on top of what is shown: esc comes back to that."""
        detail = load_detail(object_id)
        if detail is None:
            kinds = ", ".join(f"{prefix}_…" for prefix in DETAILS)
            self.notify(
                f"{safe(object_id)} cannot be opened; ids that can: {kinds}.",
                severity="warning",
                markup=False,
            )
            return
        run_beside(self, partial(self._open, detail, object_id), group="switch", exclusive=True)

    async def _open(self, detail: Callable[..., Frame], object_id: str) -> None:
        await self.push_screen(detail(object_id))

    def action_go_to(self) -> None:
        """Ask for a page or an id."""
        if self.connected:
            self.push_screen(GoTo(), self._go_to)

    def _go_to(self, word: str | None) -> None:
        if not word:
            return
        if word in self.MODES:
            self.action_page(word)
        else:
            self.open_id(word)

    async def action_back(self) -> None:
        """Go back to where one came from; at a page's root nothing happens."""
        if len(self.screen_stack) > 1:
            await self.pop_screen()

    def action_leave(self) -> None:
        """Quit at a page's root, else go back."""
        if len(self.screen_stack) > 1:
            self.pop_screen()
        else:
            self.exit()

    # ------------------------------------------------------------------------------ what is everywhere
    def action_help(self) -> None:
        """Say what each key does here."""
        self.push_screen(HelpScreen(self._page(), self.actions_here(), self.pages))

    def action_next_theme(self) -> None:
        """Change to the next of `THEMES`."""
        at = THEMES.index(self.theme) if self.theme in THEMES else -1
        self.theme = THEMES[(at + 1) % len(THEMES)]
        self.notify(f"Theme: {self.theme}", timeout=2)

    def action_command_line(self) -> None:
        """Show the command line for what is on the screen."""
        from omium.tui.dialogs import Reading  # noqa: PLC0415 -- loaded after the first paint

        page = self._page()
        if page is not None:
            note = "It shows or does the same in a shell, and with --json for scripts."
            line = (
                page.bundle_command(self._bundle_path) or NO_COMMAND if self._offline else page.command_line
            )
            self.push_screen(Reading("On the command line", line, note="" if line == NO_COMMAND else note))

    def action_own_actions(self) -> None:
        """List what was done here."""
        from omium.tui.dialogs import Reading  # noqa: PLC0415 -- loaded after the first paint

        lines = [
            f"{local_time(each.at_us)}  {'✗' if each.failed else '✓' if each.ended else '…'} {each.what}"
            + (f": {each.ended}" if each.ended else "")
            for each in self.own_log
        ]
        text = "\n".join(lines) or "You have changed nothing here yet."
        self.push_screen(Reading(f"What you did here ({count(len(self.own_log), 'action')})", text))

    def action_refresh_now(self) -> None:
        """Load what is shown again."""
        page = self._page()
        if page is not None:
            page.load()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Leave the palette to `Everything`."""
        return ()

    def _page(self) -> Frame | None:
        """Return the page that is shown, also under a dialog."""
        for screen in reversed(self.screen_stack if self._screen_stacks else []):
            if isinstance(screen, Frame):
                return screen
        return None
