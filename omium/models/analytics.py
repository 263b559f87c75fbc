"""Analytics as they travel: figures over time and by what they belong to, failures, savings.

Times are the starts of hours or days of UTC. Amounts are whole micro-credits; `…_credits` is for reading.
"""

from __future__ import annotations

from omium.models.wire import Reply
from omium.states import ErrorsBy, SavingsBy, Span, UsageBy


class UsageFigures(Reply):
    """Executions by when they ended, and what was used and charged in the same time."""

    executions: int
    completed: int
    failed: int
    cancelled: int
    success_rate: float | None = None
    """Completed of those that completed or failed, 0 to 1; None where there were none."""
    steps: int
    p50_us: int | None = None
    """What half of them took at most, from their creation to their end; at most a sixteenth off."""
    p90_us: int | None = None
    p99_us: int | None = None
    calls: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    spent_microcredits: int
    spent_credits: int | float


class UsageGroup(Reply):
    """What belongs to one value, such as a workflow; `name` is a key's. An empty value: belongs to none."""

    value: str
    name: str | None = None
    figures: UsageFigures


class UsagePoint(Reply):
    """The figures of one hour or day; `value` is empty where nothing is asked for by."""

    start_us: int
    value: str = ""
    figures: UsageFigures


class UsageAnalysis(Reply):
    """Usage in a window of time: in all, by value (the largest first), and over time."""

    from_us: int
    until_us: int
    bucket: Span
    by: UsageBy | None = None
    total: UsageFigures
    groups: list[UsageGroup]
    groups_left_off: int = 0
    """How many smaller values `groups` and `points` leave out; they are in `total`."""
    points: list[UsagePoint]
    settled: bool = True
    """False while so much has just ended that not all of it is added up yet."""


class CountGroup(Reply):
    """How many failures belong to one value."""

    value: str
    name: str | None = None
    failures: int


class CountPoint(Reply):
    """How many failures one hour or day had."""

    start_us: int
    value: str = ""
    failures: int


class ErrorAnalysis(Reply):
    """Failures in a window of time."""

    from_us: int
    until_us: int
    bucket: Span
    by: ErrorsBy
    total: int
    groups: list[CountGroup]
    groups_left_off: int = 0
    points: list[CountPoint]
    settled: bool = True


class SavingFigures(Reply):
    """What did not run, and was not paid, again."""

    times: int
    """How often an execution went on after a failure or a lost process, or began as a replay."""
    steps: int
    """Recorded steps that were used and did not run."""
    saved_us: int
    """How long those steps had taken."""
    saved_microcredits: int
    """What those steps would cost by the price book of that moment."""
    saved_credits: int | float


class SavingGroup(Reply):
    """Savings of one value."""

    value: str
    name: str | None = None
    figures: SavingFigures


class SavingPoint(Reply):
    """Savings of one hour or day."""

    start_us: int
    value: str = ""
    figures: SavingFigures


class SavingAnalysis(Reply):
    """Savings in a window of time."""

    from_us: int
    until_us: int
    bucket: Span
    by: SavingsBy
    total: SavingFigures
    groups: list[SavingGroup]
    groups_left_off: int = 0
    points: list[SavingPoint]
