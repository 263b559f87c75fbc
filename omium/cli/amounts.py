"""Amounts: how credits and dollars are typed and told, and an entry that was booked."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated

import typer

from omium.cli.cells import Cell
from omium.cli.ending import WrongUse
from omium.words import number

if TYPE_CHECKING:
    from omium.cli.output import Output
    from omium.models.credits import CreditEntry

Tenant = Annotated[
    str | None, typer.Option("--tenant", metavar="ID", help="Another tenant than one's own: the operator's.")
]


def signed(line: CreditEntry) -> Cell:
    """Return what an entry moved, with its sign."""
    sign = "+" if line.credits > 0 else ""
    return Cell(f"{sign}{number(line.credits)}", "green" if line.credits > 0 else "")


def show_entry(output: Output, entry: CreditEntry) -> None:
    """Print an entry that was booked."""
    if output.as_json:
        output.json(entry)
        return
    output.say(
        f"Entry {entry.seq}: {signed(entry).text} credits ({entry.kind.value});"
        f" the balance is {number(entry.balance_credits)}."
    )


def read_number(text: str) -> Decimal:
    """Return an amount as people type it; raises `WrongUse`."""
    try:
        amount = Decimal(text.strip().removeprefix("$"))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        raise WrongUse(f"{text!r} is not an amount; write a number such as 20 or 0.50.")
    return amount
