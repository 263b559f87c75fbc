"""Orders: the life of a payment, from the wish to the entry in the ledger, whoever the provider is.

    place      somebody wants credits: the payment is stored before any provider hears of it
    opened     its checkout is open: where to pay is known
    book       the money came: the top-up is posted, once, under the payment's own name
    receive    what follows from what a provider has told, each notice once

Every function is one transaction. Lock order: the tenant's funds, then the payment. What does not fit
(another amount, currency, tenant or checkout than was asked for) books nothing and leaves the payment in
`review` for a person. Money that came is booked whatever the payment's status was: a checkout that had
expired here may have been paid there. Refunds and disputes take credits back; what is spent already is owed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from omium.errors import IdempotencyMismatch, IllegalTransition, NotFound, NoticeTooEarly
from omium.models.payments import PaymentStatus
from omium.server.db.tx import Tx
from omium.server.ledger import funding
from omium.server.ledger.book import About, EntryKind, open_funds
from omium.server.payments.provider import CURRENCY, Checkout, Notice, NoticeKind, Order
from omium.server.store import ledger
from omium.server.store import payments as store
from omium.server.store.payments import PaymentRow

KNOWN = "known"
NOT_OURS = "not ours"
BOOKED = "booked"
NOTED = "noted"
REFUSED = "refused"


def place(
    tx: Tx,
    tenant_id: str,
    provider: str,
    reference: str,
    *,
    amount_microcredits: int,
    amount_minor: int,
    actor_id: str,
    note: str | None = None,
) -> PaymentRow:
    """Store a payment that is to come, or return the one of this reference.

    Raises `IdempotencyMismatch` where the reference was used for another amount.
    """
    row = PaymentRow(
        id=tx.new_id("py"),
        tenant_id=tenant_id,
        provider=provider,
        reference=reference,
        status=PaymentStatus.CREATED.value,
        amount_microcredits=amount_microcredits,
        amount_minor=amount_minor,
        currency=CURRENCY,
        refunded_minor=0,
        provider_ref=None,
        payment_ref=None,
        checkout_url=None,
        entry_seq=None,
        actor_id=actor_id,
        note=note,
        created_us=tx.now_us,
        changed_us=tx.now_us,
    )
    if store.insert_payment(tx, row):
        return row
    known = store.find_by_reference(tx, tenant_id, provider, reference)
    assert known is not None, "a payment is never removed"
    if known.amount_minor != amount_minor:
        raise IdempotencyMismatch(
            f"The reference {reference!r} was used for a payment of another amount; take another reference."
        )
    return known


def order_of(row: PaymentRow) -> Order:
    """Return what a provider is asked to collect."""
    return Order(row.id, row.tenant_id, row.amount_minor, row.currency, "Omium credits")


def opened(tx: Tx, row: PaymentRow, checkout: Checkout) -> PaymentRow:
    """Note where to pay. Its notice may have come before: then only what is missing is added."""
    now = _lock(tx, row)
    status = PaymentStatus.PENDING.value if now.status == PaymentStatus.CREATED else now.status
    return _write(
        tx, replace(now, status=status, provider_ref=checkout.provider_ref, checkout_url=checkout.url)
    )


def wait_for_operator(tx: Tx, row: PaymentRow) -> PaymentRow:
    """Let a payment wait until an operator says that the money came."""
    if row.status != PaymentStatus.CREATED:
        return row
    return _write(tx, replace(row, status=PaymentStatus.PENDING.value))


def confirm(tx: Tx, tenant_id: str, payment_id: str, about: About) -> PaymentRow:
    """Book a manual payment: an operator says that the money came. Twice: the same answer."""
    row = get_payment(tx, tenant_id, payment_id)
    row = _lock(tx, row)
    if row.status == PaymentStatus.PAID:
        return row
    if row.status == PaymentStatus.CANCELLED or row.provider != "manual":
        raise IllegalTransition(
            f"{row.id} is {row.status}, of the provider {row.provider}; only a manual payment that waits is"
            " confirmed by hand.",
            status_now=row.status,
        )
    return book(tx, row, about)


def cancel(tx: Tx, tenant_id: str, payment_id: str) -> PaymentRow:
    """Give up a manual payment that waits. Twice: the same answer. Raises `IllegalTransition`."""
    row = _lock(tx, get_payment(tx, tenant_id, payment_id))
    if row.status == PaymentStatus.CANCELLED:
        return row
    if row.provider != "manual" or row.status not in (PaymentStatus.CREATED, PaymentStatus.PENDING):
        raise IllegalTransition(
            f"{row.id} is {row.status}, of the provider {row.provider}; only a manual payment that waits can"
            " be cancelled, a checkout ends by itself.",
            status_now=row.status,
        )
    return _write(tx, replace(row, status=PaymentStatus.CANCELLED.value))


def get_payment(tx: Tx, tenant_id: str, payment_id: str) -> PaymentRow:
    """Return a tenant's payment; raises `NotFound`."""
    row = store.find_of_tenant(tx, tenant_id, payment_id)
    if row is None:
        raise NotFound("There is no such payment; list them with `omium credits payments`.")
    return row


