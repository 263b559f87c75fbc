"""The interface of payment providers.

A provider opens a checkout for an order, and turns what it is told (a webhook) into a `Notice`. It never sees
the database: what follows from a notice is decided once, in orders.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

CURRENCY = "usd"


@dataclass(frozen=True, slots=True)
class Order:
    """What a provider is asked to collect: `amount_minor` cents of `currency`."""

    payment_id: str
    tenant_id: str
    amount_minor: int
    currency: str
    title: str


@dataclass(frozen=True, slots=True)
class Checkout:
    """Where somebody pays; `provider_ref` is the provider's name for it."""

    provider_ref: str
    url: str


class NoticeKind(StrEnum):
    """What a provider tells of a payment."""

    PAID = "paid"
    FAILED = "failed"
    EXPIRED = "expired"
    REFUNDED = "refunded"
    """In all, `amount_minor` was given back."""
    DISPUTE_TAKEN = "dispute-taken"
    """The payer's bank has taken `amount_minor` back."""
    DISPUTE_RETURNED = "dispute-returned"
    OTHER = "other"
    """Nothing that matters here."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that a provider has told, proven to come from it; `id` is its own name for it.

    `payment_id` and `tenant_id` are what we wrote on the order, as it comes back.
    """

    id: str
    kind: NoticeKind
    payment_id: str | None = None
    tenant_id: str | None = None
    provider_ref: str | None = None
    payment_ref: str | None = None
    dispute_ref: str | None = None
    amount_minor: int | None = None
    currency: str | None = None


class Provider(Protocol):
    """A way to pay."""

    @property
    def name(self) -> str:
        """How payments are marked as its own."""
        ...

    @property
    def has_checkout(self) -> bool:
        """Whether payers are sent somewhere; else an operator says that the money came."""
        ...

    async def open_checkout(self, order: Order) -> Checkout:
        """Open a checkout; for the same order again it is the same one. Raises `ProviderUnavailable`."""
        ...

    def read_notice(self, headers: Mapping[str, str], body: bytes, now_us: int) -> Notice:
        """Return what `body` tells. Raises `SignatureRefused` unless it is proven to be the provider's."""
        ...

    async def close(self) -> None:
        """Close its connections."""
        ...
