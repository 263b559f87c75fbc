"""Stripe: its hosted checkout, and its signed webhook. docs/stripe.md sets it up.

The only module that imports `stripe`, and loaded only where the operator has chosen it. Signatures and
requests are that package's work; which of Stripe's events mean what, is here. Amounts are never taken from an
event: they are compared with what was asked for, in orders.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import assert_never

import stripe

from omium.clock import US_PER_S
from omium.errors import ConfigError, InvalidJson, ProviderUnavailable, SignatureRefused
from omium.jsonvalue import parse_json
from omium.logs import get_logger
from omium.server.payments.provider import Checkout, Notice, NoticeKind, Order
from omium.server.settings import ServerSettings

HEADER = "stripe-signature"
TOLERANCE_S = 300
PAYMENT_ID = "omium_payment_id"
TENANT_ID = "omium_tenant_id"
TIMEOUT_S = 20.0
RETRIES_MAX = 2
_TIMESTAMP = re.compile(r"(?:^|,)t=([^,]*)")
"""The first time in the header: the one that the package goes by, be it with a sign or blanks."""
_DIGITS = re.compile(r"[0-9]{1,12}")

_KINDS = {
    "checkout.session.async_payment_succeeded": NoticeKind.PAID,
    "checkout.session.async_payment_failed": NoticeKind.FAILED,
    "checkout.session.expired": NoticeKind.EXPIRED,
    "charge.refunded": NoticeKind.REFUNDED,
    "charge.dispute.funds_withdrawn": NoticeKind.DISPUTE_TAKEN,
    "charge.dispute.funds_reinstated": NoticeKind.DISPUTE_RETURNED,
}

log = get_logger(__name__)

Object = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Keys:
    """What Stripe knows this server by, and what its webhooks are signed with: two while one is changed."""

    secret_key: str
    webhook_secrets: tuple[str, ...]

    def __repr__(self) -> str:
        return "Keys(...)"


class Stripe:
    """The provider. One client for the life of the server; its connections belong to the event loop."""

    name = "stripe"
    has_checkout = True

    def __init__(self, keys: Keys, return_url: str, api_base: str) -> None:
        stripe.enable_telemetry = False  # latencies and this machine's name are nobody's business
        self._keys = keys
        self._return_url = return_url
        self._http = stripe.HTTPXClient(timeout=TIMEOUT_S)
        self._client = stripe.StripeClient(
            keys.secret_key,
            base_addresses={"api": api_base},
            http_client=self._http,
            max_network_retries=RETRIES_MAX,
        )

    async def open_checkout(self, order: Order) -> Checkout:
        """Open a checkout session. Stripe answers the same order twice with the same session."""
        names = {PAYMENT_ID: order.payment_id, TENANT_ID: order.tenant_id}
        try:
            session = await self._client.v1.checkout.sessions.create_async(
                {
                    "mode": "payment",
                    "client_reference_id": order.payment_id,
                    "metadata": names,
                    "payment_intent_data": {"metadata": names},
                    "adaptive_pricing": {"enabled": False},  # what is paid is what was asked for
                    "line_items": [
                        {
                            "quantity": 1,
                            "price_data": {
                                "currency": order.currency,
                                "unit_amount": order.amount_minor,
                                "product_data": {"name": order.title},
                            },
                        }
                    ],
                    "success_url": self._return_url,
                    "cancel_url": self._return_url,
                },
                {"idempotency_key": f"omium-{order.payment_id}"},
            )
        except stripe.StripeError as error:
            log.warning(
                "stripe did not open a checkout",
                payment_id=order.payment_id,
                error=type(error).__name__,
                status=error.http_status,
            )
            raise ProviderUnavailable(
                "Stripe did not open a checkout"
                f" ({type(error).__name__}); nothing was booked, send the same request again."
            ) from error
        if not session.url:
            raise ProviderUnavailable("Stripe opened a checkout without an address; send the request again.")
        return Checkout(session.id, session.url)

    def read_notice(self, headers: Mapping[str, str], body: bytes, now_us: int) -> Notice:
        """Check the signature over the body as it came, and how old it is; then read it."""
        self._check(headers.get(HEADER, ""), body, now_us)
        try:
            event = parse_json(body)
        except InvalidJson as error:
            raise SignatureRefused("What is signed is not an event.") from error
        if not isinstance(event, dict) or not isinstance(event.get("id"), str) or not event["id"]:
            raise SignatureRefused("What is signed is not an event.")
        data = _object(event.get("data"))
        return read_event(str(event["id"]), str(event.get("type")), _object(data.get("object")))

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close_async()  # type: ignore[no-untyped-call]

    def _check(self, header: str, body: bytes, now_us: int) -> None:
        found = _TIMESTAMP.search(header)
        if found is None or not _DIGITS.fullmatch(found[1]) or not header.isascii():
            raise SignatureRefused("There is no Stripe-Signature header with a time in it.")
        try:
            text = body.decode()
        except UnicodeDecodeError as error:
            raise SignatureRefused("What is signed is not an event.") from error
        for secret in self._keys.webhook_secrets:
            try:
                stripe.WebhookSignature.verify_header(text, header, secret)
            except stripe.SignatureVerificationError:
                continue
            break
        else:
            raise SignatureRefused(
                "The signature does not fit; compare OMIUM_STRIPE_WEBHOOK_SECRETS with the endpoint's secret."
            )
        # By our clock, and not by the package's, which knows only the past.
        if abs(now_us - int(found[1]) * US_PER_S) > TOLERANCE_S * US_PER_S:
            raise SignatureRefused("The signature is too old, or this machine's clock is wrong.")


def read_event(event_id: str, event_type: str, told: Object) -> Notice:
    """Return what an event of Stripe's tells of a payment of ours."""
    kind = _KINDS.get(event_type, NoticeKind.OTHER)
    names = _object(told.get("metadata"))
    if event_type == "checkout.session.completed":
        # Paid later (a bank transfer): another event follows, and this one says "unpaid".
        kind = NoticeKind.PAID if told.get("payment_status") == "paid" else NoticeKind.OTHER
    if kind is NoticeKind.OTHER:
        return Notice(event_id, kind)
    ours = Notice(
        event_id,
        kind,
        payment_id=_text(names.get(PAYMENT_ID)),
        tenant_id=_text(names.get(TENANT_ID)),
        payment_ref=_text(told.get("payment_intent")),
        currency=_text(told.get("currency")),
    )
    match kind:
        case NoticeKind.PAID | NoticeKind.FAILED | NoticeKind.EXPIRED:
            amount = _whole(told.get("amount_total"))
            return replace(ours, provider_ref=_text(told.get("id")), amount_minor=amount)
        case NoticeKind.REFUNDED:
            return replace(ours, amount_minor=_whole(told.get("amount_refunded")))
        case NoticeKind.DISPUTE_TAKEN | NoticeKind.DISPUTE_RETURNED:
            amount = _whole(told.get("amount"))
            return replace(ours, dispute_ref=_text(told.get("id")), amount_minor=amount)
        case _:
            assert_never(kind)


