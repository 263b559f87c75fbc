"""The table of all rows, for a terminal and for docs/benchmarks.md.

Owns how a row becomes a line, what is said of one that misses its goal, and of the machine: enough to compare
runs, nothing that names it. Written by hand are the words around the table (benchmarks/notes.md) and what was
tried for each row (benchmarks/tried.md).
"""

from __future__ import annotations

import datetime as dt
import os
import platform
from collections.abc import Iterator, Mapping, Sequence

from benchmarks.processes import ROOT
from benchmarks.rows import Goal, Row, show_figure, show_goal, show_verdict

PAGE = ROOT / "docs" / "benchmarks.md"
NOTES = ROOT / "benchmarks" / "notes.md"
TRIED = ROOT / "benchmarks" / "tried.md"
HEAD = ("what", "Omium", "beside", "ratio or figure, goal", "")


def show_table(rows: Sequence[Row]) -> str:
    """Return the rows for a terminal: a paragraph each, aligned columns would not fit."""
    lines: list[str] = []
    for row in rows:
        lines.append(f"{row.what} [{row.unit}]")
        lines += [f"  {show_figure(figure)}" for figure in row.figures]
        lines += [f"  {show_goal(goal)}: {show_verdict(goal)}" for goal in row.goals]
        lines += [f"  {remark}" for remark in row.remarks]
        lines += [f"  bound by: {row.bound_by}", ""]
    goals = [goal for row in rows for goal in row.goals]
    lines.append(f"{sum(goal.is_met is True for goal in goals)} of {len(goals)} goals are met.")
    return "\n".join(lines)


def write_page(rows: Sequence[Row], rounds: int) -> None:
    """Write docs/benchmarks.md from `rows` and the notes."""
    PAGE.write_text(make_page(rows, rounds, describe_machine(), NOTES.read_text(), read_tried()))


def read_tried() -> dict[str, str]:
    """Return by row what was tried for it."""
    _, *sections = TRIED.read_text().split("\n## ")
    return {name: " ".join(text.split()) for name, _, text in (each.partition("\n") for each in sections)}


def make_page(rows: Sequence[Row], rounds: int, machine: str, notes: str, tried: Mapping[str, str]) -> str:
    """Return the page: what was run where, the table, what bounds each row, who misses a goal, the notes."""
    introduction, _, rest = notes.partition("<!-- table -->")
    goals = [goal for row in rows for goal in row.goals]
    return "\n".join(
        [
            introduction.strip(),
            "",
            f"{machine} Medians of {rounds} alternating rounds (`--rounds`), least and most in brackets.",
            f"{sum(goal.is_met is True for goal in goals)} of {len(goals)} goals are met.",
            "",
            *_table(rows),
            "",
            "## What bounds each row",
            "",
            *(f"- `{row.name}`: {'; '.join([row.bound_by, *row.remarks])}." for row in rows),
            "",
            *_misses(rows, tried),
            rest.strip(),
            "",
        ]
    )


def describe_machine() -> str:
    """Return a sentence about this machine: day, cores, kernel, Python, and no name."""
    day = dt.datetime.now(dt.UTC).date().isoformat()
    kernel = ".".join(platform.release().split("-")[0].split(".")[:2])
    return (
        f"Measured on {day}: {os.cpu_count()} cores ({platform.machine()}), {platform.system()} {kernel},"
        f" Python {platform.python_version()}, load {os.getloadavg()[2]:.1f} over a quarter of an hour."
    )


def _table(rows: Sequence[Row]) -> Iterator[str]:
    yield f"| {' | '.join(HEAD)} |"
    yield "|---" * len(HEAD) + "|"
    for row in rows:
        ours, *others = row.figures
        cells = [
            f"{row.what}<br>`{row.name}`",
            f"{show_figure(ours).removeprefix(ours.name).strip()} {row.unit}",
            "<br>".join(show_figure(figure) for figure in others),
            "<br>".join(show_goal(goal) for goal in row.goals),
            "<br>".join(_mark(goal) for goal in row.goals),
        ]
        yield f"| {' | '.join(cells)} |"


def _misses(rows: Sequence[Row], tried: Mapping[str, str]) -> Iterator[str]:
    """Yield three lines for each row that misses a goal: what was tried, what bounds it, how far it is."""
    missing = [row for row in rows if any(goal.is_met is False for goal in row.goals)]
    if not missing:
        return
    yield from ("## Rows that miss a goal", "")
    for row in missing:
        away = [f"{show_goal(goal)}, {show_verdict(goal)}" for goal in row.goals if goal.is_met is False]
        yield from (
            f"**{row.what}** (`{row.name}`)",
            "",
            f"- Tried: {tried.get(row.name, 'nothing yet')}.",
            f"- Bounded by: {'; '.join([row.bound_by, *row.remarks])}.",
            f"- How far: {'; '.join(away)}.",
            "",
        )


def _mark(goal: Goal) -> str:
    verdict = show_verdict(goal)
    return verdict if goal.is_met is not False else f"**{verdict}**"
