"""`omium keys usage`: what a key has used, by day, as a table, JSON or CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from omium.cli.context import Common, for_server
from omium.cli.ids import KeyId, find_key_id
from omium.cli.spreadsheet import refuse_both, write_csv
from omium.cli.table import Column

if TYPE_CHECKING:
    from collections.abc import Iterator

    from omium.models.keys import KeyUsage, KeyUsagePart, ModelUsage

_COUNTS = ("calls", "input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens")


@for_server
def show_usage(
    common: Common,
    key_id: KeyId,
    days: Annotated[int, typer.Option("--days", min=1, max=366, help="How many, up to today.")] = 30,
    last_day: Annotated[
        str | None, typer.Option("--last-day", metavar="DAY", help="Up to this day of UTC instead.")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV: a line for each day and model.")] = False,
) -> None:
    """Show what a key has used. Executions that it started, steps, credits, tokens by model.

    \b
    omium keys usage ci
    omium keys usage ci --days 7 --json
    omium keys usage ci --days 90 --csv > ci.csv
    """
    refuse_both(common.output, as_csv=as_csv)
    with common.client() as client:
        usage = client.get_key_usage(find_key_id(client, key_id), days=days, last_day=last_day)
    if common.output.as_json:
        common.output.json(usage)
    elif as_csv:
        _write_csv(usage)
    else:
        _show(common, usage)


def _show(common: Common, usage: KeyUsage) -> None:
    common.output.table(
        [
            Column("DAY", lambda d: d.day.isoformat()),
            Column("EXECUTIONS", lambda d: f"{d.executions:,}", align="right"),
            Column("STEPS", lambda d: f"{d.steps:,}", align="right"),
            Column("CREDITS", lambda d: f"{d.spent_credits:,.4f}", align="right"),
            Column("IN", lambda d: f"{_sum(d, 'input_tokens'):,}", align="right"),
            Column("OUT", lambda d: f"{_sum(d, 'output_tokens'):,}", align="right"),
        ],
        usage.days,
        empty=f"{usage.name} has used nothing from {usage.first_day} to {usage.last_day}.",
    )
    if not usage.days:
        return
    total = usage.total
    common.output.heading(f"{usage.name}, {usage.first_day} to {usage.last_day}")
    common.output.facts(
        [
            ("Executions", f"{total.executions:,}"),
            ("Steps", f"{total.steps:,}"),
            ("Credits", f"{total.spent_credits:,.6f}"),
        ]
    )
    if total.models:
        common.output.heading("By model")
        common.output.table(
            [
                Column("MODEL", _model, give="cut"),
                Column("CALLS", lambda m: f"{m.calls:,}", align="right"),
                Column("IN", lambda m: f"{m.input_tokens:,}", align="right"),
                Column("OUT", lambda m: f"{m.output_tokens:,}", align="right"),
                Column("CACHED", lambda m: f"{m.cached_tokens:,}", align="right", spare=1),
                Column("REASONING", lambda m: f"{m.reasoning_tokens:,}", align="right", spare=2),
            ],
            total.models,
            empty="",
        )


def _sum(part: KeyUsagePart, name: str) -> int:
    return sum(int(getattr(each, name)) for each in part.models)


def _model(used: ModelUsage) -> str:
    return "/".join(filter(None, (used.provider, used.model))) or "unknown"


def _write_csv(usage: KeyUsage) -> None:
    """Write a line for each day with what belongs to all of it, and one for each model with its tokens."""
    columns = ["day", "executions", "steps", "spent_microcredits", "provider", "model", *_COUNTS]
    write_csv(columns, _rows(usage))


def _rows(usage: KeyUsage) -> Iterator[list[object]]:
    for each in usage.days:
        yield [each.day.isoformat(), each.executions, each.steps, each.spent_microcredits, "", ""]
        for used in each.models:
            counts = [getattr(used, name) for name in _COUNTS]
            yield [each.day.isoformat(), "", "", "", used.provider, used.model, *counts]
