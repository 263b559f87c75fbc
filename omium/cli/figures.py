"""Figures over time as people see them: what `omium analytics` plots, adds up and lists by value."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from omium.cli import bars
from omium.cli.context import Common
from omium.cli.output import width_of_stdout
from omium.cli.table import Column
from omium.states import Span, UsageBy
from omium.words import number, span

if TYPE_CHECKING:
    from omium.models.analytics import ErrorAnalysis, SavingAnalysis, UsageAnalysis, UsageFigures


def show_usage(common: Common, found: UsageAnalysis) -> None:
    """Print executions, tokens and credits."""
    total = found.total
    if not found.points:
        common.output.say(
            f"Nothing ended and nothing was used {_between(found)}. An execution counts when it ends;"
            " what runs now: `omium executions list --status running`."
        )
        return
    if found.by in (None, UsageBy.WORKFLOW, UsageBy.ENVIRONMENT, UsageBy.KEY, UsageBy.STATUS):
        _plot(common, found, "executions", lambda p: p.figures.executions)
    if total.spent_microcredits:
        _plot(common, found, "credits", lambda p: p.figures.spent_microcredits / 1e6)
    elif found.by in (UsageBy.MODEL, UsageBy.PROVIDER):
        _plot(common, found, "tokens", lambda p: p.figures.input_tokens + p.figures.output_tokens)
    common.output.heading(f"In all, {_between(found)}")
    common.output.facts(
        [
            ("Executions", _ends(total) if total.executions else None),
            ("Took", _latency(total)),
            ("Steps", f"{total.steps:,}" if total.steps else None),
            ("Tokens", f"{total.input_tokens:,} in, {total.output_tokens:,} out" if total.calls else None),
            ("Credits", number(total.spent_credits) if total.spent_microcredits else None),
        ]
    )
    if found.by is not None:
        common.output.heading(f"By {found.by}")
        common.output.table(_usage_columns(found), found.groups, empty="")
        _say_left_off(common, found.groups_left_off)
    if not found.settled:
        common.output.warn(
            "So much has just ended that not all of it is added up yet; ask again in a minute."
        )


def _usage_columns(found: UsageAnalysis) -> list[Column]:
    assert found.by is not None
    columns = [Column(found.by.upper(), lambda g: _label(g.name, g.value), give="cut")]
    if found.by not in (UsageBy.MODEL, UsageBy.PROVIDER):
        columns += [
            Column("EXECUTIONS", lambda g: f"{g.figures.executions:,}", align="right"),
            Column("SUCCESS", lambda g: _percent(g.figures), align="right"),
            Column("P50", lambda g: _took(g.figures.p50_us), align="right", spare=2),
            Column("P99", lambda g: _took(g.figures.p99_us), align="right", spare=1),
        ]
    if found.by is not UsageBy.STATUS:
        columns += [
            Column("CALLS", lambda g: f"{g.figures.calls:,}", align="right", spare=3),
            Column("IN", lambda g: f"{g.figures.input_tokens:,}", align="right"),
            Column("OUT", lambda g: f"{g.figures.output_tokens:,}", align="right"),
            Column("CREDITS", lambda g: number(g.figures.spent_credits), align="right"),
        ]
    return columns


def show_errors(common: Common, found: ErrorAnalysis) -> None:
    """Print failures."""
    if not found.total:
        common.output.say(f"No failure {_between(found)}.")
        return
    _plot(common, found, "failures", lambda p: p.failures)
    most = max(group.failures for group in found.groups)
    common.output.heading(f"By {found.by}, {_between(found)}")
    common.output.table(
        [
            Column(found.by.upper(), lambda g: _label(g.name, g.value), give="cut"),
            Column("FAILURES", lambda g: f"{g.failures:,}", align="right"),
            Column("", lambda g: bars.line(g.failures, most), spare=1),
        ],
        found.groups,
        empty="",
    )
    _say_left_off(common, found.groups_left_off)
    if not found.settled:
        common.output.warn(
            "So much has just failed that not all of it is added up yet; ask again in a minute."
        )


def show_savings(common: Common, found: SavingAnalysis) -> None:
    """Print what did not run and was not paid again."""
    total = found.total
    if not total.times:
        common.output.say(
            f"Nothing went on from its records {_between(found)}: no resume, no takeover, no replay."
        )
        return
    _plot(common, found, "steps that did not run again", lambda p: p.figures.steps)
    common.output.heading(f"Not run and not paid again, {_between(found)}")
    common.output.facts(
        [
            ("Steps", f"{total.steps:,}"),
            ("Time", _took(total.saved_us)),
            ("Credits", f"{number(total.saved_credits)}, by the prices of the moment"),
        ]
    )
    common.output.heading(f"By {found.by}")
    common.output.table(
        [
            Column(found.by.upper(), lambda g: _label(g.name, g.value), give="cut"),
            Column("TIMES", lambda g: f"{g.figures.times:,}", align="right"),
            Column("STEPS", lambda g: f"{g.figures.steps:,}", align="right"),
            Column("TIME", lambda g: _took(g.figures.saved_us), align="right"),
            Column("CREDITS", lambda g: number(g.figures.saved_credits), align="right"),
        ],
        found.groups,
        empty="",
    )
    _say_left_off(common, found.groups_left_off)


def _plot(
    common: Common,
    found: UsageAnalysis | ErrorAnalysis | SavingAnalysis,
    what: str,
    value: Callable[[Any], float],
) -> None:
    """Show a number over time, all values together, with its largest and the ends of the time."""
    sums: defaultdict[int, float] = defaultdict(float)
    for point in found.points:
        sums[point.start_us] += value(point)
    step_us = 3_600_000_000 if found.bucket is Span.HOUR else 86_400_000_000
    starts = range(found.from_us, found.until_us, step_us)
    series, each = _fit([sums.get(start, 0) for start in starts], (width_of_stdout() or 80) - 2)
    lines = bars.columns(series, width=each)
    if not lines:
        return
    most = max(series)
    told = number(round(most) if most >= 10 else most)
    common.output.heading(f"{what[0].upper()}{what[1:]}: the highest column is {told}")
    for text in lines:
        common.output.show(f"  {text}")
    first, last = moment(found.from_us), moment(starts[-1])
    room = max(len(series) * each - len(first) - len(last), 1)
    common.output.show(f"  {first}{' ' * room}{last}", "dim")


def _fit(values: Sequence[float], width: int) -> tuple[list[float], int]:
    """Return the values and how wide a column may be; neighbours are added where there are too many."""
    together = max(-(-len(values) // max(width, 1)), 1)
    added = [sum(values[at : at + together]) for at in range(0, len(values), together)]
    return added, min(max(width // max(len(added), 1), 1), 4)


def _say_left_off(common: Common, left_off: int) -> None:
    if left_off:
        common.output.say(f"{left_off:,} smaller ones are left off; --limit shows more.")


def _between(found: UsageAnalysis | ErrorAnalysis | SavingAnalysis) -> str:
    return f"from {moment(found.from_us)} up to {moment(found.until_us)} UTC"


def moment(at_us: int) -> str:
    """Return the beginning of a day or an hour of UTC."""
    moment = dt.datetime.fromtimestamp(at_us // 1_000_000, dt.UTC)
    return f"{moment:%Y-%m-%d}" if at_us % 86_400_000_000 == 0 else f"{moment:%Y-%m-%d %H:%M}"


def _label(name: str | None, value: str) -> str:
    return name or value or "(none)"


def _ends(figures: UsageFigures) -> str:
    parts = [f"{figures.executions:,}", f"{_percent(figures)} succeeded"]
    parts += [f"{figures.failed:,} failed"] if figures.failed else []
    parts += [f"{figures.cancelled:,} cancelled"] if figures.cancelled else []
    return ", ".join(parts)


def _percent(figures: UsageFigures) -> str:
    return "-" if figures.success_rate is None else f"{figures.success_rate:.1%}"


def _latency(figures: UsageFigures) -> str | None:
    if figures.p50_us is None:
        return None
    return f"{_took(figures.p50_us)} half of them, {_took(figures.p90_us)} 90%, {_took(figures.p99_us)} 99%"


def _took(duration_us: int | None) -> str:
    return "-" if duration_us is None else span(duration_us)
