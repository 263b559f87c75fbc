"""Executions: what runs and what ran, newest first, live, filtered by the server; one or several acted on."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from functools import partial
from typing import ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.widgets import Static

from omium.errors import OmiumError
from omium.models.execution import ListedExecution
from omium.models.wire import Page
from omium.tui import actions
from omium.tui.actions import Action
from omium.tui.bundling import bundle
from omium.tui.content import cell, right, safe, state
from omium.tui.execution_filter import PLACEHOLDER, ExecutionsWanted, read_filter, without, words_of
from omium.tui.going_on import resume
from omium.tui.pages.execution_diff import ExecutionDiffPage
from omium.tui.pages.page import PageScreen
from omium.tui.replaying import replay
from omium.tui.run_actions import COPY_JSON, PAUSE, RESUME
from omium.tui.several import CANCEL_IT, PAUSE_IT, RESUME_IT, Deed, do_it, may_be_done
from omium.tui.widgets.filter import FilterBar
from omium.tui.widgets.listing import Column, Listing
from omium.words import ago, count, json_text, now_us, span

PAGE: Final = 100
LOOKED_THROUGH: Final = 1_000
"""Words are looked for in so many by themselves; further ones when they are asked for."""
IN_PLACE_ABOVE: Final = 500
"""With more rows than so many, news change them where they are; new ones come with the first page."""
TIMES_EVERY_S: Final = 10.0
LOOK_FURTHER: Final = Action(
    "look_further", "m", "look further", "Look for the words in further executions.", shown=False
)


class ExecutionsPage(PageScreen):
    """The list of executions."""

    NAME: ClassVar[str] = "executions"
    TITLE: ClassVar[str | None] = "Executions"
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        actions.FILTER, actions.FAULTS, actions.FOLLOW, actions.REPLAY, RESUME, PAUSE, actions.CANCEL,
        actions.DIFF, actions.COPY, COPY_JSON, LOOK_FURTHER, actions.BUNDLE,
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self._following = False
        self._loaded = False
        self._may: tuple[bool, ...] = ()

    def body(self) -> ComposeResult:
        yield FilterBar("#executions", words_of=words_of, placeholder=PLACEHOLDER)
        yield Static("Loading …", id="executions-summary", classes="facts", markup=False)
        yield Static("", id="executions-empty", classes="empty", markup=False)
        yield Listing(COLUMNS, lambda each: each.id, words_of=_words_of, id="executions")

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#executions-empty").display = False
        self.set_interval(TIMES_EVERY_S, self.listing.redraw_seen)

    @property
    def listing(self) -> Listing[ListedExecution]:
        """The list."""
        return self.query_one("#executions", Listing)

    @property
    def bar(self) -> FilterBar:
        """The line of its filter."""
        return self.query_one(FilterBar)

    @property
    def wanted(self) -> ExecutionsWanted:
        """What is listed."""
        return read_filter(self.bar.kept, now_us())

    @property
    def command_line(self) -> str:
        return self.wanted.command_line

    def bundle_command(self, file: str) -> str:
        pointed = self.listing.pointed
        of = [] if pointed is None else ["--execution", pointed.id]
        return shlex.join(["omium", "bundle", "open", file, *of, "--plain"])

    # ------------------------------------------------------------------------------ loading
    def load(self) -> None:
        """Ask for the first page; rows further down stay."""
        self.fetch(partial(self._ask, None), self._show, failed=self._refused)

    def _refused(self, error: OmiumError) -> None:
        """Say why nothing is listed; what is listed stays."""
        self.say_refused("#executions-summary", error, shown=self._loaded)

    async def _ask(self, after: str | None) -> Page[ListedExecution]:
        wanted = self.wanted
        return await self.client.list_executions(**wanted.for_server, limit=PAGE, after=after)  # type: ignore[arg-type]  # they are its own

    def _show(self, page: Page[ListedExecution]) -> None:
        self._loaded = True
        self.listing.show(page.items, page.next)
        if self._following:
            self.listing.action_scroll_top()
        self._say()

    def on_news(self, execution_ids: frozenset[str]) -> None:
        if self.listing.row_count > IN_PLACE_ABOVE and not self._following:
            self.fetch(partial(self._ask, None), self._change_in_place)
        else:
            self.load()

    def _change_in_place(self, page: Page[ListedExecution]) -> None:
        for each in page.items:
            self.listing.update_item(each)
        self._say()

    @on(Listing.More, "#executions")
    def _load_more(self, event: Listing.More) -> None:
        if self.listing.filter_words and len(self.listing.items) >= LOOKED_THROUGH:
            self._say()
        else:
            self._load_after(event.after)

    def _load_after(self, after: str) -> None:
        self.fetch(partial(self._ask, after), self._append, name="more")

    def _append(self, page: Page[ListedExecution]) -> None:
        self.listing.append(page.items, page.next)
        self._say()

    @on(FilterBar.Kept)
    def _filter_kept(self) -> None:
        """Ask anew: another filter is another list."""
        self.workers.cancel_group(self, "more")
        self.listing.clear_items()
        self._loaded = False
        self._say()
        self.load()

    # ------------------------------------------------------------------------------ what is said
    @on(Listing.Marked, "#executions")
    def _say(self) -> None:
        wanted, listing = self.wanted, self.listing
        shown = len(listing.shown_items)
        parts = [count(shown, "execution") + ("" if listing.complete else ", more below")]
        if not self._loaded:
            parts = ["Loading …"]
        elif listing.filter_words and not listing.complete:
            parts = [f"{count(shown, 'fits', 'fit')} of the newest {len(listing.items):,}; m looks further"]
        if listing.marked:
            parts.append(listing.marks_text)
        if self._following:
            parts.append("following")
        if wanted.wrong:
            parts.append(f"! {wanted.wrong}")
        self.query_one("#executions-summary", Static).update(safe(" · ".join(parts)))
        empty = self.query_one("#executions-empty", Static)
        empty.display = self._loaded and not listing.items  # of what is hidden, the list says so itself
        if self.bar.kept:
            empty.update("No execution fits the filter. / changes it; esc in it shows all again.")
        else:
            empty.update(
                "Nothing has run yet. Call a function under @omium.workflow, or run a stored workflow:\n"
                "  omium run NAME\n4 shows the workflows that are stored."
            )
        self._look_what_may_be_done()

    @on(Listing.Pointed, "#executions")
    def _look_what_may_be_done(self) -> None:
        may = tuple(self.may_do(each) for each in self.ACTIONS)
        if may != self._may:
            self._may = may
            self.refresh_bindings()

    def may_do(self, action: Action) -> bool:
        chosen = self.listing.chosen if self.is_attached else []
        if action in (actions.REPLAY, actions.BUNDLE):
            return len(chosen) == 1
        deed = _DEEDS.get(action.name)
        if deed is not None:
            return any(may_be_done(deed, each) for each in chosen)
        if action is LOOK_FURTHER:
            return bool(self.listing.filter_words) and not self.listing.complete
        return bool(chosen) if action in (actions.COPY, COPY_JSON) else True

    # ------------------------------------------------------------------------------ keys
    @on(Listing.Chosen, "#executions")
    def _open(self) -> None:
        pointed = self.listing.pointed
        if pointed is not None:
            self.dashboard.open_id(pointed.id)

    def action_filter(self) -> None:
        """Type what to list."""
        self.bar.open()

    def action_faults(self) -> None:
        """List only what failed, or all again."""
        text = self.bar.kept
        only = self.wanted.status is None or self.wanted.status.value != "failed"
        rest = without(text, "status")
        self.bar.keep(f"status:failed {rest}".strip() if only else rest)
        self.listing.focus()

    def action_follow(self) -> None:
        """Stay at what is newest, or stop doing so."""
        self._following = not self._following
        if self._following:
            self.load()
        self._say()

    def action_look_further(self) -> None:
        """Look for the words in the next executions."""
        after = self.listing.following
        if after is not None:
            self._load_after(after)

    def action_replay(self) -> None:
        """Plan a replay of what the cursor is on, or of the one that is marked."""
        replay(self, self.listing.chosen[0].id)

    def action_bundle(self) -> None:
        """Write what the cursor is on, or the one that is marked, into a file."""
        bundle(self, self.listing.chosen[0].id)

    def action_resume(self) -> None:
        """Go on with what is marked."""
        chosen = self.listing.chosen
        if len(chosen) == 1:
            resume(self, chosen[0].id)
        else:
            do_it(self, RESUME_IT, chosen, self._done)

    def action_pause(self) -> None:
        """Ask what is marked to pause."""
        do_it(self, PAUSE_IT, self.listing.chosen, self._done)

    def action_cancel(self) -> None:
        """Ask what is marked to stop."""
        do_it(self, CANCEL_IT, self.listing.chosen, self._done)

    def _done(self) -> None:
        self.listing.unmark()
        self.load()

    def action_diff(self) -> None:
        """Compare the two that are marked, or the marked one with that under the cursor."""
        ids = self._two(self.listing.chosen)
        if ids is None:
            self.notify("Mark two with space, then d compares them.", severity="warning")
        else:
            self.app.push_screen(ExecutionDiffPage(*ids))

    def _two(self, chosen: Sequence[ListedExecution]) -> tuple[str, str] | None:
        pointed = self.listing.pointed
        if len(chosen) == 1 and self.listing.marked and pointed is not None and pointed != chosen[0]:
            chosen = [chosen[0], pointed]
        if len(chosen) != 2:
            return None
        first, second = sorted(chosen, key=lambda each: (each.created_at_us, each.id))
        return first.id, second.id

    def action_copy(self) -> None:
        """Copy the ids of what is marked."""
        ids = [each.id for each in self.listing.chosen]
        self.copy_text("\n".join(ids), ids[0] if len(ids) == 1 else count(len(ids), "id"))

    def action_copy_json(self) -> None:
        """Copy what is marked as JSON, as the list has it."""
        plain = [each.model_dump(mode="json") for each in self.listing.chosen]
        self.copy_text(json_text(plain[0] if len(plain) == 1 else plain, indent=2), "the JSON")


_DEEDS: Final[dict[str, Deed]] = {"resume": RESUME_IT, "pause": PAUSE_IT, "cancel": CANCEL_IT}


def _words_of(each: ListedExecution) -> str:
    parts = [each.id, each.workflow, each.status.value, each.reason or "", each.environment]
    return " ".join([*parts, each.business_key or "", *each.tags, each.replay_of or ""])


def took(each: ListedExecution) -> str:
    """Return how long an execution has been under way, or took."""
    if each.started_at_us is None:
        return "-"
    return span((each.ended_at_us or now_us()) - each.started_at_us)


COLUMNS: Final[tuple[Column[ListedExecution], ...]] = (
    Column(
        "STATUS",
        lambda each: state(each.status.value, "cancelling" if each.cancelling else each.reason or ""),
        22,
    ),
    Column("WORKFLOW", lambda each: cell(each.workflow)),
    Column("FOUND BY", lambda each: cell(_found_by(each), "dim"), 26, 150),
    Column("ID", lambda each: cell(each.id, "dim"), 29, 100),
    Column("WHERE", lambda each: cell(each.environment), 7, 120),
    Column("TAKEN UP", lambda each: right(each.attempt), 8, 170),
    Column("STEPS", lambda each: right(f"{each.steps_completed:,}"), 6),
    Column("TOOK", lambda each: right(took(each)), 7),
    Column("STARTED", lambda each: cell(ago(each.started_at_us or each.created_at_us, now_us())), 11),
)


def _found_by(each: ListedExecution) -> str:
    return " ".join([*([each.business_key] if each.business_key else []), *(f"#{tag}" for tag in each.tags)])
