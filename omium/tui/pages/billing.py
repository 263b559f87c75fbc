"""Billing: the balance, top-ups, where credits came from and went, plans and prices."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import ClassVar, Final

from rich.text import Text
from textual.app import ComposeResult
from textual.widgets import Static

from omium.errors import ConnectionLost, OmiumError
from omium.models.credits import Credits, LowCredits
from omium.models.payments import Payment, TopUp
from omium.models.prices import PriceLookup
from omium.money import format_credits
from omium.states import Scope
from omium.tui import actions
from omium.tui.actions import Action
from omium.tui.checks import whole_number
from omium.tui.content import safe_lines
from omium.tui.dialogs import Field, Form, Reading
from omium.tui.pages.billing_sections import History, Payments, PlansSection, Prices
from omium.tui.pages.sections import SectionsPage
from omium.words import json_text, local_time, money, number

PRESETS: Final = ("20", "50", "100")
CUSTOM: Final = "another amount"
USD_MIN: Final = 10
_TOKENS: Final = whole_number("A whole number, or nothing.")
TOP_UP = Action("top_up", "plus,insert", "top up", "Buy credits.", "Act", scope=Scope.BILLING, changes=True)
WARN_AT = Action(
    "warn_at", "w", "warn at", "Say from when on credits are low.", "Act", scope=Scope.BILLING, changes=True
)
PRICE_OF = Action(
    "price_of", "l", "price of", "Say what a call of a model costs, and by which rule.", shown=False
)


class BillingPage(SectionsPage):
    """Balance and top-up above, history, payments, plans and prices below."""

    NAME: ClassVar[str] = "billing"
    TITLE: ClassVar[str | None] = "Billing"
    SECTIONS = (History, Payments, PlansSection, Prices)
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        actions.PREVIOUS_TAB,
        actions.NEXT_TAB,
        TOP_UP,
        WARN_AT,
        actions.FILTER,
        actions.COPY,
        actions.REMOVE,
        actions.CHANGE,
        PRICE_OF,
    )

    def body(self) -> ComposeResult:
        yield Static("Loading …", id="balance", classes="facts", markup=False)
        yield from super().body()

    def load(self) -> None:
        super().load()
        self.fetch(self.client.get_credits, self._show_credits, name="credits", failed=self._not_metered)

    def action_top_up(self) -> None:
        """Buy credits."""
        fields = [
            Field("preset", "Dollars", PRESETS[0], kind="choice", choices=(*PRESETS, CUSTOM), required=True),
            Field("usd", CUSTOM.capitalize(), placeholder=f"from {USD_MIN} on", check=_wrong_usd),
            Field(
                "reference", "Your own name for it", help="An invoice number; the same is never paid twice."
            ),
        ]
        self.app.push_screen(Form("Top up", fields, send="Top up"), self._top_up)

    def _top_up(self, given: Mapping[str, str] | None) -> None:
        if given is None:
            return
        usd = given["usd"].strip().removeprefix("$") or given["preset"]
        if usd == CUSTOM:
            self.notify("No amount was given; nothing was bought.", severity="warning")
            return
        command = TopUp(usd=Decimal(usd), reference=given["reference"].strip() or None)
        self.act(f"Top up ${usd}", lambda: self.client.top_up(command), self._topped_up)

    def _topped_up(self, payment: Payment) -> None:
        self.load()
        if payment.entry is not None:
            self.notify(f"{number(payment.credits)} credits were booked.")
        elif payment.checkout_url is not None:
            note = (
                f"Pay ${money(payment.usd)} there; the credits come with the payment. y copies the address."
            )
            self.app.push_screen(Reading("Pay", payment.checkout_url, note=note))
        else:
            said = (
                f"{payment.id} is {payment.status.value}: who runs the server books it when the money came."
            )
            self.notify(said, timeout=10, markup=False)

    def action_warn_at(self) -> None:
        """Say from when on credits are low."""
        field = Field("credits", "Credits", required=True, check=_wrong_credits)
        self.app.push_screen(Form("Credits are low from", [field], send="Set"), self._warn_at)

    def _warn_at(self, given: Mapping[str, str] | None) -> None:
        if given is not None:
            command = LowCredits(credits=Decimal(given["credits"]))
            self.act(
                "Set when credits are low", lambda: self.client.set_low_credits(command), said="It is set."
            )

    def action_price_of(self) -> None:
        """Say what a model costs."""
        fields = [
            Field("model", "Model", placeholder="anthropic/claude-sonnet-4-5", required=True,
                  help="As usage records name it, with or without its provider."),
            Field("input", "Tokens in", "1000", check=_TOKENS),
            Field("output", "Tokens out", "1000", check=_TOKENS),
        ]  # fmt: skip
        self.app.push_screen(Form("What does a call cost?", fields, send="Look it up"), self._price_of)

    def _price_of(self, given: Mapping[str, str] | None) -> None:
        if given is None:
            return
        provider, _, model = given["model"].strip().rpartition("/")
        self.fetch(
            lambda: self.client.look_up_price(
                provider=provider or None,
                model=model,
                input_tokens=int(given["input"] or 0),
                output_tokens=int(given["output"] or 0),
            ),
            self._show_price,
            name="price",
        )

    def _show_price(self, found: PriceLookup) -> None:
        cost = "-" if found.cost_microcredits is None else format_credits(found.cost_microcredits)
        where = {"rule": "rule of the price book", "bundled": "bundled table", "default": "default price"}
        title = f"{found.model}: {cost} credits"
        note = f"By the {where[found.source]} {found.rule}; prices of {found.models_as_of}."
        self.app.push_screen(Reading(title, json_text(found.model_dump(mode="json"), indent=2), note=note))

    def _show_credits(self, found: Credits) -> None:
        text = Text()
        tone = "red" if found.available_credits <= 0 else "yellow" if found.low else "green"
        text.append(f"${money(found.usd)}   {number(found.credits)} credits", tone)
        text.append(f"   {found.credits_per_usd:,} credits a dollar\n", "dim")
        text.append(f"{number(found.held_credits)} held for work that runs, ")
        text.append(f"{number(found.available_credits)} available\n")
        if found.owed_credits:
            text.append(f"! {number(found.owed_credits)} owed: the next credits pay it first\n", "red")
        burn = f"{number(round(found.burn_credits_per_day, 2))} a day over the last week"
        ends = (
            ""
            if found.empty_at_us is None
            else f"; gone on {local_time(found.empty_at_us)[:10]} at this rate"
        )
        text.append(f"{burn}{ends}")
        if found.low:
            text.append("\n! Credits are low. + tops up.", "yellow")
        self.query_one("#balance", Static).update(self.painted(text))

    def _not_metered(self, error: OmiumError) -> None:
        who = self.dashboard.link.who
        if who is not None and who.credits is None:
            self.query_one("#balance", Static).update("This server does not meter: nothing costs credits.")
        elif not isinstance(error, ConnectionLost):
            self.query_one("#balance", Static).update(safe_lines(str(error)))


def _wrong_usd(text: str) -> str | None:
    if not text.strip():
        return None
    try:
        usd = Decimal(text.strip().removeprefix("$"))
    except InvalidOperation:
        usd = Decimal("NaN")
    if not usd.is_finite() or usd < USD_MIN or round(usd, 2) != usd:
        return f"Dollars from {USD_MIN} on, with at most two places."
    return None


def _wrong_credits(text: str) -> str | None:
    try:
        return None if Decimal(text.strip()) >= 0 else "Credits, 0 or more."
    except InvalidOperation:
        return "Credits, 0 or more."
