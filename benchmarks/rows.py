"""Rows: what a benchmark found, beside what, and how far that is from its goal.

Owns the shape that every module yields and prints, alternating rounds, and the command line that the
modules share. What is measured is each module's own; the table of all of them is `__main__.py`'s.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Figure:
    """The median of some rounds with the least and the most of them; no `value`: `why` it is missing."""

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Goal:
    """A number that shall be at least, or else at most, a limit; `what` says what the number is."""

    what: str
    value: float | None
    limit: float
    at_least: bool = False
    unit: str = ""

    @property
    def is_met(self) -> bool | None:
        """Whether the number is on the good side of its limit; None: there is no number."""
        if self.value is None:
            return None
        return self.value >= self.limit if self.at_least else self.value <= self.limit


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: Omium first, then what it stands beside."""

    name: str
    what: str
    unit: str
    figures: Sequence[Figure]
    goals: Sequence[Goal]
    bound_by: str
    remarks: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Options:
    """How much to measure: `quick` asks for tiny sizes that show only that it works."""

    rounds: int = ROUNDS
    quick: bool = False

    def choose(self, normal: float, quick: float) -> float:
        """Return a size for this run."""
        return quick if self.quick else normal


@dataclass(slots=True)
class Rounds:
    """Takes turns: every contender once per round, so that a loaded machine hits all of them alike."""

    seen: dict[str, list[float]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def run(self, rounds: int, contenders: Mapping[str, Callable[[], float]]) -> None:
        """Call every contender `rounds` times, in turn; one that raises `Missing` is left out."""
        for number in range(rounds):
            for name, measure in contenders.items():
                if name in self.missing:
                    continue
                progress(f"  {name} {number + 1}/{rounds}")
                try:
                    found = measure()
                except Missing as missing:
                    self.missing[name] = str(missing)
                else:
                    self.seen.setdefault(name, []).append(found)

    def figure(self, name: str) -> Figure:
        """Return the median and the spread of one contender."""
        if name not in self.seen:
            return Figure(name, None, why=self.missing.get(name, "not measured"))
        return figure_of(name, self.seen[name])

    def ratio(self, name: str, other: str) -> float | None:
        """Return the median of `name` over the median of `other`."""
        if name not in self.seen or other not in self.seen:
            return None
        return statistics.median(self.seen[name]) / statistics.median(self.seen[other])


class Missing(Exception):
    """A contender is not on this machine; the message says what would bring it."""


def figure_of(name: str, seen: Sequence[float]) -> Figure:
    """Return the median and the spread of `seen`."""
    return Figure(name, statistics.median(seen), min(seen), max(seen))


def progress(text: str) -> None:
    """Tell a waiting person what is being measured."""
    print(text, file=sys.stderr, flush=True)


def read_rows(text: str) -> list[Row]:
    """Return the rows that a module printed with --json."""
    return [
        replace(
            Row(**row),
            figures=[Figure(**each) for each in row["figures"]],
            goals=[Goal(**each) for each in row["goals"]],
        )
        for row in json.loads(text)["rows"]
    ]


def write_rows(rows: Sequence[Row]) -> str:
    """Return the rows as JSON; every goal with whether it is met."""
    found = [asdict(row) for row in rows]
    return json.dumps({"rows": found}, indent=2)


def show_number(value: float | None) -> str:
    """Return a number with as many digits as say something."""
    if value is None:
        return "?"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def show_figure(figure: Figure) -> str:
    """Return a contender's figure with its spread, or why there is none."""
    if figure.value is None:
        return f"{figure.name}: {figure.why}"
    text = f"{figure.name} {show_number(figure.value)}"
    if figure.low is None or figure.high is None or figure.low == figure.high:
        return text
    return f"{text} ({show_number(figure.low)} to {show_number(figure.high)})"


def show_goal(goal: Goal) -> str:
    """Return a goal beside what was found."""
    found = f"{show_number(goal.value)}{goal.unit}"
    return f"{goal.what}: {found}, goal {'≥' if goal.at_least else '≤'} {goal.limit:g}{goal.unit}"


def show_verdict(goal: Goal) -> str:
    """Return whether a goal is met, or how far it is away."""
    if goal.is_met is None:
        return "not measured"
    if goal.is_met:
        return "met"
    assert goal.value is not None
    away = goal.value / goal.limit - 1 if goal.limit else 0.0
    return f"{abs(away):.0%} {'short' if goal.at_least else 'over'}"


def run_module(measure: Callable[[Options], list[Row]], doc: str | None) -> None:
    """Be the command line of one benchmark: measure, then print lines for a person, or JSON."""
    parser = argparse.ArgumentParser(description=(doc or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="turns of every contender")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: shows only that it works")
    asked = parser.parse_args()
    rows = measure(Options(1 if asked.quick else asked.rounds, asked.quick))
    if asked.json:
        print(write_rows(rows))
        return
    for row in rows:
        print(f"{row.what} [{row.unit}]")
        for figure in row.figures:
            print(f"  {show_figure(figure)}")
        for goal in row.goals:
            print(f"  {show_goal(goal)}: {show_verdict(goal)}")
        for remark in row.remarks:
            print(f"  {remark}")
        print(f"  bound by: {row.bound_by}")
