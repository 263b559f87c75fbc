"""Failures: what failed, in groups; what each must answer at once; and what to do about one or several."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from functools import partial
from typing import ClassVar, Final

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.timer import Timer
from textual.widgets import Static

from omium.errors import OmiumError
from omium.models.execution import ExecutionDetail
from omium.models.failure import Failure, FailureDetail
from omium.models.wire import Page
from omium.states import FailureStatus
from omium.tui import actions
from omium.tui.actions import Action
from omium.tui.content import cell, right, state
from omium.tui.failure_text import say_failure
from omium.tui.pages.failure_deeds import DEEDS, FailureDeeds
from omium.tui.pages.failure_pane import FailurePane
from omium.tui.widgets.filter import FilterBar
from omium.tui.widgets.listing import Column, Listing
from omium.words import ago, count, now_us

PAGE: Final = 100
ASIDE_WIDTH: Final = 160
"""From this width on, all about the failure stands beside the list."""
POINT_AFTER_S: Final = 0.12
"""The cursor rests this long before it is asked about what it is on: who holds `j` asks once."""
TIMES_EVERY_S: Final = 10.0
NOTHING_OPEN: Final = (
    "Nothing is open. When something fails, it stands here in groups of what failed in the same way.\n\n"
    "z lists what was ignored, replayed or resolved. What waits for a person: a."
)
NOTHING_AT_ALL: Final = "Nothing has failed yet. 2 shows what runs."


class FailuresPage(FailureDeeds):
    """The inbox."""

    ACTIONS: ClassVar[tuple[Action, ...]] = (*DEEDS, actions.FILTER, actions.FAULTS, actions.PANES)
    DEFAULT_CSS: ClassVar[str] = """
    FailuresPage #failures-left { width: 1fr; }
    FailuresPage #failures-answers { height: auto; max-height: 70%; padding: 0 1; }
    FailuresPage #failures-answers { border-top: solid $panel-lighten-2; }
    FailuresPage #failures-aside { width: 60%; border-left: solid $panel-lighten-2; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._all = False
        self._loaded = False
        self._offered = False
        self._detail: FailureDetail | None = None
        self._execution: ExecutionDetail | None = None
        self._resting: Timer | None = None

    def body(self) -> ComposeResult:
        with Horizontal():
            with Vertical(id="failures-left"):
                yield FilterBar("#failures")
                yield Static("Loading …", id="failures-summary", classes="facts", markup=False)
                yield Static("", id="failures-empty", classes="empty", markup=False)
                yield Listing(COLUMNS, lambda each: each.id, words_of=_words_of, id="failures")
                with VerticalScroll(id="failures-answers", can_focus=False):
                    yield Static("", id="answers-below", markup=False)
            yield FailurePane(id="failures-aside")

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#failures-empty").display = False
        self._lay_out(self.size.width)
        self.listing.focus()
        self.set_interval(TIMES_EVERY_S, self._tell_times)

    def _tell_times(self) -> None:
        """Let what was `just now` become `2 min ago`."""
        if self.is_current:
            self.listing.redraw_seen()
            if not self.pane.display:
                self._show_detail()

    def on_resize(self, event: events.Resize) -> None:
        self._lay_out(event.size.width)

    def _lay_out(self, width: int) -> None:
        aside = width >= ASIDE_WIDTH
        self.pane.display = aside
        self.query_one("#failures-answers").display = not aside
        self._show_detail()
        if not aside and self.detail is not None and self._execution is None:
            self._ask_execution(self.detail)

    @property
    def listing(self) -> Listing[Failure]:
        """The list."""
        return self.query_one("#failures", Listing)

    @property
    def pane(self) -> FailurePane:
        """All about the failure that the cursor is on."""
        return self.query_one("#failures-aside", FailurePane)

    @property
    def command_line(self) -> str:
        if self.listing.pointed is not None and self.pane.display:
            return shlex.join(["omium", "failures", "show", self.listing.pointed.id])
        return "omium failures list --all" if self._all else "omium failures list"

    # ------------------------------------------------------------------------------ what is chosen
    @property
    def chosen(self) -> Sequence[Failure]:
        return self.listing.chosen

    @property
    def detail(self) -> FailureDetail | None:
        pointed = self.listing.pointed
        same = self._detail is not None and pointed is not None and self._detail.id == pointed.id
        return self._detail if same else None

    @property
    def step_key(self) -> str:
        return self.pane.step_key if self.pane.display and self.detail is not None else super().step_key

    # ------------------------------------------------------------------------------ loading
    def load(self) -> None:
        """Ask for the first page; groups further down stay."""
        self.fetch(partial(self._ask, None), self._show, failed=self._refused)
        self._ask_detail()

    def _refused(self, error: OmiumError) -> None:
        """Say why nothing is listed; what is listed stays."""
        self.say_refused("#failures-summary", error, shown=self._loaded)

    async def _ask(self, after: str | None) -> Page[Failure]:
        status = None if self._all else FailureStatus.OPEN
        return await self.client.list_failures(status=status, limit=PAGE, after=after)

    def _show(self, page: Page[Failure]) -> None:
        self._loaded = True
        self.listing.show(page.items, page.next)
        self._say()

    @on(Listing.More, "#failures")
    def _load_more(self, event: Listing.More) -> None:
        self.fetch(partial(self._ask, event.after), self._append, name="more")

    def _append(self, page: Page[Failure]) -> None:
        self.listing.append(page.items, page.next)
        self._say()

    def _say(self) -> None:
        listing = self.listing
        groups = listing.items
        more = "" if listing.complete else ", more below"
        parts = [f"{count(len(groups), 'failure')}{more}" if self._loaded else "Loading …"]
        if self._loaded and groups:
            parts.append(f"{count(sum(each.open_count for each in groups), 'open execution')}")
        parts.append("all" if self._all else "open ones")
        if listing.filter_words:
            parts.append(f"{len(listing.shown_items)} of them fit")
        if listing.marked:
            parts.append(f"{listing.marks_text}: r, i and v are for these")
        self.query_one("#failures-summary", Static).update(" · ".join(parts))
        empty = self.query_one("#failures-empty", Static)
        empty.display = self._loaded and not groups
        empty.update(NOTHING_AT_ALL if self._all else NOTHING_OPEN)
        listing.set_class(self._loaded and not groups, "-no-rows")

    @on(Listing.Pointed, "#failures")
    def _pointed(self) -> None:
        self._say()
        if self._offered != bool(self.chosen):
            self._offered = bool(self.chosen)
            self.refresh_bindings()
        if self.detail is None:
            if self._resting is not None:
                self._resting.stop()
            self._resting = self.set_timer(POINT_AFTER_S, self._ask_detail)

    def _ask_detail(self) -> None:
        pointed = self.listing.pointed
        if pointed is None:
            self._detail = None
            self._show_detail()
        else:
            if self.detail is None and not self.pane.display:
                self.query_one("#answers-below", Static).update("Loading …")
            self.fetch(lambda: self.client.get_failure(pointed.id), self._take_detail, name="detail")

    def _take_detail(self, detail: FailureDetail) -> None:
        self._detail = detail
        self._show_detail()
        self.look_again_if_replayed(detail)
        if not self.pane.display:
            self._ask_execution(detail)

    def _ask_execution(self, detail: FailureDetail) -> None:
        """Ask what it cost; the pane asks for itself."""
        self.fetch(
            lambda: self.client.get_execution(detail.execution.id), self._take_execution, name="execution"
        )

    def _take_execution(self, execution: ExecutionDetail) -> None:
        self._execution = execution
        self._show_detail()

    def _show_detail(self) -> None:
        detail = self.detail
        below = self.query_one("#answers-below", Static)
        if detail is None:
            below.update("")
            self.pane.show_nothing()
        elif self.pane.display:
            self.pane.show(detail)
        else:
            known = self._execution if self._execution and self._execution.id == detail.execution.id else None
            below.update(self.painted(say_failure(detail, known, acts=self.dashboard.offers(actions.REPLAY))))

    # ------------------------------------------------------------------------------ keys
    @on(Listing.Chosen, "#failures")
    def _open(self, event: Listing.Chosen) -> None:
        if isinstance(event.item, Failure):
            self.dashboard.open_id(event.item.id)

    def action_filter(self) -> None:
        """Show only failures with some words."""
        self.query_one(FilterBar).open()

    @on(FilterBar.Kept)
    def _filter_kept(self) -> None:
        self._say()

    def action_faults(self) -> None:
        """List what is open, or all."""
        self._all = not self._all
        self._loaded = False
        self.listing.clear_items()
        self._say()
        self.load()


def _words_of(failure: Failure) -> str:
    """Return what the filter looks through: also what no column has room for."""
    parts = (
        failure.id, failure.status.value, failure.kind, failure.environment, failure.workflow, failure.step,
        failure.error_type, failure.message, failure.execution_id,
    )  # fmt: skip
    return " ".join(parts)


def _what(failure: Failure) -> str:
    return f"{failure.error_type}: {failure.message}"


COLUMNS: Final[tuple[Column[Failure], ...]] = (
    Column("STATUS", lambda each: state(each.status.value), width=12, hide_below=62),
    Column("WORKFLOW", lambda each: cell(each.workflow), width=14, hide_below=90),
    Column("STEP", lambda each: cell(each.step.rpartition("/")[2] or "-"), width=16),
    Column("SEEN", lambda each: right(f"{each.count:,}"), width=5),
    Column("LAST", lambda each: cell(ago(each.last_seen_at_us, now_us())), width=10, hide_below=70),
    Column("WHAT", lambda each: cell(_what(each))),
)
