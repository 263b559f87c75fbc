"""Calls about credits: how they stand, where they went, top-ups and plans."""

from __future__ import annotations

from omium.models.credits import (
    AdjustCredits,
    CreditEntry,
    Credits,
    GrantCredits,
    LowCredits,
    RefundEntry,
)
from omium.models.payments import Payment, SettlePayment, TopUp
from omium.models.plans import CancelPlan, ChoosePlan, Plan, Plans, PutPlan, SubscriptionState
from omium.models.wire import Page
from omium.sdk.async_client.core import AsyncCore, segment
from omium.sdk.exchange import new_idempotency_key


class AsyncCredits(AsyncCore):
    """Credits, payments, plans."""

    async def get_credits(self) -> Credits:
        """Return how the tenant's credits stand, and when they run out at this rate."""
        return await self._get("/v1/credits", Credits)

    async def list_credit_history(
        self,
        *,
        kind: str | None = None,
        key: str | None = None,
        execution: str | None = None,
        from_us: int | None = None,
        until_us: int | None = None,
        unfolded: bool = False,
        limit: int = 50,
        after: str | None = None,
    ) -> Page[CreditEntry]:
        """Return what came and went, newest first.

        An execution's small charges are one line of each page, unless `unfolded`. A page may be short, or
        empty, and still have a next one: look at `next`.
        """
        query = {
            "kind": kind,
            "key": key,
            "execution": execution,
            "from_us": from_us,
            "until_us": until_us,
            "unfolded": unfolded or None,
            "limit": limit,
            "after": after,
        }
        return await self._get("/v1/credits/history", Page[CreditEntry], query)

    async def top_up(self, command: TopUp) -> Payment:
        """Buy credits. Without a reference it is given one of its own, so that it can be repeated."""
        if command.reference is None:
            command = command.model_copy(update={"reference": f"request:{new_idempotency_key()}"})
        return await self._send("POST", "/v1/credits/topups", Payment, command)

    async def list_payments(self, *, limit: int = 50, after: str | None = None) -> Page[Payment]:
        """Return one page of the tenant's payments, newest first."""
        return await self._get("/v1/credits/topups", Page[Payment], {"limit": limit, "after": after})

    async def get_payment(self, payment_id: str) -> Payment:
        """Return a payment."""
        return await self._get(f"/v1/credits/topups/{segment(payment_id)}", Payment)

    async def confirm_payment(self, payment_id: str, command: SettlePayment | None = None) -> Payment:
        """Book a manual payment whose money came: the operator's."""
        path = f"/v1/credits/topups/{segment(payment_id)}/confirm"
        return await self._send("POST", path, Payment, command or SettlePayment())

    async def cancel_payment(self, payment_id: str, command: SettlePayment | None = None) -> Payment:
        """Give up a manual payment that waits."""
        path = f"/v1/credits/topups/{segment(payment_id)}/cancel"
        return await self._send("POST", path, Payment, command or SettlePayment())

    async def grant_credits(
        self, command: GrantCredits, *, idempotency_key: str | None = None
    ) -> CreditEntry:
        """Give a tenant credits that nobody pays for: the operator's."""
        return await self._send(
            "POST", "/v1/credits/grants", CreditEntry, command, idempotency_key=idempotency_key
        )

    async def adjust_credits(
        self, command: AdjustCredits, *, idempotency_key: str | None = None
    ) -> CreditEntry:
        """Correct a tenant's balance, upwards or downwards: the operator's."""
        return await self._send(
            "POST", "/v1/credits/adjustments", CreditEntry, command, idempotency_key=idempotency_key
        )

    async def refund_entry(self, seq: int | str, command: RefundEntry) -> CreditEntry:
        """Give back what an entry has charged: the operator's. A second time changes nothing."""
        return await self._send(
            "POST", f"/v1/credits/entries/{segment(str(seq))}/refund", CreditEntry, command
        )

    async def set_low_credits(self, command: LowCredits) -> Credits:
        """Say from when on credits are low."""
        return await self._send("PUT", "/v1/settings/low-credits", Credits, command)

    async def list_plans(self) -> Plans:
        """Return every plan of the server, and the tenant's own."""
        return await self._get("/v1/plans", Plans)

    async def put_plan(self, name: str, command: PutPlan) -> Plan:
        """Define a plan, or change it from the next renewal on: the operator's."""
        return await self._send("PUT", f"/v1/plans/{segment(name)}", Plan, command)

    async def choose_plan(
        self, command: ChoosePlan, *, idempotency_key: str | None = None
    ) -> SubscriptionState:
        """Give the tenant a plan: its first one now, another one when the period ends."""
        return await self._send(
            "POST", "/v1/plan", SubscriptionState, command, idempotency_key=idempotency_key
        )

    async def cancel_plan(
        self, command: CancelPlan | None = None, *, idempotency_key: str | None = None
    ) -> SubscriptionState:
        """End the tenant's plan when its period ends, or at once."""
        return await self._send(
            "POST",
            "/v1/plan/cancel",
            SubscriptionState,
            command or CancelPlan(),
            idempotency_key=idempotency_key,
        )
