"""One failure, with all that is recorded of it: its answers, the steps around it, a tab for each question.

Owns the widgets and what they load when they are looked at. It takes the room it has: the steps stand beside
the tabs or are a tab, the answers stand above or are one. What can be done is failure_deeds.py's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from itertools import islice
from typing import ClassVar, Final, TypeVar, cast

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Static, TabbedContent, TabPane

from omium.errors import OmiumError
from omium.jsonvalue import JsonValue
from omium.models.credits import CreditEntry
from omium.models.driver import RecordValue
from omium.models.execution import Checkpoint, ExecutionDetail, Step, StepAttempt
from omium.models.failure import FailureDetail, Occurrence
from omium.models.log import StepLogLine
from omium.models.wire import Page
from omium.money import format_credits
from omium.states import StepStatus
from omium.tui import actions
from omium.tui.content import safe_lines
from omium.tui.failure_rows import SEEN_COLUMNS, STEP_COLUMNS, StepRow, row_of, rows_of
from omium.tui.failure_text import say_attempts, say_error, say_failure
from omium.tui.json_changes import list_changes
from omium.tui.pages.page import PageScreen
from omium.tui.widgets.json_view import JsonView
from omium.tui.widgets.listing import Listing
from omium.words import local_time

T = TypeVar("T")
BESIDE_WIDTH: Final = 90
"""From this width on the steps stand beside the tabs."""
ABOVE_HEIGHT: Final = 27
"""From this height on the answers stand above the tabs."""
CHANGES_MAX: Final = 300
_NULL_BYTES: Final = 4  # `null` itself is whole

TABS: Final = (
    ("answers", "Answers"), ("steps", "Steps"), ("error", "Error"), ("input", "Input"),
    ("output", "Output"), ("diff", "State"), ("logs", "Logs"), ("ledger", "Ledger"),
    ("attempts", "Tries"), ("seen", "Seen"),
)  # fmt: skip


class FailurePane(Vertical):
    """Shows one failure."""

    DEFAULT_CSS: ClassVar[str] = """
    FailurePane { height: 1fr; width: 1fr; }
    FailurePane #answers-above { height: auto; max-height: 16; padding: 0 1; }
    FailurePane #parts { height: 1fr; }
    FailurePane #steps-beside { width: 40; border-right: solid $panel-lighten-2; }
    FailurePane TabbedContent { width: 1fr; height: 1fr; }
    FailurePane ContentSwitcher { height: 1fr; }
    FailurePane TabPane { height: 1fr; padding: 0 1; }
    FailurePane TabPane VerticalScroll { height: 1fr; }
    FailurePane Tab { padding: 0 1 0 0; }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 -- Textual's word
        super().__init__(id=id)
        self.detail: FailureDetail | None = None
        self.execution: ExecutionDetail | None = None
        self._step_key = ""
        self._beside = False

    def compose(self) -> ComposeResult:
        yield VerticalScroll(Static("", classes="answers", markup=False), id="answers-above")
        with Horizontal(id="parts"):
            yield Listing(STEP_COLUMNS, lambda row: row.key, marks=False, id="steps-beside")
            with TabbedContent(id="failure-tabs", initial="error"):
                for name, title in TABS:
                    with TabPane(title, id=name):
                        match name:
                            case "answers":
                                yield VerticalScroll(Static("", classes="answers", markup=False))
                            case "steps":
                                yield Listing(STEP_COLUMNS, lambda row: row.key, marks=False, id="steps-tab")
                            case "input" | "output":
                                yield JsonView(id=f"{name}-value")
                            case "seen":
                                yield Listing(SEEN_COLUMNS, lambda each: each.id, marks=False, id="seen-list")
                            case _:
                                yield VerticalScroll(Static("", id=f"{name}-text", markup=False))

    @property
    def page(self) -> PageScreen:
        """The page that this stands on."""
        return cast("PageScreen", self.screen)

    @property
    def tabs(self) -> TabbedContent:
        """The tabs."""
        return self.query_one("#failure-tabs", TabbedContent)

    @property
    def step_key(self) -> str:
        """The step that is looked at."""
        return self._step_key

    def on_resize(self, event: events.Resize) -> None:
        beside = event.size.width >= BESIDE_WIDTH
        above = event.size.height >= ABOVE_HEIGHT
        self._beside = beside
        self.query_one("#steps-beside").display = beside
        self.query_one("#answers-above").display = above
        for hidden, name in ((beside, "steps"), (above, "answers")):
            if hidden:
                self.tabs.hide_tab(name)
            else:
                self.tabs.show_tab(name)

    # ------------------------------------------------------------------------------ showing
    def show(self, detail: FailureDetail) -> None:
        """Show `detail`; the same failure again keeps what is looked at."""
        same = self.detail is not None and self.detail.occurrence.id == detail.occurrence.id
        self.detail = detail
        if not same:
            self.execution, self._step_key = None, detail.occurrence.key
        self._say()
        self.page.fetch(
            lambda: self.page.client.get_execution(detail.execution.id),
            self._show_execution,
            name="failure-execution",
        )
        self._load_tab()

    def show_nothing(self) -> None:
        """Show that no failure is chosen."""
        self.detail = self.execution = None
        for each in self.query(".answers").results(Static):
            each.update("")

    def say(self, sentence: str) -> None:
        """Show a sentence in place of the answers."""
        self.tabs.active = next(name for name, _ in TABS if self.tabs.get_tab(name).display)
        for each in self.query(".answers").results(Static):
            each.update(safe_lines(sentence))

    def go_to_tab(self, name: str) -> None:
        """Open a tab, and look into it."""
        self.tabs.active = name

    def begin(self) -> None:
        """Look at the first tab that is shown, and into it."""
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        shown = [name for name, _ in TABS if self.tabs.get_tab(name).display]
        self.tabs.active = shown[0]
        first = self.query_one("#steps-beside" if self._beside else f"#{shown[0]}")
        (first if first.can_focus else self.tabs.query_one("Tabs")).focus()

    def turn(self, by: int) -> None:
        """Go to the next tab (1) or the one before (-1)."""
        shown = [name for name, _ in TABS if self.tabs.get_tab(name).display]
        at = shown.index(self.tabs.active) if self.tabs.active in shown else 0
        self.tabs.active = shown[(at + by) % len(shown)]

    def _say(self) -> None:
        if self.detail is not None:
            acts = self.page.dashboard.offers(actions.REPLAY)
            text = self.page.painted(say_failure(self.detail, self.execution, acts=acts))
            for each in self.query(".answers").results(Static):
                each.update(text)

    def _show_execution(self, execution: ExecutionDetail) -> None:
        if self.detail is None or self.detail.execution.id != execution.id:
            return
        self.execution = execution
        self._say()
        rows = rows_of(execution, self.detail)
        for each in ("#steps-beside", "#steps-tab"):
            listing = self.query_one(each, Listing)
            listing.show(rows, execution.steps_next)
            listing.point_at(self._step_key)
        self._load_tab()
        key = self.detail.occurrence.key
        if key and execution.steps_next is not None and all(row.key != key for row in rows):
            self.page.fetch(
                partial(self._find_step, execution, key),
                partial(self._show_found, execution),
                name="failure-step",
            )

    async def _find_step(self, execution: ExecutionDetail, key: str) -> Step | None:
        """Look for the step that failed behind the first page; nobody scrolls through ten thousand for it."""
        client = self.page.client
        async for step in client.each(client.list_steps, execution.id, limit=200, after=execution.steps_next):
            if step.key == key and step.superseded_seq is None:
                return step
        return None

    def _show_found(self, execution: ExecutionDetail, step: Step | None) -> None:
        if step is None or self.execution is not execution:
            return
        for each in ("#steps-beside", "#steps-tab"):
            listing = self.query_one(each, Listing)
            listing.show([*listing.items, row_of(step, execution)], execution.steps_next)
            listing.point_at(step.key)
        self._load_tab()

    @on(Listing.More, "#steps-beside")
    @on(Listing.More, "#steps-tab")
    def _more_steps(self, event: Listing.More) -> None:
        event.stop()
        execution = self.execution
        if execution is not None:
            self.page.fetch(
                lambda: self.page.client.list_steps(execution.id, after=event.after, limit=200),
                partial(self._append_steps, execution),
                name=f"failure-steps-{event.listing.id}",
            )

    def _append_steps(self, execution: ExecutionDetail, page: Page[Step]) -> None:
        if self.execution is execution:
            for each in ("#steps-beside", "#steps-tab"):
                self.query_one(each, Listing).append(
                    [row_of(step, execution) for step in page.items], page.next
                )

    @on(Listing.Pointed, "#steps-beside")
    @on(Listing.Pointed, "#steps-tab")
    def _look_at_step(self, event: Listing.Pointed) -> None:
        event.stop()
        if isinstance(event.item, StepRow) and event.listing.has_focus and event.item.key != self._step_key:
            self._step_key = event.item.key
            self._load_tab()

    @on(Listing.Chosen, "#steps-beside")
    @on(Listing.Chosen, "#steps-tab")
    def _open_execution(self, event: Listing.Chosen) -> None:
        event.stop()
        if self.detail is not None:
            self.page.dashboard.open_id(self.detail.execution.id)

    # ------------------------------------------------------------------------------ tabs
    @on(TabbedContent.TabActivated, "#failure-tabs")
    def _tab_shown(self) -> None:
        self._load_tab()
        if self.tabs.active == "steps":  # a list that was not seen has no rows to point at before
            steps = self.query_one("#steps-tab", Listing)
            self.call_after_refresh(steps.point_at, self._step_key)

    @property
    def _row(self) -> StepRow | None:
        listing = self.query_one("#steps-tab", Listing)
        return next((row for row in listing.items if row.key == self._step_key), None)

    def _load_tab(self) -> None:
        """Ask for what the open tab shows."""
        detail, execution = self.detail, self.execution
        if detail is None:
            return
        client, key, execution_id = self.page.client, self._step_key, detail.execution.id
        match self.tabs.active:
            case "error":
                row = self._row
                failed = row is not None and row.step is not None and row.step.error is not None
                error = row.step.error if failed and row and row.step else detail.occurrence.error
                self._text("error", say_error(error))
            case "input":
                self._show_input()
            case "output":
                self._show_output()
            case "diff" if execution is not None:
                self._fetch_tab(partial(self._read_states, execution), self._show_diff)
            case "logs":
                self._fetch_tab(
                    lambda: client.list_logs(execution_id, path=key or None, limit=200), self._show_logs
                )
            case "ledger":
                self._fetch_tab(
                    lambda: client.list_credit_history(execution=execution_id, limit=200), self._show_ledger
                )
            case "attempts":
                self._fetch_tab(
                    lambda: client.list_attempts(execution_id, path=key or None, limit=200),
                    self._show_attempts,
                )
            case "seen":
                self.page.fetch(
                    lambda: client.list_occurrences(detail.id, limit=100), self._show_seen, name="failure-tab"
                )
            case _:
                pass

    def _fetch_tab(self, call: Callable[[], Awaitable[T]], then: Callable[[T], None]) -> None:
        """Ask for what the open tab shows; what goes wrong stands in its place."""
        name = self.tabs.active

        def failed(error: OmiumError) -> None:
            self._text(name, str(error))

        self.page.fetch(call, then, name="failure-tab", failed=failed)

    def _text(self, name: str, text: str) -> None:
        shown, lines = self.query_one(f"#{name}-text", Static), safe_lines(text)
        if shown.content != lines:  # each piece of news asks again, and wrapping a long text takes a while
            shown.update(lines)

    def _show_input(self) -> None:
        row, view = self._row, self.query_one("#input-value", JsonView)
        if row is not None and row.step is not None:
            view.show(row.step.input)
        elif self.execution is not None:
            view.show(self.execution.input)
        else:
            view.clear("Loading …")

    def _show_output(self) -> None:
        row, view = self._row, self.query_one("#output-value", JsonView)
        step = None if row is None else row.step
        if step is None or step.status is not StepStatus.COMPLETED:
            view.clear("It gave nothing: it failed. p says what it should have given.")
        elif step.output_sealed:
            view.clear("Sealed: the server does not show it.")
        elif step.output is not None or (step.output_size_bytes or 0) <= _NULL_BYTES:
            view.show(step.output)
        else:
            view.clear("Loading …")
            execution_id = self.detail.execution.id if self.detail else ""

            def show(value: RecordValue) -> None:
                if self._step_key == step.key:
                    view.show(value.output)

            self.page.fetch(
                lambda: self.page.client.get_step_value(execution_id, path=step.key), show, name="failure-tab"
            )

    async def _read_states(self, execution: ExecutionDetail) -> tuple[Checkpoint | None, Checkpoint | None]:
        """Return the last state saved before the failure and the one before that, whole."""
        saved = sorted(
            (each for each in execution.checkpoints if each.superseded_seq is None), key=lambda each: each.seq
        )
        client = self.page.client
        whole = [await client.get_checkpoint(execution.id, each.id) for each in saved[-2:]]
        return (whole[-1] if whole else None, whole[-2] if len(whole) > 1 else None)

    def _show_diff(self, states: tuple[Checkpoint | None, Checkpoint | None]) -> None:
        now, was = states
        if now is None:
            self._text("diff", "It saved no state: omium.checkpoint(name, state) does, and graphs do.")
            return
        before: JsonValue = cast("JsonValue", was.state) if was is not None else {}
        lines = [f"- {was.name} (event {was.seq})" if was else "- (no state before)"]
        lines.append(f"+ {now.name} (event {now.seq}), the last before it failed")
        lines.append("")
        changes = list(islice(list_changes(before, now.state), CHANGES_MAX + 1))
        lines += [f"{sign} {line}" for each in changes[:CHANGES_MAX] for sign, line in each.lines]
        if len(changes) > CHANGES_MAX:
            lines.append("… and more")
        elif not changes:
            lines.append("Nothing differs.")
        self._text("diff", "\n".join(lines))

    def _show_logs(self, page: Page[StepLogLine]) -> None:
        lines = [f"{local_time(each.at_us)}  {each.level or each.stream}  {each.text}" for each in page.items]
        if page.next is not None:
            lines.append("… there is more: o opens the execution")
        self._text("logs", "\n".join(lines) or "It wrote nothing.")

    def _show_ledger(self, page: Page[CreditEntry]) -> None:
        lines = [
            f"{local_time(each.at_us)}  {each.kind.value:<10} {format_credits(each.microcredits):>12}  "
            f"{each.path or ''} {each.note or ''}".rstrip()
            for each in page.items
        ]
        self._text("ledger", "\n".join(lines) or "Nothing was charged for it.")

    def _show_attempts(self, page: Page[StepAttempt]) -> None:
        self._text(
            "attempts", "\n".join(say_attempts(page.items)) or "It failed at once: there was no other try."
        )

    def _show_seen(self, page: Page[Occurrence]) -> None:
        self.query_one("#seen-list", Listing).show(page.items, page.next)

    @on(Listing.More, "#seen-list")
    def _more_seen(self, event: Listing.More) -> None:
        event.stop()
        detail = self.detail
        if detail is not None:
            self.page.fetch(
                lambda: self.page.client.list_occurrences(detail.id, limit=100, after=event.after),
                lambda page: event.listing.append(page.items, page.next),
                name="failure-seen",
            )

    @on(Listing.Chosen, "#seen-list")
    def _open_seen(self, event: Listing.Chosen) -> None:
        event.stop()
        if isinstance(event.item, Occurrence):
            self.page.dashboard.open_id(event.item.execution_id)