def open_stripe(settings: ServerSettings) -> Stripe:
    """Return the provider that `settings` describe. Raises `ConfigError`, which names what is missing."""
    keys = _read_secrets(
        "OMIUM_STRIPE_SECRET_KEY", settings.stripe_secret_key, settings.stripe_secret_key_file
    )
    secrets = _read_secrets(
        "OMIUM_STRIPE_WEBHOOK_SECRETS",
        ",".join(settings.stripe_webhook_secrets),
        settings.stripe_webhook_secrets_file,
    )
    if len(keys) != 1:
        raise ConfigError("OMIUM_STRIPE_SECRET_KEY holds more than one key; it is one.")
    if not settings.checkout_return_url.startswith(("https://", "http://")):
        raise ConfigError(
            "OMIUM_CHECKOUT_RETURN_URL is needed with Stripe: the page that payers come back to (https://...)."
        )
    return Stripe(Keys(keys[0], secrets), settings.checkout_return_url, settings.stripe_api_base)


def _read_secrets(variable: str, value: str, file: str) -> tuple[str, ...]:
    if value and file:
        raise ConfigError(f"{variable} and {variable}_FILE are both set; keep one.")
    if file:
        try:
            value = Path(file).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{variable}_FILE cannot be read: {error}.") from error
    found = tuple(part for part in re.split(r"[\s,]+", value) if part)
    if not found:
        raise ConfigError(
            f"{variable} is needed with Stripe, or {variable}_FILE; docs/stripe.md has the steps."
        )
    return found


def _object(value: object) -> Object:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
