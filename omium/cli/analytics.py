"""`omium analytics usage|errors|savings`: what has happened over time, as bars, tables, CSV and JSON.

Owns the options and what scripts get; what people see is figures.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer

from omium.cli import figures
from omium.cli.context import Common, for_server
from omium.cli.ending import WrongUse
from omium.cli.spans import parse_past
from omium.cli.spreadsheet import refuse_both, write_csv
from omium.states import Environment, ErrorsBy, SavingsBy, Span, UsageBy
from omium.words import now_us

if TYPE_CHECKING:
    from omium.models.analytics import (
        CountPoint,
        ErrorAnalysis,
        SavingAnalysis,
        SavingPoint,
        UsageAnalysis,
        UsagePoint,
    )

A = TypeVar("A", "UsageAnalysis", "ErrorAnalysis", "SavingAnalysis")

app = typer.Typer(no_args_is_help=True, help="Usage, errors and savings over time.")

Since = Annotated[str, typer.Option("--since", metavar="WHEN", help="From 12h ago, or 2026-11-01, on.")]
Until = Annotated[
    str | None, typer.Option("--until", metavar="WHEN", help="Up to 2h ago, or 2026-11-20; else now.")
]
Bucket = Annotated[Span | None, typer.Option("--bucket", help="Hours or days; else what fits the time.")]
Workflow = Annotated[str | None, typer.Option("--workflow", metavar="NAME", help="Of one workflow.")]
Where = Annotated[Environment | None, typer.Option("--environment", help="Of one environment.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=50, help="How many values, the largest first.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print CSV: a line for each hour or day and value.")]

# What a line of CSV has of each hour or day and value.
_USAGE: Final = (
    *("executions", "completed", "failed", "cancelled", "steps", "p50_us", "p90_us", "p99_us"),
    *("calls", "input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens", "spent_microcredits"),
)
_ERRORS: Final = ("failures",)
_SAVINGS: Final = ("times", "steps", "saved_us", "saved_microcredits")
_HOURS_UP_TO_US: Final = 2 * 86_400_000_000


@app.command("usage")
@for_server
def show_usage(
    common: Common,
    by: Annotated[UsageBy | None, typer.Option("--by", help="A table by this.")] = None,
    since: Since = "7d",
    until: Until = None,
    bucket: Bucket = None,
    workflow: Workflow = None,
    environment: Where = None,
    limit: Limit = 10,
    as_csv: AsCsv = False,
) -> None:
    """Show executions, tokens and credits. Times are UTC; an execution counts when it ends.

    \b
    omium analytics usage
    omium analytics usage --by workflow --since 30d
    omium analytics usage --by model --since 24h --csv > models.csv
    """
    refuse_both(common.output, as_csv=as_csv)
    with common.client() as client:
        found = client.analyze_usage(
            by=by, limit=limit, **_window(since, until, bucket, workflow, environment)
        )
    _tell(common, found, figures.show_usage, _USAGE if as_csv else ())


@app.command("errors")
@for_server
def show_errors(
    common: Common,
    by: Annotated[ErrorsBy, typer.Option("--by", help="A table by this.")] = ErrorsBy.TYPE,
    since: Since = "7d",
    until: Until = None,
    bucket: Bucket = None,
    workflow: Workflow = None,
    environment: Where = None,
    limit: Limit = 10,
    as_csv: AsCsv = False,
) -> None:
    """Show failures. Each occurrence counts when it happens, whatever becomes of it in the inbox.

    \b
    omium analytics errors
    omium analytics errors --by step --workflow report --since 30d
    """
    refuse_both(common.output, as_csv=as_csv)
    with common.client() as client:
        found = client.analyze_errors(
            by=by, limit=limit, **_window(since, until, bucket, workflow, environment)
        )
    _tell(common, found, figures.show_errors, _ERRORS if as_csv else ())


@app.command("savings")
@for_server
def show_savings(
    common: Common,
    by: Annotated[SavingsBy, typer.Option("--by", help="A table by this.")] = SavingsBy.CAUSE,
    since: Since = "30d",
    until: Until = None,
    bucket: Bucket = None,
    workflow: Workflow = None,
    environment: Where = None,
    limit: Limit = 10,
    as_csv: AsCsv = False,
) -> None:
    """Show what was not run and paid again. Steps taken from the records by a resume, takeover or replay.

    \b
    omium analytics savings
    omium analytics savings --by workflow --since 90d --json
    """
    refuse_both(common.output, as_csv=as_csv)
    with common.client() as client:
        found = client.analyze_savings(
            by=by, limit=limit, **_window(since, until, bucket, workflow, environment)
        )
    _tell(common, found, figures.show_savings, _SAVINGS if as_csv else ())


def _window(
    since: str, until: str | None, bucket: Span | None, workflow: str | None, environment: Environment | None
) -> dict[str, Any]:
    at_us = now_us()
    from_us = parse_past(since, at_us)
    until_us = at_us + 1 if until is None else parse_past(until, at_us)
    if from_us >= until_us:
        raise WrongUse("The time ends before it begins; --since comes before --until.")
    if bucket is None:
        bucket = Span.HOUR if until_us - from_us <= _HOURS_UP_TO_US else Span.DAY
    return {
        "from_us": from_us,
        "until_us": until_us,
        "bucket": bucket,
        "workflow": workflow,
        "environment": environment,
    }


def _tell(common: Common, found: A, show: Callable[[Common, A], None], names: Sequence[str]) -> None:
    """Print what was found: as JSON, as CSV with the figures `names` if there are some, or for people."""
    if common.output.as_json:
        common.output.json(found)
    elif names:
        write_csv(["start", "value", *names], (_row(point, names) for point in found.points))
    else:
        show(common, found)


def _row(point: UsagePoint | CountPoint | SavingPoint, names: Sequence[str]) -> list[object]:
    of = getattr(point, "figures", point)  # a point of failures has its one figure itself
    return [figures.moment(point.start_us), point.value, *(getattr(of, name) for name in names)]
