"""Payments: top-ups, what the operator confirms, and what a provider tells.

A top-up is stored before its provider hears of it, under the payer's reference. If the process dies after
that, the same request goes on: the provider answers the same order with the same checkout. What a provider
tells needs no key; it is refused unless its signature over the body fits.
"""

from __future__ import annotations

from typing import Final

from omium.errors import (
    IdempotencyMismatch,
    IllegalTransition,
    InvalidRequest,
    NotFound,
    NoticeTooEarly,
    ProviderUnavailable,
    SignatureRefused,
)
from omium.logs import get_logger
from omium.models.payments import Payment, PaymentStatus, Received, SettlePayment, TopUp
from omium.models.wire import Page
from omium.money import AMOUNT_MAX_MICROCREDITS, MICROCREDITS_PER_CREDIT, to_credits
from omium.server.db.tx import Tx
from omium.server.ledger.views import view_entry
from omium.server.payments import Provider, orders
from omium.server.routes.credits import about, choose_tenant
from omium.server.store import ledger
from omium.server.store import payments as store
from omium.server.store.payments import PaymentRow
from omium.server.web.endpoint import Call, Idempotency, endpoint
from omium.server.web.idempotency import read_key
from omium.server.web.pagination import PageQuery, make_page, read_time_cursor
from omium.states import Scope

TAGS = ("credits",)
MINIMUM_USD: Final = 10
NOTICE_BYTES_MAX: Final = 256 * 2**10

log = get_logger(__name__)


@endpoint(
    "POST",
    "/v1/credits/topups",
    scope=Scope.BILLING,
    idempotent=Idempotency.NATURAL,
    optional_key=True,
    body=TopUp,
    reply=Payment,
    problems=(InvalidRequest, IdempotencyMismatch, IllegalTransition, ProviderUnavailable),
    audit="credits.topped_up",
    audit_target="id",
    summary="Buy credits; the same reference again is the same payment",
    tags=TAGS,
)
async def top_up(call: Call[TopUp]) -> Payment:
    wanted = call.body
    provider = call.server.payments.choose(wanted.provider)
    if wanted.usd < MINIMUM_USD:
        raise InvalidRequest(
            f"The least is ${MINIMUM_USD}; usual are $20, $50 and $100.",
            errors=[{"pointer": "/usd", "detail": f"is less than {MINIMUM_USD}"}],
        )
    rate = call.server.settings.credits_per_usd
    microcredits = int(wanted.usd * rate * MICROCREDITS_PER_CREDIT)
    if microcredits > AMOUNT_MAX_MICROCREDITS:
        raise InvalidRequest(
            "This is more than one entry may move; pay it in parts.",
            errors=[{"pointer": "/usd", "detail": "is too much"}],
        )
    reference = wanted.reference or f"request:{read_key(call.headers)}"

    def work(tx: Tx) -> PaymentRow:
        row = orders.place(
            tx,
            call.principal.tenant_id,
            provider.name,
            reference,
            amount_microcredits=microcredits,
            amount_minor=int(wanted.usd * 100),
            actor_id=call.principal.id,
            note=wanted.note,
        )
        if provider.has_checkout:
            return row
        if Scope.SERVER in call.principal.scopes:  # who asks is who confirms
            return orders.confirm(tx, row.tenant_id, row.id, about(call, wanted.note))
        return orders.wait_for_operator(tx, row)

    row = await call.write(work)
    if provider.has_checkout and row.status == PaymentStatus.CREATED:
        row = await _open_checkout(call, provider, row)
    return await call.read(lambda tx: view_payment(tx, row, rate))


async def _open_checkout(call: Call[TopUp], provider: Provider, row: PaymentRow) -> PaymentRow:
    checkout = await provider.open_checkout(orders.order_of(row))
    return await call.server.db.write(lambda tx: orders.opened(tx, row, checkout))


@endpoint(
    "GET",
    "/v1/credits/topups",
    scope=Scope.READ,
    query=PageQuery,
    reply=Page[Payment],
    problems=(InvalidRequest,),
    summary="List payments, newest first",
    tags=TAGS,
)
async def list_payments(call: Call[None, PageQuery]) -> Page[Payment]:
    before_us, before_id = read_time_cursor(call.query)
    limit, rate = call.query.limit, call.server.settings.credits_per_usd

    def work(tx: Tx) -> Page[Payment]:
        rows = store.list_payments(tx, call.principal.tenant_id, before_us, before_id, limit + 1)
        return make_page(
            rows,
            limit,
            key=lambda row: (row.created_us, row.id),
            item=lambda row: view_payment(tx, row, rate),
        )

    return await call.read(work)


