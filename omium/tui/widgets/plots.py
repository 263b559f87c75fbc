"""Plots: a number over time as columns, several lines over time; in plain mode as words.

Points are hours or days of UTC; one without figures is nothing, not a gap. Drawing is plotext's.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static
from textual_plotext import PlotextPlot

from omium.states import Span
from omium.tui.app import DashboardApp
from omium.tui.content import safe_lines
from omium.words import rounded

STEP_US: Final[Mapping[Span, int]] = {Span.HOUR: 3_600_000_000, Span.DAY: 86_400_000_000}
TICKS: Final = 6
COLOURS: Final = ("green", "orange", "red+", "blue+")


@dataclass(frozen=True, slots=True)
class Series:
    """Lines over time: the starts of the points in microseconds UTC, and by name a value for each start."""

    title: str
    starts_us: Sequence[int]
    lines: Mapping[str, Sequence[float]] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Whether there is nothing above zero."""
        return not any(value > 0 for values in self.lines.values() for value in values)


def spread(
    title: str, from_us: int, until_us: int, bucket: Span, points: Mapping[str, Mapping[int, float]]
) -> Series:
    """Return a series with a value for each hour or day of the window; what has none is 0."""
    starts = range(from_us, until_us, STEP_US[bucket])
    lines = {name: [values.get(start, 0.0) for start in starts] for name, values in points.items()}
    return Series(title, starts, lines)


class TimePlot(Vertical):
    """A plot with its title; `show` gives it a series."""

    DEFAULT_CSS = """
    TimePlot { height: 12; border: round $panel-lighten-2; padding: 0 1; }
    TimePlot > .plot-words { height: 1; color: $text-muted; }
    TimePlot > PlotextPlot { height: 1fr; }
    """

    def compose(self) -> ComposeResult:
        yield Static("", classes="plot-words", markup=False)
        if not self._plain:
            yield PlotextPlot()

    def show(self, series: Series) -> None:
        """Draw a series; in plain mode say its sums and its highest."""
        self.query_one(".plot-words", Static).update(safe_lines(_say(series)))
        if self._plain:
            return
        widget = self.query_one(PlotextPlot)
        widget.display = not series.empty
        plot = widget.plt
        plot.clear_figure()
        places = [float(place) for place in range(len(series.starts_us))]
        for (name, values), colour in zip(series.lines.items(), COLOURS, strict=False):
            if len(series.lines) == 1:
                plot.bar(places, list(values), color=colour, width=0.8)
            else:
                plot.plot(places, list(values), label=name, color=colour, marker="hd")
        step = max(len(places) // TICKS, 1)
        plot.xticks(places[::step], [_moment(start) for start in series.starts_us[::step]])
        plot.frame(frame=False)
        widget.refresh()

    @property
    def _plain(self) -> bool:
        return cast("DashboardApp", self.app).plain


def _say(series: Series) -> str:
    if series.empty:
        return f"{series.title}: nothing in this time"
    parts = []
    for name, values in series.lines.items():
        most = max(values)
        at = _moment(series.starts_us[list(values).index(most)])
        parts.append(f"{name + ': ' if len(series.lines) > 1 else ''}highest {rounded(most)} at {at}")
    return f"{series.title}: {'; '.join(parts)}"


def _moment(at_us: int) -> str:
    moment = dt.datetime.fromtimestamp(at_us // 1_000_000, dt.UTC)
    return f"{moment:%m-%d}" if at_us % STEP_US[Span.DAY] == 0 else f"{moment:%H:%M}"
