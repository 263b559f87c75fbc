"""`omium credits balance|history|topup|payments|grant|adjust|refund|low|plans`: what there is to spend.

What a tenant does with its own money is here; confirming payments and defining plans is plans.py's and
payments.py's, in the same group of commands.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from omium.cli import payments, plans
from omium.cli.amounts import Tenant, read_number, show_entry, signed
from omium.cli.context import Common, for_server
from omium.cli.ending import WrongUse
from omium.cli.spans import parse_moment, parse_past
from omium.cli.spreadsheet import refuse_both, write_csv
from omium.cli.table import Column
from omium.words import ago, iso_time, local_time, money, now_us, number, size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from omium.cli.output import Output
    from omium.models.credits import CreditEntry, Credits

app = typer.Typer(
    help="See, buy and book credits; choose a plan.", no_args_is_help=True, rich_markup_mode=None
)

Reason = Annotated[str, typer.Option("--reason", help="Why; it's kept in the entry.")]
CSV_COLUMNS = (
    "seq", "at", "kind", "credits", "usd", "balance_credits", "entries", "execution_id", "api_key_id",
    "actor_id", "reference", "note",
)  # fmt: skip


@app.command("balance")
@for_server
def balance(common: Common) -> None:
    """Show how credits stand. And how long they last at this rate.

    \b
    omium credits balance
    omium credits balance --json
    """
    with common.client() as client:
        found = client.get_credits()
    if common.output.as_json:
        common.output.json(found.model_dump(mode="json") | {"empty_at": iso_time(found.empty_at_us)})
        return
    common.output.facts(_facts(found))
    if found.low:
        common.output.warn("Credits are low. Top up: omium credits topup 20")


def _facts(found: Credits) -> list[tuple[str, str | None]]:
    rate = f"{number(found.burn_credits_per_day)} a day" if found.burn_credits_per_day else "nothing lately"
    if found.empty_at_us is not None:
        rate += f", lasts until {local_time(found.empty_at_us)[:10]}"
    return [
        ("Balance", f"{number(found.credits)} credits (${money(found.usd)})"),
        ("Held", f"{number(found.held_credits)} for work that runs" if found.held_credits else None),
        ("Available", number(found.available_credits)),
        ("Owed", f"{number(found.owed_credits)}, paid by the next top-up" if found.owed_credits else None),
        ("Plan", found.plan),
        ("Below zero", f"down to -{number(found.negative_credits)}" if found.negative_credits else None),
        ("Spent", rate),
        ("Stored", _stored(found)),
        ("Low from", number(found.low_credits)),
    ]


def _stored(found: Credits) -> str | None:
    if not found.storage_credits_per_day:  # free, as it is unless the price book says otherwise
        return None
    return f"{size(found.stored_bytes)} of checkpoints, {number(found.storage_credits_per_day)} credits a day"


@app.command("history")
@for_server
def history(
    common: Common,
    kind: Annotated[
        str | None, typer.Option("--kind", help="Only these: topup, grant, charge, adjustment and so on.")
    ] = None,
    key: Annotated[str | None, typer.Option("--key", help="Only what this API key has spent.")] = None,
    execution: Annotated[str | None, typer.Option("--execution", help="Only of this execution.")] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="WHEN", help="From 12h ago, or 2026-11-01, on."),
    ] = None,
    unfolded: Annotated[bool, typer.Option("--all", help="Each small charge on a line of its own.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many lines, newest first.")] = 50,
) -> None:
    """Show what came and went. Small charges of one execution are one line, unless --all.

    \b
    omium credits history
    omium credits history --kind topup --json
    omium credits history --since 30d --all --csv --limit 10000 > october.csv
    """
    refuse_both(common.output, as_csv=as_csv)
    from_us = None if since is None else parse_past(since, now_us())
    with common.client() as client:
        found = client.each(
            client.list_credit_history,
            kind=kind,
            key=key,
            execution=execution,
            from_us=from_us,
            unfolded=unfolded,
            limit=min(limit, 500),
        )
        lines = list(islice(found, limit))
    if common.output.as_json:
        common.output.json([line.model_dump(mode="json") | {"at": iso_time(line.at_us)} for line in lines])
    elif as_csv:
        _write_csv(lines)
    else:
        show_lines(common.output, lines)


def show_lines(output: Output, lines: Sequence[CreditEntry]) -> None:
    """Print entries of the journal as a table."""
    at_us = now_us()
    output.table(
        [
            Column("ENTRY", lambda e: str(e.seq), align="right"),
            Column("WHEN", lambda e: ago(e.at_us, at_us)),
            Column("KIND", lambda e: e.kind.value + (f" x{e.entries}" if e.entries > 1 else "")),
            Column("CREDITS", signed, align="right"),
            Column("BALANCE", lambda e: number(e.balance_credits), align="right"),
            Column("FOR", _purpose, give="cut", width_min=12),
        ],
        lines,
        empty="Nothing came or went. Add credits: omium credits topup 20",
    )


def _purpose(line: CreditEntry) -> str:
    if line.note or line.execution_id:
        return line.note or line.execution_id or "-"
    return "-" if (line.reference or "").startswith("request:") else line.reference or "-"


def _write_csv(lines: Sequence[CreditEntry]) -> None:
    told = (line.model_dump(mode="json") | {"at": iso_time(line.at_us)} for line in lines)
    write_csv(CSV_COLUMNS, ([each[name] for name in CSV_COLUMNS] for each in told))


@app.command("grant")
@for_server
def grant(
    common: Common,
    amount: Annotated[str, typer.Argument(metavar="CREDITS", help="How many.")],
    reason: Reason,
    tenant: Tenant = None,
    expires: Annotated[
        str | None,
        typer.Option("--expires", metavar="WHEN", help="What is left goes after 30d, or on 2027-01-31."),
    ] = None,
    reference: Annotated[
        str | None, typer.Option("--reference", help="A second grant of one reference is the first again.")
    ] = None,
) -> None:
    """Give credits that nobody pays for. The operator's (scope server).

    \b
    omium credits grant 5000 --reason "a trial month" --expires 30d
    """
    from omium.models.credits import GrantCredits

    command = GrantCredits(
        credits=read_number(amount),
        reason=reason,
        tenant_id=tenant,
        expires_at_us=None if expires is None else parse_moment(expires, now_us()),
        reference=reference,
    )
    with common.client() as client:
        show_entry(common.output, client.grant_credits(command))


@app.command("adjust", context_settings={"ignore_unknown_options": True})
@for_server
def adjust(
    common: Common,
    amount: Annotated[str, typer.Argument(metavar="CREDITS", help="How many; below zero takes them away.")],
    reason: Reason,
    tenant: Tenant = None,
) -> None:
    """Correct a balance, upwards or downwards. The operator's (scope server).

    \b
    omium credits adjust 12.5 --reason "charged twice on the 3rd"
    omium credits adjust -100 --reason "granted by mistake"
    """
    from omium.models.credits import AdjustCredits

    command = AdjustCredits(credits=read_number(amount), reason=reason, tenant_id=tenant)
    with common.client() as client:
        show_entry(common.output, client.adjust_credits(command))


@app.command("refund")
@for_server
def refund(
    common: Common,
    seq: Annotated[int, typer.Argument(metavar="ENTRY", min=1, help="The entry that charged them.")],
    reason: Reason,
    tenant: Tenant = None,
) -> None:
    """Give back what an entry has charged. The operator's (scope server).

    \b
    omium credits refund 1024 --reason "the model was down"
    """
    from omium.models.credits import RefundEntry

    with common.client() as client:
        show_entry(common.output, client.refund_entry(seq, RefundEntry(reason=reason, tenant_id=tenant)))


@app.command("low")
@for_server
def low(
    common: Common,
    threshold: Annotated[str, typer.Argument(help="Credits, or a share of the last top-up: 2000, 15%.")],
) -> None:
    """Say from when on credits are low. Then replies, alerts and `omium status` say so.

    \b
    omium credits low 2000
    omium credits low 15%
    """
    from omium.models.credits import LowCredits

    share = threshold.strip().removesuffix("%")
    command = (
        LowCredits(percent=_read_percent(share))
        if threshold.strip().endswith("%")
        else LowCredits(credits=read_number(threshold))
    )
    with common.client() as client:
        found = client.set_low_credits(command)
    if common.output.as_json:
        common.output.json(found)
    else:
        common.output.say(f"Credits are low from {number(found.low_credits)} on.")


def _read_percent(text: str) -> int:
    if not text.isdecimal() or int(text) > 100:
        raise WrongUse(f"{text!r}% is no share; write a whole number from 0 to 100.")
    return int(text)


payments.add_to(app)
plans.add_to(app)
