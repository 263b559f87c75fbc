"""Payments and what providers have told of them. What follows from that, omium/server/payments decides."""

from __future__ import annotations

from dataclasses import dataclass

from omium.server.db.tx import Sql, Tx


@dataclass(frozen=True, slots=True)
class PaymentRow:
    """A row of `payments`."""

    id: str
    tenant_id: str
    provider: str
    reference: str
    status: str
    amount_microcredits: int
    amount_minor: int
    currency: str
    refunded_minor: int
    provider_ref: str | None
    payment_ref: str | None
    checkout_url: str | None
    entry_seq: int | None
    actor_id: str
    note: str | None
    created_us: int
    changed_us: int


_NAMES = tuple(PaymentRow.__slots__)
_COLUMNS = ", ".join(_NAMES)

INSERT = Sql(f"""
    INSERT INTO payments ({_COLUMNS}) VALUES ({", ".join(f":{name}" for name in _NAMES)})
    ON CONFLICT (tenant_id, provider, reference) DO NOTHING
""")
FIND_BY_REFERENCE = Sql(f"""
    SELECT {_COLUMNS} FROM payments
     WHERE tenant_id = :tenant_id AND provider = :provider AND reference = :reference
""")
FIND = Sql(f"SELECT {_COLUMNS} FROM payments WHERE id = :id AND provider = :provider")
FIND_OF_TENANT = Sql(f"SELECT {_COLUMNS} FROM payments WHERE id = :id AND tenant_id = :tenant_id")
FIND_BY_PROVIDER_REF = Sql(f"""
    SELECT {_COLUMNS} FROM payments WHERE provider = :provider AND provider_ref = :ref
""")
FIND_BY_PAYMENT_REF = Sql(f"""
    SELECT {_COLUMNS} FROM payments WHERE provider = :provider AND payment_ref = :ref
""")
UPDATE = Sql("""
    UPDATE payments
       SET status = :status, refunded_minor = :refunded_minor, provider_ref = :provider_ref,
           payment_ref = :payment_ref, checkout_url = :checkout_url, entry_seq = :entry_seq, note = :note,
           changed_us = :changed_us
     WHERE id = :id
""")
LIST = Sql(f"""
    SELECT {_COLUMNS} FROM payments
     WHERE tenant_id = :tenant_id AND (created_us, id) < (:before_us, :before_id)
     ORDER BY created_us DESC, id DESC LIMIT :limit
""")


def insert_payment(tx: Tx, row: PaymentRow) -> bool:
    """Store a new payment; False where the tenant has one of this reference."""
    return tx.execute(INSERT, **{name: getattr(row, name) for name in _NAMES}) == 1


def find_by_reference(tx: Tx, tenant_id: str, provider: str, reference: str) -> PaymentRow | None:
    return tx.one_or_none(
        FIND_BY_REFERENCE, PaymentRow, tenant_id=tenant_id, provider=provider, reference=reference
    )


def find_payment(tx: Tx, provider: str, payment_id: str) -> PaymentRow | None:
    """Return a provider's payment, whose ever it is."""
    return tx.one_or_none(FIND, PaymentRow, id=payment_id, provider=provider)


def find_of_tenant(tx: Tx, tenant_id: str, payment_id: str) -> PaymentRow | None:
    return tx.one_or_none(FIND_OF_TENANT, PaymentRow, id=payment_id, tenant_id=tenant_id)


def find_by_provider_ref(tx: Tx, provider: str, ref: str) -> PaymentRow | None:
    return tx.one_or_none(FIND_BY_PROVIDER_REF, PaymentRow, provider=provider, ref=ref)


def find_by_payment_ref(tx: Tx, provider: str, ref: str) -> PaymentRow | None:
    return tx.one_or_none(FIND_BY_PAYMENT_REF, PaymentRow, provider=provider, ref=ref)


def update_payment(tx: Tx, row: PaymentRow) -> None:
    """Write what may change of a payment; its tenant's funds are locked before."""
    tx.execute(
        UPDATE,
        id=row.id,
        status=row.status,
        refunded_minor=row.refunded_minor,
        provider_ref=row.provider_ref,
        payment_ref=row.payment_ref,
        checkout_url=row.checkout_url,
        entry_seq=row.entry_seq,
        note=row.note,
        changed_us=tx.now_us,
    )


def list_payments(tx: Tx, tenant_id: str, before_us: int, before_id: str, limit: int) -> list[PaymentRow]:
    """List a tenant's payments, newest first."""
    return tx.all(
        LIST, PaymentRow, tenant_id=tenant_id, before_us=before_us, before_id=before_id, limit=limit
    )


LIST_UNBOOKED = Sql("""
    SELECT payments.id FROM payments
     WHERE payments.status = 'paid'
       AND NOT EXISTS (SELECT 1 FROM ledger_entries AS entries
                        WHERE entries.tenant_id = payments.tenant_id AND entries.seq = payments.entry_seq
                          AND entries.kind = 'topup'
                          AND entries.amount_microcredits = payments.amount_microcredits)
     ORDER BY payments.id LIMIT :limit
""")


def list_unbooked(tx: Tx, limit: int) -> list[str]:
    """List payments that say that they were booked, and whose entry is not there or another one."""
    return tx.all(LIST_UNBOOKED, str, limit=limit)


INSERT_NOTICE = Sql("""
    INSERT INTO payment_notices (provider, notice_id, kind, payment_id, outcome, received_us)
    VALUES (:provider, :notice_id, :kind, NULL, '', :now_us)
    ON CONFLICT (provider, notice_id) DO NOTHING
""")
FINISH_NOTICE = Sql("""
    UPDATE payment_notices SET payment_id = :payment_id, outcome = :outcome
     WHERE provider = :provider AND notice_id = :notice_id
""")


def insert_notice(tx: Tx, provider: str, notice_id: str, kind: str) -> bool:
    """Note that a provider has told something; False where it told that before."""
    return tx.execute(INSERT_NOTICE, provider=provider, notice_id=notice_id, kind=kind, now_us=tx.now_us) == 1


def finish_notice(tx: Tx, provider: str, notice_id: str, payment_id: str | None, outcome: str) -> None:
    """Note what followed from it."""
    tx.execute(FINISH_NOTICE, provider=provider, notice_id=notice_id, payment_id=payment_id, outcome=outcome)