def book(tx: Tx, row: PaymentRow, about: About, payment_ref: str | None = None) -> PaymentRow:
    """Post the top-up of a payment whose money came. Twice: the ledger knows it by the payment's name."""
    entry = funding.fund(
        tx,
        row.tenant_id,
        EntryKind.TOPUP,
        row.amount_microcredits,
        replace(about, reference=payment_ref or row.reference),
        once=f"payment:{row.id}",
    )
    return _write(
        tx,
        replace(
            row,
            status=PaymentStatus.PAID.value,
            entry_seq=entry.seq,
            payment_ref=payment_ref or row.payment_ref,
        ),
    )


def receive(tx: Tx, provider: str, notice: Notice) -> str:
    """Do what follows from a notice, and return what that was. Told twice: the second time nothing.

    Raises `NoticeTooEarly` where one that comes before it is missing; nothing is noted, it is told again.
    """
    if not store.insert_notice(tx, provider, notice.id, notice.kind.value):
        return KNOWN
    row = _find(tx, provider, notice) if notice.kind is not NoticeKind.OTHER else None
    if row is None:
        outcome, payment_id = NOT_OURS, None
    else:
        outcome, payment_id = _apply(tx, _lock(tx, row), notice), row.id
    store.finish_notice(tx, provider, notice.id, payment_id, outcome)
    return outcome


def _apply(tx: Tx, row: PaymentRow, notice: Notice) -> str:
    wrong = _find_wrong(tx, row, notice)
    if wrong is not None:
        if row.status != PaymentStatus.PAID:
            _write(tx, replace(row, status=PaymentStatus.REVIEW.value, note=wrong))
        return f"{REFUSED}: {wrong}"
    match notice.kind:
        case NoticeKind.PAID:
            return _paid(tx, row, notice)
        case NoticeKind.FAILED | NoticeKind.EXPIRED:
            return _ended(tx, row, notice)
        case NoticeKind.REFUNDED:
            return _refunded(tx, row, notice)
        case NoticeKind.DISPUTE_TAKEN | NoticeKind.DISPUTE_RETURNED:
            return _disputed(tx, row, notice)
        case NoticeKind.OTHER:
            return NOT_OURS
        case _:
            assert_never(notice.kind)


def _paid(tx: Tx, row: PaymentRow, notice: Notice) -> str:
    if row.status == PaymentStatus.PAID:
        return KNOWN
    if row.provider_ref is None and notice.provider_ref is not None:
        row = replace(row, provider_ref=notice.provider_ref)
    refunded = row.refunded_minor
    row = book(tx, row, About(f"provider:{row.provider}", note=row.note), notice.payment_ref)
    if refunded:  # told before the payment itself
        _take_back(tx, row, 0, refunded)
    return BOOKED


def _ended(tx: Tx, row: PaymentRow, notice: Notice) -> str:
    if row.status not in (PaymentStatus.CREATED, PaymentStatus.PENDING):
        return KNOWN
    status = PaymentStatus.FAILED if notice.kind is NoticeKind.FAILED else PaymentStatus.EXPIRED
    _write(tx, replace(row, status=status.value))
    return NOTED


