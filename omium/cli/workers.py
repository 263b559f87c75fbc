"""`omium workers`, `omium slots`, `omium breakers ...`: who serves, who has a slot, what is held back."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from omium.cli.cells import Cell, state
from omium.cli.context import Common, for_server
from omium.cli.ending import WrongUse
from omium.cli.options import Reason, Yes
from omium.cli.table import Column
from omium.money import format_credits, parse_credits
from omium.words import BREAKER_REASONS, ago, now_us, spent_in_a_minute

if TYPE_CHECKING:
    from omium.models.breaker import Breaker
    from omium.models.driver import Worker

app = typer.Typer(help="See and set circuit breakers.", no_args_is_help=True, rich_markup_mode=None)

BreakerName = Annotated[str, typer.Argument(metavar="NAME", help="The breaker's name.")]


@for_server
def list_workers(
    common: Common,
    all_: Annotated[bool, typer.Option("--all", help="Also those that have stopped.")] = False,
) -> None:
    """List the workers, and what they serve.

    \b
    omium workers
    omium workers --all --json
    """
    with common.client() as client:
        found = [each for each in client.each(client.list_workers, limit=200) if all_ or each.seen]
    if common.output.as_json:
        common.output.json(found)
        return
    at_us = now_us()
    common.output.table(
        [
            Column("WORKER", lambda w: w.id, give="id"),
            Column("STATE", _worker_state),
            Column("SERVES", lambda w: ", ".join([*w.workflows, *w.handlers]), give="cut", width_min=12),
            Column("QUEUE", lambda w: w.queue, give="cut", spare=1),
            Column("SLOTS", lambda w: str(w.concurrency), align="right", spare=2),
            Column("HOST", lambda w: f"{w.process.host_name}:{w.process.pid}", give="cut", spare=3),
            Column("SEEN", lambda w: ago(w.seen_at_us, at_us)),
        ],
        found,
        empty="No worker is there. Start one: omium worker PATH.py",
    )


def _worker_state(worker: Worker) -> Cell:
    if worker.stopped_at_us is not None:
        return state("stopped")
    return state("active" if worker.seen else "silent")


@for_server
def list_slots(
    common: Common,
    key: Annotated[str, typer.Argument(metavar="[KEY]", help="Only of this concurrency key.")] = "",
) -> None:
    """List who runs under a concurrency key, and who waits.

    \b
    omium slots
    omium slots provider:openai --json
    """
    with common.client() as client:
        found = list(client.each(client.list_slots, key=key, limit=200))
    if common.output.as_json:
        common.output.json(found)
        return
    at_us = now_us()
    none = f"Nothing runs or waits under the key {key}." if key else "Nothing runs or waits under a key."
    common.output.table(
        [
            Column("KEY", lambda s: s.key, give="cut", width_min=12),
            Column("STATE", lambda s: state("waiting" if s.state == "waiting" else "running")),
            Column("SINCE", lambda s: ago(s.asked_at_us, at_us)),
            Column("EXECUTION", lambda s: s.execution_id, give="id"),
            Column("STEP", lambda s: s.path, give="cut", width_min=8),
            Column("AT ONCE", lambda s: str(s.limit), align="right", spare=2),
            Column("ENVIRONMENT", lambda s: s.environment, spare=1),
        ],
        found,
        empty=f"{none} Keys come with @omium.step(concurrency=...) and `concurrency` of a node.",
    )


@app.command("list")
@for_server
def list_breakers(common: Common) -> None:
    """List the circuit breakers. Whether calls are let through, and what was counted.

    \b
    omium breakers list
    """
    with common.client() as client:
        found = list(client.each(client.list_breakers, limit=200))
    if common.output.as_json:
        common.output.json(found)
        return
    at_us = now_us()
    common.output.table(
        [
            Column("BREAKER", lambda b: b.name, give="cut", width_min=12),
            Column("STATE", lambda b: state(b.state.value, BREAKER_REASONS.get(b.because or "", ""))),
            Column("SINCE", lambda b: ago(b.changed_at_us, at_us)),
            Column("CALLS", lambda b: str(b.calls), align="right"),
            Column("FAILED", lambda b: str(b.failures), align="right"),
            Column("IN A MINUTE", _spent, give="cut", spare=2),
            Column("ENVIRONMENT", lambda b: b.environment, spare=1),
        ],
        found,
        empty="No circuit breakers yet: they come with @omium.step(breaker=...).",
    )


def _spent(breaker: Breaker) -> str:
    found = spent_in_a_minute(
        breaker.tokens, breaker.tokens_per_minute, breaker.microcredits, breaker.microcredits_per_minute
    )
    return found or "-"


def _limits(breaker: Breaker) -> str:
    told = []
    if breaker.tokens_per_minute is not None:
        told.append(f"{breaker.tokens_per_minute:,} tokens")
    if breaker.microcredits_per_minute is not None:
        told.append(f"{format_credits(breaker.microcredits_per_minute)} credits")
    return " and ".join(told)


@app.command("reset")
@for_server
def reset_breaker(common: Common, name: BreakerName, reason: Reason = "") -> None:
    """Close a circuit breaker. Calls are let through again, and counting begins anew.

    \b
    omium breakers reset openai --reason "their incident is over"
    """
    from omium.models.breaker import SetBreaker

    with common.client() as client:
        breaker = client.set_breaker(name, SetBreaker(state="closed", reason=reason))
    if common.output.as_json:
        common.output.json(breaker)
    else:
        common.output.say(f"{breaker.name} is closed: calls go through.")


@app.command("limit")
@for_server
def limit_breaker(
    common: Common,
    name: BreakerName,
    tokens: Annotated[
        int | None, typer.Option("--tokens", min=1, max=2**53 - 1, help="At most so many in a minute.")
    ] = None,
    amount: Annotated[
        str | None, typer.Option("--credits", metavar="AMOUNT", help="At most so many in a minute.")
    ] = None,
    none: Annotated[bool, typer.Option("--none", help="Take the limits off.")] = False,
) -> None:
    """Limit what is spent through a breaker in a minute. Then calls wait.

    Replaces the limits that were set so before; those that a workflow's document sets hold beside them.

    \b
    omium breakers limit openai --tokens 200000 --credits 50
    omium breakers limit openai --none
    """
    from omium.models.breaker import BreakerLimits

    if none == (tokens is not None or amount is not None):
        raise WrongUse("Give --tokens, --credits or both; or --none alone, which takes the limits off.")
    try:
        microcredits = parse_credits(amount) if amount is not None else None
    except ValueError as error:
        raise WrongUse(str(error)) from None
    with common.client() as client:
        breaker = client.limit_breaker(
            name, BreakerLimits(tokens_per_minute=tokens, microcredits_per_minute=microcredits)
        )
    if common.output.as_json:
        common.output.json(breaker)
    elif none:
        common.output.say(f"{breaker.name} has no limit of its own any more.")
    else:
        common.output.say(
            f"{breaker.name} lets through at most {_limits(breaker)} a minute; then calls wait."
        )


@app.command("open")
@for_server
def open_breaker(common: Common, name: BreakerName, reason: Reason = "", yes: Yes = False) -> None:
    """Open a circuit breaker by hand. Calls through it are refused until it is reset.

    \b
    omium breakers open openai --reason "burns money" --yes
    """
    from omium.models.breaker import SetBreaker

    common.output.confirm(f"Refuse every call through {name}?", yes=yes)
    with common.client() as client:
        breaker = client.set_breaker(name, SetBreaker(state="open", reason=reason))
    if common.output.as_json:
        common.output.json(breaker)
    else:
        common.output.say(
            f"{breaker.name} is open. Close it: omium breakers reset {shlex.quote(breaker.name)}"
        )
