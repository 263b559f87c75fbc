"""Queries: figures over time and by value. Sums and what no sum has yet are read in one snapshot.

Owns merging the two and choosing the values that are shown. Reading is store/sum_reading.py and
store/unsummed.py; what is summed when is summing.py.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

from omium.models import analytics as m
from omium.money import to_credits
from omium.server.analytics.histogram import percentile_us
from omium.server.analytics.rows import execution_sum, failure_sums, spent_sums, usage_sums
from omium.server.db.tx import Tx
from omium.server.store import api_keys, savings, sum_reading, unsummed
from omium.server.store.sum_reading import Ended, Failed, Used, Window
from omium.server.store.sums import ExecutionSum, FailureSum, UsageSum
from omium.states import ErrorsBy, SavingsBy, Span, UsageBy

UNSUMMED_MAX: Final = 5_000
"""Rows of each sort that a reader adds up itself; a sweep has nearly always left fewer."""
_NO_EXECUTIONS: Final = frozenset({"model", "provider"})
_USED: Final = Used.__slots__[2:]
T = TypeVar("T")


@dataclass(slots=True)
class _Part:
    """What is added up for one value, one span, or in all."""

    statuses: Counter[str] = field(default_factory=Counter)
    buckets: Counter[int] = field(default_factory=Counter)
    steps: int = 0
    used: Counter[str] = field(default_factory=Counter)

    def end(self, row: Ended) -> None:
        self.statuses[row.status] += row.executions
        self.buckets[row.bucket] += row.executions
        self.steps += row.steps

    def use(self, row: Used) -> None:
        for name in _USED:
            self.used[name] += getattr(row, name)

    @property
    def weight(self) -> tuple[int, int, int]:
        """What makes one value larger than another: what it cost, then how much it did."""
        used = self.used
        tokens = used["input_tokens"] + used["output_tokens"]
        return used["spent_microcredits"], self.statuses.total(), tokens

    def figures(self) -> m.UsageFigures:
        completed, failed = self.statuses["completed"], self.statuses["failed"]
        ended = completed + failed
        spent = self.used["spent_microcredits"]
        return m.UsageFigures(
            executions=self.statuses.total(),
            completed=completed,
            failed=failed,
            cancelled=self.statuses["cancelled"],
            success_rate=completed / ended if ended > 0 else None,
            steps=self.steps,
            p50_us=percentile_us(self.buckets, 50),
            p90_us=percentile_us(self.buckets, 90),
            p99_us=percentile_us(self.buckets, 99),
            spent_credits=to_credits(spent),
            **{name: self.used[name] for name in _USED},
        )


def analyse_usage(tx: Tx, window: Window, limit: int) -> m.UsageAnalysis:
    """Return usage within the window, with the `limit` largest values."""
    ended, used, settled = _read_usage(tx, window)
    total, values = _Part(), defaultdict[str, _Part](_Part)
    spans = defaultdict[tuple[int, str], _Part](_Part)
    for row in ended:
        for part in (total, values[row.value], spans[row.start_us, row.value]):
            part.end(row)
    for line in used:
        for part in (total, values[line.value], spans[line.start_us, line.value]):
            part.use(line)
    shown, left_off = _largest({value: part.weight for value, part in values.items()}, limit)
    names = _name_keys(tx, window, shown)
    return m.UsageAnalysis(
        from_us=window.from_us,
        until_us=window.until_us,
        bucket=_span(window),
        by=UsageBy(window.by) if window.by else None,
        total=total.figures(),
        groups=[
            m.UsageGroup(value=value, name=names.get(value), figures=values[value].figures())
            for value in shown
            if window.by
        ],
        groups_left_off=left_off,
        points=[
            m.UsagePoint(start_us=start_us, value=value, figures=spans[start_us, value].figures())
            for start_us, value in sorted(spans)
            if value in shown
        ],
        settled=settled,
    )


def analyse_errors(tx: Tx, window: Window, limit: int) -> m.ErrorAnalysis:
    """Return failures within the window, with the `limit` most frequent values."""
    rows = sum_reading.sum_failed(tx, window)
    late = unsummed.list_failed(tx, window.tenant_id, window.from_us, window.until_us, UNSUMMED_MAX)
    rows += [
        Failed(_start(window, each.start_us), _value(window, each), each.failures)
        for each in failure_sums(late)
        if _wanted(window, each)
    ]
    values, spans = Counter[str](), Counter[tuple[int, str]]()
    for row in rows:
        values[row.value] += row.failures
        spans[row.start_us, row.value] += row.failures
    shown, left_off = _largest(values, limit)
    names = _name_keys(tx, window, shown)
    return m.ErrorAnalysis(
        from_us=window.from_us,
        until_us=window.until_us,
        bucket=_span(window),
        by=ErrorsBy(window.by),
        total=values.total(),
        groups=[m.CountGroup(value=value, name=names.get(value), failures=values[value]) for value in shown],
        groups_left_off=left_off,
        points=[
            m.CountPoint(start_us=start_us, value=value, failures=count)
            for (start_us, value), count in sorted(spans.items())
            if value in shown
        ],
        settled=len(late) < UNSUMMED_MAX,
    )


def analyse_savings(tx: Tx, window: Window, limit: int) -> m.SavingAnalysis:
    """Return what resumes, takeovers and replays saved within the window."""
    rows = savings.sum_savings(
        tx,
        window.tenant_id,
        window.by,
        window.from_us,
        window.until_us,
        window.step_us,
        workflow=window.workflow,
        environment=window.environment,
    )
    values = _grouped(rows, lambda row: row.value)
    shown, left_off = _largest({value: _saved(part).steps for value, part in values.items()}, limit)
    names = _name_keys(tx, window, shown)
    return m.SavingAnalysis(
        from_us=window.from_us,
        until_us=window.until_us,
        bucket=_span(window),
        by=SavingsBy(window.by),
        total=_saved(rows),
        groups=[
            m.SavingGroup(value=value, name=names.get(value), figures=_saved(values[value]))
            for value in shown
        ],
        groups_left_off=left_off,
        points=[
            m.SavingPoint(start_us=row.start_us, value=row.value, figures=_saved([row]))
            for row in sorted(rows, key=lambda row: (row.start_us, row.value))
            if row.value in shown
        ],
    )


def _read_usage(tx: Tx, window: Window) -> tuple[list[Ended], list[Used], bool]:
    """Return what ended and what was used, and whether nothing is left off."""
    span = (window.tenant_id, window.from_us, window.until_us)
    ended, used = list[Ended](), list[Used]()
    late: list[unsummed.EndedRow] = []
    reports: list[unsummed.UsedRow] = []
    if window.by not in _NO_EXECUTIONS:
        ended = sum_reading.sum_ended(tx, window)
        late = unsummed.list_ended(tx, *span, UNSUMMED_MAX)
        ended += [_ended(window, each) for each in map(execution_sum, late) if _wanted(window, each)]
    if window.by != "status":
        used = sum_reading.sum_used(tx, window)
        reports = unsummed.list_used(tx, *span, UNSUMMED_MAX)
        more = usage_sums(reports) + spent_sums(window.tenant_id, unsummed.list_spent(tx, *span))
        used += [_used(window, each) for each in more if _wanted(window, each)]
    return ended, used, max(len(late), len(reports)) < UNSUMMED_MAX


def _ended(window: Window, row: ExecutionSum) -> Ended:
    return Ended(
        _start(window, row.start_us), _value(window, row), row.status, row.bucket, row.executions, row.steps
    )


def _used(window: Window, row: UsageSum) -> Used:
    counts = [getattr(row, name) for name in _USED]
    return Used(_start(window, row.start_us), _value(window, row), *counts)


def _wanted(window: Window, row: ExecutionSum | UsageSum | FailureSum) -> bool:
    return (not window.workflow or row.workflow == window.workflow) and (
        not window.environment or row.environment == window.environment
    )


def _value(window: Window, row: ExecutionSum | UsageSum | FailureSum) -> str:
    column = {"key": "started_by", "type": "error_type"}.get(window.by, window.by)
    return str(getattr(row, column)) if column else ""


def _start(window: Window, start_us: int) -> int:
    return start_us - start_us % window.step_us


def _span(window: Window) -> Span:
    return Span.HOUR if window.step_us < 24 * 3_600_000_000 else Span.DAY


def _largest(weights: Mapping[str, object], limit: int) -> tuple[list[str], int]:
    """Return the values with the largest weights, and how many are left off."""
    ordered = sorted(sorted(weights), key=lambda value: weights[value], reverse=True)  # type: ignore[arg-type, return-value]
    return ordered[:limit], max(len(ordered) - limit, 0)


def _name_keys(tx: Tx, window: Window, values: Iterable[str]) -> dict[str, str]:
    """Return the names of the keys among `values`, if they are keys."""
    if window.by != "key":
        return {}
    rows = [api_keys.find_tenant_key(tx, window.tenant_id, value) for value in values if value]
    return {row.id: row.name for row in rows if row is not None}


def _grouped(rows: Iterable[T], value: Callable[[T], str]) -> dict[str, list[T]]:
    found: defaultdict[str, list[T]] = defaultdict(list)
    for row in rows:
        found[value(row)].append(row)
    return found


def _saved(rows: Iterable[savings.SavingSum]) -> m.SavingFigures:
    listed = list(rows)
    amount = sum(row.saved_microcredits for row in listed)
    return m.SavingFigures(
        times=sum(row.times for row in listed),
        steps=sum(row.steps for row in listed),
        saved_us=sum(row.saved_us for row in listed),
        saved_microcredits=amount,
        saved_credits=to_credits(amount),
    )
