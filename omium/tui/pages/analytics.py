"""Analytics: usage, errors and savings over time, by what they belong to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Static, TabbedContent, TabPane, Tabs

from omium.models.analytics import (
    CountGroup,
    ErrorAnalysis,
    SavingAnalysis,
    SavingGroup,
    UsageAnalysis,
    UsageGroup,
)
from omium.states import ErrorsBy, SavingsBy, Span, UsageBy
from omium.tui import actions
from omium.tui.actions import Action
from omium.tui.dialogs import Field, Form, Reading
from omium.tui.pages.analytics_tables import (
    error_columns,
    largest_points,
    saving_columns,
    sum_points,
    to_csv,
    usage_columns,
)
from omium.tui.pages.page import PageScreen
from omium.tui.registry import load_detail
from omium.tui.widgets.listing import Listing
from omium.tui.widgets.plots import TimePlot, spread
from omium.words import count, now_us, rounded, span

Analysis = UsageAnalysis | ErrorAnalysis | SavingAnalysis
DAY_US: Final = 86_400_000_000
RANGES: Final[Mapping[str, tuple[int, Span]]] = {
    "a day": (1, Span.HOUR),
    "7 days": (7, Span.DAY),
    "30 days": (30, Span.DAY),
    "90 days": (90, Span.DAY),
}
USAGE_BY: Final = (
    UsageBy.WORKFLOW,
    UsageBy.KEY,
    UsageBy.ENVIRONMENT,
    UsageBy.STATUS,
    UsageBy.MODEL,
    UsageBy.PROVIDER,
)
DETAIL_OF_WORKFLOW: Final = "wf_"
RANGE = Action("range", "t", "time", "Choose the time that is looked at.")
BREAKDOWN = Action("breakdown", "b", "by", "Show the table by another: workflow, key, environment, model.")
EXPORT = Action("export", "w", "export", "Write what is shown as CSV, to be copied.")


class AnalyticsPage(PageScreen):
    """Plots over tables, for a time that can be chosen."""

    NAME: ClassVar[str] = "analytics"
    TITLE: ClassVar[str | None] = "Analytics"
    AUTO_FOCUS: ClassVar[str | None] = ""  # a list of a tab that is not shown would bring its tab with it
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        actions.PREVIOUS_TAB,
        actions.NEXT_TAB,
        RANGE,
        BREAKDOWN,
        EXPORT,
        actions.COPY,
    )

    def __init__(self) -> None:
        super().__init__()
        self._range = "7 days"
        self._by: dict[str, Any] = {
            "usage": UsageBy.WORKFLOW,
            "errors": ErrorsBy.TYPE,
            "savings": SavingsBy.WORKFLOW,
        }
        self._found: dict[str, Analysis] = {}

    def body(self) -> ComposeResult:
        yield Static("Loading …", id="window", classes="facts", markup=False)
        with TabbedContent(id="views"):
            with TabPane("Usage", id="tab-usage"), VerticalScroll(can_focus=False):
                with Horizontal(classes="plots"):
                    yield TimePlot(id="plot-executions")
                    yield TimePlot(id="plot-credits")
                yield TimePlot(id="plot-latency")
                yield Listing[UsageGroup](
                    usage_columns(), lambda g: g.value or "-", marks=False, id="table-usage"
                )
            with TabPane("Errors", id="tab-errors"), VerticalScroll(can_focus=False):
                yield TimePlot(id="plot-errors")
                yield Listing[CountGroup](
                    error_columns(), lambda g: g.value or "-", marks=False, id="table-errors"
                )
            with TabPane("Savings", id="tab-savings"), VerticalScroll(can_focus=False):
                yield TimePlot(id="plot-savings")
                yield Listing[SavingGroup](
                    saving_columns(), lambda g: g.value or "-", marks=False, id="table-savings"
                )

    def on_mount(self) -> None:
        super().on_mount()
        for table in self.query(Listing):
            table.opens = False
        self.query_one(Tabs).can_focus = False  # `[` and `]` change the tab

    def load(self) -> None:
        days, bucket = RANGES[self._range]
        from_us = now_us() - days * DAY_US
        window: dict[str, Any] = {"from_us": from_us, "bucket": bucket, "limit": 50}
        refused = partial(self.say_refused, "#window", shown=self._view in self._found)
        match self._view:
            case "errors":
                by = self._by["errors"]
                self.fetch(
                    lambda: self.client.analyze_errors(by=by, **window), self._show_errors, failed=refused
                )
            case "savings":
                by = self._by["savings"]
                self.fetch(
                    lambda: self.client.analyze_savings(by=by, **window), self._show_savings, failed=refused
                )
            case _:
                by = self._by["usage"]
                self.query_one("#table-usage", Listing).opens = by is UsageBy.WORKFLOW
                self.fetch(
                    lambda: self.client.analyze_usage(by=by, **window), self._show_usage, failed=refused
                )

    def on_news(self, execution_ids: frozenset[str]) -> None:
        """Figures come by the hour; what is shown stands still until it is asked for again."""

    @property
    def breadcrumb(self) -> str:
        return (
            f"Analytics / {self._range}"
            if not self.is_mounted
            else f"Analytics / {self._view}, {self._range}"
        )

    @property
    def command_line(self) -> str:
        days = RANGES[self._range][0]
        by = f" --by {self._by[self._view].value}"
        return f"omium analytics {self._view}{by} --since {days}d"

    @property
    def _view(self) -> str:
        return self.query_one("#views", TabbedContent).active.removeprefix("tab-") or "usage"

    # ------------------------------------------------------------------------------ what was found
    def _show_errors(self, found: ErrorAnalysis) -> None:
        self._found["errors"] = found
        self._say(f"{found.total:,} failures by {found.by.value}", settled=found.settled)
        failures = sum_points(found.points, lambda point: point.failures)
        self._plot("errors", "Failures", found, {"failures": failures})
        self._table("errors", found.groups)

    def _show_savings(self, found: SavingAnalysis) -> None:
        self._found["savings"] = found
        total = found.total
        saved = f"{total.steps:,} steps did not run again, {span(total.saved_us)} of work"
        self._say(f"{saved}, {rounded(total.saved_credits)} credits saved", settled=True)
        steps = sum_points(found.points, lambda point: point.figures.steps)
        self._plot("savings", "Steps that did not run again", found, {"steps": steps})
        self._table("savings", found.groups)

    def _show_usage(self, found: UsageAnalysis) -> None:
        self._found["usage"] = found
        total = found.total
        rate = "-" if total.success_rate is None else f"{total.success_rate:.1%}"
        took = (
            ""
            if total.p50_us is None
            else f", half within {span(total.p50_us)}, 99% within {span(total.p99_us or 0)}"
        )
        ran = count(total.executions, "execution")
        said = f"{ran}, {rate} completed{took}, {rounded(total.spent_credits)} credits"
        self._say(said, settled=found.settled)
        ended = {
            "completed": sum_points(found.points, lambda point: point.figures.completed),
            "failed": sum_points(found.points, lambda point: point.figures.failed),
        }
        self._plot("executions", "Executions", found, ended)
        spent = sum_points(found.points, lambda point: point.figures.spent_microcredits / 1e6)
        self._plot("credits", "Credits", found, {"credits": spent})
        latency = {
            "p50": largest_points(found.points, lambda figures: figures.p50_us),
            "p99": largest_points(found.points, lambda figures: figures.p99_us),
        }
        self._plot("latency", "Seconds from creation to end", found, latency)
        self._table("usage", found.groups)

    def _say(self, said: str, *, settled: bool) -> None:
        more = "" if settled else "; so much has just ended that not all of it is added up yet"
        self.query_one("#window", Static).update(f"The last {self._range} (UTC): {said}{more}")

    def _plot(
        self,
        name: str,
        title: str,
        found: Analysis,
        points: Mapping[str, Mapping[int, float]],
    ) -> None:
        series = spread(title, found.from_us, found.until_us, found.bucket, points)
        self.query_one(f"#plot-{name}", TimePlot).show(series)

    def _table(self, name: str, groups: Sequence[Any]) -> None:
        listing: Listing[Any] = self.query_one(f"#table-{name}", Listing)
        listing.show(groups, None)

    # ------------------------------------------------------------------------------ actions
    @on(Listing.Chosen, "#table-usage")
    def _open(self, event: Listing.Chosen) -> None:
        """Open the workflow; what else usage is shown by has no page of its own."""
        detail = load_detail(DETAIL_OF_WORKFLOW)
        if isinstance(event.item, UsageGroup) and event.item.value and event.control.opens and detail:
            self.app.push_screen(detail(event.item.value))

    def on_tabbed_content_tab_activated(self) -> None:
        """Load what is shown now."""
        self.query_one(f"#table-{self._view}").focus(scroll_visible=False)
        self.load()
        self.query("PageHeader").refresh(layout=True)

    def action_range(self) -> None:
        """Choose the time."""
        field = Field("range", "The last", self._range, kind="choice", choices=tuple(RANGES), required=True)
        self.app.push_screen(Form("Which time?", [field], send="Show"), self._choose_range)

    def _choose_range(self, given: Mapping[str, str] | None) -> None:
        if given is not None:
            self._range = given["range"]
            self.load()
            self.query("PageHeader").refresh(layout=True)

    def action_breakdown(self) -> None:
        """Show the table by the next."""
        ways: Sequence[Any] = {"usage": USAGE_BY, "errors": tuple(ErrorsBy), "savings": tuple(SavingsBy)}[
            self._view
        ]
        at = ways.index(self._by[self._view])
        self._by[self._view] = ways[(at + 1) % len(ways)]
        self.notify(f"By {self._by[self._view].value}.", timeout=2)
        self.load()

    def action_export(self) -> None:
        """Show what is shown as CSV."""
        found = self._found.get(self._view)
        if found is not None:
            note = f"For files of any length: {self.command_line} --csv"
            self.app.push_screen(Reading("As CSV", to_csv(found), note=note))

    def action_copy(self) -> None:
        """Copy the table as CSV."""
        found = self._found.get(self._view)
        if found is not None:
            self.app.copy_to_clipboard(to_csv(found))
            self.notify("Copied as CSV.")
