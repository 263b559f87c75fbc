"""Payloads: large and sealed values, once per tenant and address, counted by those who point at them.

Owns the count. A payload that nobody points at any more stays until retention removes it, so a value that
comes back in the meantime costs no write of its body. What a body looks like is omium/server/payloads.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from omium.server.db.tx import Sql, Tx


@dataclass(frozen=True, slots=True)
class PayloadRow:
    """A stored value: `encoding` says how `body` is packed, `size_bytes` is the value's own size."""

    address: str
    encoding: str
    body: bytes
    size_bytes: int


PUT = Sql("""
    INSERT INTO payloads (tenant_id, address, encoding, body, size_bytes, refs, created_us)
    VALUES (:tenant_id, :address, :encoding, :body, :size_bytes, 1, :now_us)
    ON CONFLICT (tenant_id, address) DO UPDATE SET refs = payloads.refs + 1
""")  # the address follows from the value, so what is stored there already is the same value


def put_payload(tx: Tx, tenant_id: str, payload: PayloadRow) -> None:
    """Store `payload`, or count one more reference to the one that is there."""
    tx.execute(
        PUT,
        tenant_id=tenant_id,
        address=payload.address,
        encoding=payload.encoding,
        body=payload.body,
        size_bytes=payload.size_bytes,
        now_us=tx.now_us,
    )


COUNT = Sql("""
    UPDATE payloads SET refs = refs + :by WHERE tenant_id = :tenant_id AND address = :address
""")


def count_reference(tx: Tx, tenant_id: str, address: str, by: int) -> bool:
    """Count one reference more or less; False if the payload is gone."""
    return tx.execute(COUNT, tenant_id=tenant_id, address=address, by=by) == 1


FIND = Sql("""
    SELECT address, encoding, body, size_bytes FROM payloads
     WHERE tenant_id = :tenant_id AND address = :address
""")


def find_payload(tx: Tx, tenant_id: str, address: str) -> PayloadRow | None:
    return tx.one_or_none(FIND, PayloadRow, tenant_id=tenant_id, address=address)


@dataclass(frozen=True, slots=True)
class PayloadFacts:
    """What is told of a payload without reading its body."""

    address: str
    encoding: str
    size_bytes: int


FACTS = Sql("""
    SELECT address, encoding, size_bytes FROM payloads WHERE tenant_id = :tenant_id AND address = :address
""")


def find_payload_facts(tx: Tx, tenant_id: str, address: str) -> PayloadFacts | None:
    return tx.one_or_none(FACTS, PayloadFacts, tenant_id=tenant_id, address=address)
