"""The lists of the page Billing: history, payments, plans, the price book's versions."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from functools import partial
from typing import Final

from rich.text import Text

from omium.models.credits import CreditEntry
from omium.models.payments import Payment, PaymentStatus
from omium.models.plans import CancelPlan, ChoosePlan, Plan, Plans
from omium.models.prices import PriceBookVersion, PriceVersion, RestorePrices
from omium.models.wire import Page
from omium.tui.content import cell, right
from omium.tui.dialogs import Reading
from omium.tui.pages.sections import Section
from omium.tui.widgets.listing import Column
from omium.words import ago, local_time, money, now_us, number

TONES: Final = {"paid": "green", "pending": "cyan", "created": "cyan", "review": "red"}


class History(Section[CreditEntry]):
    """Where credits came from and went."""

    name = "history"
    title = "History"
    empty = "Nothing was booked yet. + tops up."
    command = "omium credits history"

    def columns(self) -> Sequence[Column[CreditEntry]]:
        return (
            Column("When", lambda e: cell(local_time(e.at_us)), 19),
            Column("What", lambda e: cell(e.kind.value), 11),
            Column("Credits", _moved, 14),
            Column("Balance", lambda e: right(number(e.balance_credits)), 14),
            Column("For", lambda e: cell(e.note or e.execution_id or e.reference or "-")),
            Column("Entries", lambda e: right(e.entries), 7, hide_below=110),
            Column("By", lambda e: cell(e.api_key_id or e.actor_id or "-"), 30, hide_below=140),
        )

    def key_of(self, item: CreditEntry) -> str:
        return str(item.seq)

    def list_page(self, after: str | None) -> Awaitable[Page[CreditEntry]]:
        return self.client.list_credit_history(after=after)


def _moved(entry: CreditEntry) -> Text:
    sign = "+" if entry.credits > 0 else ""
    return right(f"{sign}{number(entry.credits)}", "green" if entry.credits > 0 else "")


class Payments(Section[Payment]):
    """Credits that were bought."""

    name = "payments"
    title = "Payments"
    empty = "Nothing was bought yet. + tops up."
    command = "omium credits payments"

    def columns(self) -> Sequence[Column[Payment]]:
        return (
            Column("When", lambda p: cell(ago(p.created_at_us, now_us())), 12),
            Column("Status", lambda p: cell(p.status.value, TONES.get(p.status.value, "")), 10),
            Column("USD", lambda p: right(money(p.usd)), 10),
            Column("Credits", lambda p: right(number(p.credits)), 12),
            Column("By", lambda p: cell(p.provider), 8),
            Column("Note", lambda p: cell(p.note or p.checkout_url or p.reference)),
        )

    def key_of(self, item: Payment) -> str:
        return item.id

    def list_page(self, after: str | None) -> Awaitable[Page[Payment]]:
        return self.client.list_payments(after=after)

    def change(self) -> None:
        """Book a payment that waits: the money came."""
        payment = self.pointed
        if payment is None or payment.status is not PaymentStatus.PENDING:
            self.page.notify("Only a payment that is pending can be confirmed.", severity="warning")
            return
        confirm = partial(
            self.page.act,
            f"Confirm payment of ${money(payment.usd)}",
            lambda: self.client.confirm_payment(payment.id),
            said=f"{number(payment.credits)} credits are booked.",
        )
        details = "Do so when the money is there: its credits are booked at once."
        self.page.ask(f"Confirm the payment of ${money(payment.usd)}?", details, confirm, yes="Confirm")

    def remove(self) -> None:
        """Cancel payments that wait."""
        self.remove_each(
            "Cancel {}?",
            "Nothing is booked for it.",
            "Cancel",
            lambda payment: self.client.cancel_payment(payment.id),
            lambda payment: f"the payment of ${money(payment.usd)}",
        )


class PlansSection(Section[Plan]):
    """What can be had each month."""

    name = "plans"
    title = "Plans"
    empty = "This server has no plans: credits are paid as they are used."
    command = "omium credits plans"
    mine: str | None = None

    def columns(self) -> Sequence[Column[Plan]]:
        return (
            Column("Plan", lambda p: cell(p.title)),
            Column("USD a month", lambda p: right(p.usd_per_month), 11),
            Column("Credits a month", lambda p: right(number(p.monthly_credits)), 15),
            Column("Below zero", lambda p: right(number(p.negative_credits)), 12, hide_below=90),
            Column("Unused", lambda p: cell("stay" if p.rolls_over else "end"), 7, hide_below=100),
            Column("", lambda p: cell("yours" if p.name == self.mine else "", "green"), 6),
        )

    def key_of(self, item: Plan) -> str:
        return item.name

    async def list_page(self, after: str | None) -> Page[Plan]:
        found: Plans = await self.client.list_plans()
        self.mine = found.subscription.plan if found.subscription else None
        return Page(items=found.items)

    def change(self) -> None:
        """Take the plan."""
        plan = self.pointed
        if plan is not None:
            choose = partial(
                self.page.act,
                f"Choose plan {plan.name}",
                lambda: self.client.choose_plan(ChoosePlan(plan=plan.name)),
                said=f"{plan.title} is chosen.",
            )
            details = f"${plan.usd_per_month} a month for {number(plan.monthly_credits)} credits."
            self.page.ask(f"Take the plan {plan.title}?", details, choose, yes="Take it")

    def remove(self) -> None:
        """End the plan at the period's end."""
        if self.mine is not None:
            end = partial(
                self.page.act,
                "End the plan",
                lambda: self.client.cancel_plan(CancelPlan()),
                said="The plan ends with its period.",
            )
            self.page.ask("End the plan?", "It goes on until its period ends.", end, yes="End it")


class Prices(Section[PriceVersion]):
    """The price book's versions."""

    name = "prices"
    title = "Prices"
    empty = "The default price book is in force: omium prices show"
    command = "omium prices show"

    def columns(self) -> Sequence[Column[PriceVersion]]:
        return (
            Column("Version", lambda v: right(v.version), 7),
            Column("From", lambda v: cell(v.origin), 9),
            Column("Saved", lambda v: cell(ago(v.created_at_us, now_us())), 12),
            Column("Models as of", lambda v: cell(v.models_as_of), 12),
            Column("Note", lambda v: cell(v.note or "-")),
        )

    def key_of(self, item: PriceVersion) -> str:
        return str(item.version)

    def list_page(self, after: str | None) -> Awaitable[Page[PriceVersion]]:
        return self.client.list_price_versions(after=after)

    def open(self, item: object) -> None:
        """Show the book of a version."""
        if isinstance(item, PriceVersion):
            self.page.fetch(lambda: self.client.get_price_version(item.version), self._show, name="book")

    def _show(self, book: PriceBookVersion) -> None:
        note = "Edit it in a shell: omium prices edit"
        self.page.app.push_screen(Reading(f"Price book, version {book.version}", book.text, note=note))

    def change(self) -> None:
        """Put an earlier version into force again."""
        version = self.pointed
        if version is not None:
            restore = partial(
                self.page.act,
                f"Restore prices of version {version.version}",
                lambda: self.client.restore_prices(RestorePrices(version=version.version)),
                said=f"The prices of version {version.version} are in force again.",
            )
            details = "It becomes a new version; what runs keeps the prices it began with."
            self.page.ask(f"Put version {version.version} into force?", details, restore, yes="Restore")