def _refunded(tx: Tx, row: PaymentRow, notice: Notice) -> str:
    assert notice.amount_minor is not None
    if notice.amount_minor <= row.refunded_minor:  # a later notice of more was here before
        return KNOWN
    before = row.refunded_minor
    row = _write(tx, replace(row, refunded_minor=notice.amount_minor))
    if row.status == PaymentStatus.PAID:
        _take_back(tx, row, before, notice.amount_minor)
        return BOOKED
    return NOTED


def _disputed(tx: Tx, row: PaymentRow, notice: Notice) -> str:
    assert notice.amount_minor is not None
    taken = f"dispute:{notice.dispute_ref}:taken"
    amount = _credits_for(row, notice.amount_minor)
    about = About(f"provider:{row.provider}", reference=notice.dispute_ref, note=f"dispute of {row.id}")
    if notice.kind is NoticeKind.DISPUTE_TAKEN:
        if row.status != PaymentStatus.PAID:
            raise NoticeTooEarly
        funding.take_back(tx, row.tenant_id, amount, about, once=taken)
        return BOOKED
    if ledger.find_once(tx, row.tenant_id, taken) is None:
        raise NoticeTooEarly
    about = replace(about, note=f"dispute of {row.id} was won")
    once = f"dispute:{notice.dispute_ref}:returned"
    funding.give_again(tx, row.tenant_id, amount, about, once=once)
    return BOOKED


def _take_back(tx: Tx, row: PaymentRow, before_minor: int, after_minor: int) -> None:
    """Take back what a refund has grown by; from sums, so that no part of a credit is lost on the way."""
    amount = _credits_for(row, after_minor) - _credits_for(row, before_minor)
    about = About(f"provider:{row.provider}", reference=row.payment_ref, note=f"refund of {row.id}")
    if amount > 0:
        funding.take_back(tx, row.tenant_id, amount, about, once=f"refunded:{row.id}:{after_minor}")


def _credits_for(row: PaymentRow, minor: int) -> int:
    return row.amount_microcredits * minor // row.amount_minor


def _find(tx: Tx, provider: str, notice: Notice) -> PaymentRow | None:
    if notice.payment_id is not None:
        return store.find_payment(tx, provider, notice.payment_id)
    if notice.provider_ref is not None:
        found = store.find_by_provider_ref(tx, provider, notice.provider_ref)
        if found is not None:
            return found
    return None if notice.payment_ref is None else store.find_by_payment_ref(tx, provider, notice.payment_ref)


def _find_wrong(tx: Tx, row: PaymentRow, notice: Notice) -> str | None:
    """Return why a notice does not fit its payment, None where it does."""
    if notice.tenant_id is not None and notice.tenant_id != row.tenant_id:
        return "it names another tenant"
    if None not in (row.provider_ref, notice.provider_ref) and row.provider_ref != notice.provider_ref:
        return "it comes from another checkout"
    if None not in (row.payment_ref, notice.payment_ref) and row.payment_ref != notice.payment_ref:
        return "it is about another movement of money"
    if notice.kind in (NoticeKind.FAILED, NoticeKind.EXPIRED):
        return None
    if notice.currency != row.currency:
        return f"it is in {notice.currency}, not in {row.currency}"
    if notice.kind is NoticeKind.PAID:
        if notice.amount_minor != row.amount_minor:
            return f"{notice.amount_minor} was paid instead of {row.amount_minor}"
        other = notice.payment_ref and store.find_by_payment_ref(tx, row.provider, notice.payment_ref)
        if other and other.id != row.id:
            return f"its movement of money was booked for {other.id}"
    elif notice.amount_minor is None or not 0 < notice.amount_minor <= row.amount_minor:
        return f"{notice.amount_minor} is no part of {row.amount_minor}"
    return None


def _lock(tx: Tx, row: PaymentRow) -> PaymentRow:
    """Lock the tenant's funds, and return the payment as it stands then."""
    open_funds(tx, row.tenant_id)
    return get_payment(tx, row.tenant_id, row.id)


def _write(tx: Tx, row: PaymentRow) -> PaymentRow:
    store.update_payment(tx, row)
    return replace(row, changed_us=tx.now_us)
