"""Payments: how credits are bought. The ledger books them; what a tenant pays with is behind one interface.

    provider.py          what a provider is: opens a checkout, reads what it is told
    manual.py            no provider at all: the operator books against a reference
    stripe_checkout.py   Stripe's hosted checkout and its signed webhook (extra `omium-os[stripe]`)
    orders.py            the life of a payment, whoever the provider is

Only stripe_checkout.py speaks to anybody, and only where the operator has chosen it.
"""

from omium.server.payments.provider import Notice, NoticeKind, Order, Provider
from omium.server.payments.providers import Providers, open_providers

__all__ = ["Notice", "NoticeKind", "Order", "Provider", "Providers", "open_providers"]
