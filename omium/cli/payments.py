"""`omium credits topup|payments|confirm|cancel`: buying credits, and payments that wait."""

from __future__ import annotations

from typing import Annotated

import typer

from omium.cli.amounts import Tenant, read_number, show_entry
from omium.cli.cells import Cell
from omium.cli.context import Common, for_server
from omium.cli.table import Column
from omium.words import ago, money, now_us, number

PaymentId = Annotated[str, typer.Argument(metavar="PAYMENT", help="A payment's id, from `credits payments`.")]
_STYLES = {"paid": "green", "pending": "cyan", "created": "cyan", "review": "red"}


@for_server
def topup(
    common: Common,
    usd: Annotated[str, typer.Argument(metavar="USD", help="Dollars: 20, 50, 100, or any from 10 on.")],
    reference: Annotated[
        str | None,
        typer.Option("--reference", help="Your own name for it; the same again is the same payment."),
    ] = None,
    note: Annotated[str | None, typer.Option("--note", help="What to remember of it.")] = None,
    manual: Annotated[
        bool, typer.Option("--manual", help="Not through the server's payment provider.")
    ] = False,
) -> None:
    """Buy credits. The operator's are booked at once, others are paid or confirmed first.

    \b
    omium credits topup 20
    omium credits topup 500 --reference INV-2041
    """
    from omium.models.payments import PaymentStatus, TopUp

    command = TopUp(
        usd=read_number(usd), reference=reference, note=note, provider="manual" if manual else None
    )
    with common.client() as client:
        payment = client.top_up(command)
    if payment.entry is not None:
        show_entry(common.output, payment.entry)
    elif common.output.as_json:
        common.output.json(payment)
    elif payment.checkout_url is not None:
        common.output.show(payment.checkout_url)
        common.output.say(f"Pay ${money(payment.usd)} there; the credits come with the payment.")
    elif payment.status is PaymentStatus.PENDING:
        common.output.say(
            f"{payment.id} waits. Who runs the server books it when the money came:"
            f" omium credits confirm {payment.id}"
        )
    else:
        common.output.warn(f"{payment.id} is {payment.status.value}; nothing was booked.")


@for_server
def list_payments(
    common: Common,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many, newest first.")] = 20,
    after: Annotated[str | None, typer.Option(help="Go on after the page that named this cursor.")] = None,
) -> None:
    """List payments, newest first.

    \b
    omium credits payments
    """
    with common.client() as client:
        page = client.list_payments(limit=limit, after=after)
    if common.output.as_json:
        common.output.json(page.items)
    else:
        at_us = now_us()
        common.output.table(
            [
                Column("PAYMENT", lambda p: p.id, give="id"),
                Column("STATUS", lambda p: Cell(p.status.value, _STYLES.get(p.status.value, ""))),
                Column("USD", lambda p: money(p.usd), align="right"),
                Column("CREDITS", lambda p: number(p.credits), align="right"),
                Column("REFERENCE", lambda p: p.reference, give="cut", width_min=10),
                Column("NOTE", lambda p: p.note or "-", give="cut", spare=1),
                Column("CHANGED", lambda p: ago(p.changed_at_us, at_us)),
            ],
            page.items,
            empty="No payments yet. Buy credits: omium credits topup 20",
        )
    if page.next is not None:
        common.output.say(f"There are more: --after {page.next}")


@for_server
def confirm(common: Common, payment_id: PaymentId, tenant: Tenant = None) -> None:
    """Book a payment that waits, because its money came. The operator's (scope server).

    \b
    omium credits confirm py_01mcc5rm00ngqz8ctbd9ygs3xh --tenant tn_01mcc5rm00ngqz8ctbd9ygs3xh
    """
    from omium.models.payments import SettlePayment

    with common.client() as client:
        payment = client.confirm_payment(payment_id, SettlePayment(tenant_id=tenant))
    if payment.entry is not None:
        show_entry(common.output, payment.entry)


@for_server
def cancel(common: Common, payment_id: PaymentId, tenant: Tenant = None) -> None:
    """Give up a payment that waits to be confirmed.

    \b
    omium credits cancel py_01mcc5rm00ngqz8ctbd9ygs3xh
    """
    from omium.models.payments import SettlePayment

    with common.client() as client:
        payment = client.cancel_payment(payment_id, SettlePayment(tenant_id=tenant))
    if common.output.as_json:
        common.output.json(payment)
    else:
        common.output.say(f"{payment.id} is {payment.status.value}.")


def add_to(app: typer.Typer) -> None:
    """Add these commands to the group of credits."""
    app.command("topup")(topup)
    app.command("payments")(list_payments)
    app.command("confirm")(confirm)
    app.command("cancel")(cancel)