@endpoint(
    "GET",
    "/v1/credits/topups/{payment_id}",
    scope=Scope.READ,
    reply=Payment,
    problems=(NotFound,),
    summary="Show a payment",
    tags=TAGS,
)
async def get_payment(call: Call[None]) -> Payment:
    rate, tenant_id = call.server.settings.credits_per_usd, call.principal.tenant_id
    return await call.read(
        lambda tx: view_payment(tx, orders.get_payment(tx, tenant_id, call.path["payment_id"]), rate)
    )


@endpoint(
    "POST",
    "/v1/credits/topups/{payment_id}/confirm",
    scope=Scope.SERVER,
    idempotent=Idempotency.NATURAL,
    body=SettlePayment,
    reply=Payment,
    problems=(NotFound, IllegalTransition),
    audit="payment.confirmed",
    summary="Book a manual payment whose money came; a second time changes nothing",
    tags=TAGS,
)
async def confirm_payment(call: Call[SettlePayment]) -> Payment:
    rate, payment_id = call.server.settings.credits_per_usd, call.path["payment_id"]

    def work(tx: Tx) -> Payment:
        tenant_id = choose_tenant(tx, call, call.body.tenant_id)
        return view_payment(tx, orders.confirm(tx, tenant_id, payment_id, about(call, None)), rate)

    return await call.write(work)


@endpoint(
    "POST",
    "/v1/credits/topups/{payment_id}/cancel",
    scope=Scope.BILLING,
    idempotent=Idempotency.NATURAL,
    body=SettlePayment,
    reply=Payment,
    problems=(NotFound, IllegalTransition),
    audit="payment.cancelled",
    summary="Give up a manual payment that waits",
    tags=TAGS,
)
async def cancel_payment(call: Call[SettlePayment]) -> Payment:
    rate, payment_id = call.server.settings.credits_per_usd, call.path["payment_id"]

    def work(tx: Tx) -> Payment:
        tenant_id = choose_tenant(tx, call, call.body.tenant_id)
        return view_payment(tx, orders.cancel(tx, tenant_id, payment_id), rate)

    return await call.write(work)


@endpoint(
    "POST",
    "/v1/payments/{provider}/webhook",
    scope=None,
    idempotent=Idempotency.NATURAL,
    raw_body=True,
    body_bytes_max=NOTICE_BYTES_MAX,
    reply=Received,
    problems=(NotFound, SignatureRefused, NoticeTooEarly),
    summary="Take what a payment provider tells; signed by it, each notice counts once",
    tags=TAGS,
)
async def receive_payment_notice(call: Call[None]) -> Received:
    provider = call.server.payments.get(call.path["provider"])
    notice = provider.read_notice(call.headers, call.raw_body, call.server.clock.now_us())
    outcome = await call.write(lambda tx: orders.receive(tx, provider.name, notice))
    if outcome.startswith(orders.REFUSED):
        log.warning("a payment does not fit", provider=provider.name, notice=notice.id, outcome=outcome)
    return Received(outcome=outcome)


def view_payment(tx: Tx, row: PaymentRow, credits_per_usd: int) -> Payment:
    """Return a payment with what was booked for it."""
    entry = None if row.entry_seq is None else ledger.find_entry(tx, row.tenant_id, row.entry_seq)
    return Payment(
        id=row.id,
        provider=row.provider,
        reference=row.reference,
        status=PaymentStatus(row.status),
        usd=_dollars(row.amount_minor),
        credits=to_credits(row.amount_microcredits),
        refunded_usd=_dollars(row.refunded_minor),
        checkout_url=row.checkout_url,
        note=row.note,
        created_at_us=row.created_us,
        changed_at_us=row.changed_us,
        entry=None if entry is None else view_entry(entry, credits_per_usd),
    )


def _dollars(cents: int) -> int | float:
    return cents / 100 if cents % 100 else cents // 100


ENDPOINTS = [top_up, list_payments, get_payment, confirm_payment, cancel_payment, receive_payment_notice]
