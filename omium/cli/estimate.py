"""`omium credits estimate`: what an execution of a workflow is going to cost."""

from __future__ import annotations

from typing import Annotated

import typer

from omium.cli.context import Common, for_server
from omium.cli.table import Column
from omium.money import format_credits
from omium.states import Environment
from omium.words import ago, count, money, now_us


@for_server
def estimate(
    common: Common,
    workflow: Annotated[str, typer.Argument(metavar="WORKFLOW", help="Its name.")],
    environment: Annotated[
        Environment | None, typer.Option("--environment", help="Where; else the key's own.")
    ] = None,
    last: Annotated[int, typer.Option("--last", min=1, max=500, help="From how many executions.")] = 100,
) -> None:
    """Say what an execution costs. From those that completed last, by step where usage was reported.

    \b
    omium credits estimate report
    omium credits estimate report --environment prod --last 500 --json
    """
    with common.client() as client:
        found = client.estimate_workflow(workflow=workflow, environment=environment, last=last)
    output = common.output
    if output.as_json:
        output.json(found)
        return
    if not found.executions:
        output.say(
            f"No execution of {found.workflow} that was charged has completed in {found.environment}. The"
            " least that the price book asks, for a single step, is"
            f" {format_credits(found.p50_microcredits)} credits."
        )
        return
    at_us = now_us()
    rests_on = count(found.executions, "execution")
    output.show(
        f"{found.workflow} in {found.environment}, from {rests_on} since {ago(found.oldest_at_us, at_us)}",
        "bold",
    )
    output.facts(
        [
            ("half cost at most", _amount(found.p50_microcredits, found.p50_usd)),
            ("95 in 100 at most", _amount(found.p95_microcredits, found.p95_usd)),
            ("the dearest", _amount(found.max_microcredits, found.max_usd)),
            ("of that, to begin", f"{format_credits(found.execution_microcredits)} credits"),
            ("and for each step", f"{format_credits(found.step_microcredits)} credits"),
        ]
    )
    if found.steps:
        output.heading("Usage by step")
        output.table(
            [
                Column("STEP", lambda s: s.name, give="cut", width_min=12),
                Column("IN", lambda s: count(s.executions, "execution"), align="right", spare=1),
                Column("HALF AT MOST", lambda s: format_credits(s.p50_microcredits), align="right"),
                Column("DEAREST", lambda s: format_credits(s.max_microcredits), align="right"),
            ],
            found.steps,
            empty="",
        )


def _amount(microcredits: int, usd: float) -> str:
    return f"{format_credits(microcredits)} credits (${money(usd)})"
