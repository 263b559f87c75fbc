"""Stripe's checkout and its webhook, through HTTP: what is signed and fits is booked, and nothing else is."""

import json
from contextlib import asynccontextmanager

import pytest

from omium.errors import ConfigError
from omium.server.payments import open_providers
from omium.server.settings import ServerSettings
from omium.states import Scope
from tests.payments.stripe_server import KEY, SECRET, event, serve_stripe, sign
from tests.serverfixture import open_app_client, test_settings

pytest.importorskip("stripe")
# How Stripe's package hands its form to httpx, which takes it and says that it should be called otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=<...>':DeprecationWarning")

WEBHOOK = "/v1/payments/stripe/webhook"
FORMER = "whsec_of_last_year"


@pytest.fixture
def fake():
    with serve_stripe() as served:
        yield served


@pytest.fixture
async def shop(tmp_path, fake):
    async with open_shop(tmp_path, fake) as client:
        yield client


@asynccontextmanager
async def open_shop(tmp_path, fake, **chosen):
    settings = test_settings(
        tmp_path,
        payment_provider="stripe",
        stripe_secret_key=KEY,
        stripe_webhook_secrets=(SECRET, FORMER),
        stripe_api_base=fake.base_url,
        checkout_return_url="https://intranet.example/credits",
        **chosen,
    )
    async with open_app_client(settings) as client:
        yield client


async def top_up(client, usd="20", reference="INV-1"):
    return await client.post("/v1/credits/topups", json={"usd": usd, "reference": reference})


async def tell(client, body, header=None):
    header = sign(body, client.clock.now_us()) if header is None else header
    return await client.as_nobody().post(
        WEBHOOK, content=body, headers={"stripe-signature": header, "content-type": "application/json"}
    )


def completed(fake, number=1, *, event_id="evt_1", event_type="checkout.session.completed", **changed):
    """The event that tells that a session was paid."""
    told = list(fake.sessions.values())[number - 1] | {
        "payment_status": "paid",
        "status": "complete",
        "payment_intent": f"pi_{number}",
    }
    return event(event_id, event_type, told | changed)


def refunded(fake, amount, *, event_id, **changed):
    """The event that tells that a charge was given back in part; shape of a Charge, shortened."""
    names = next(iter(fake.sessions.values()))["metadata"]
    told = {
        "id": "ch_1",
        "object": "charge",
        "amount": 2_000,
        "amount_refunded": amount,
        "currency": "usd",
        "metadata": names,
        "payment_intent": "pi_1",
        "refunded": amount == 2_000,
    }
    return event(event_id, "charge.refunded", told | changed)


def dispute(what, *, event_id):
    """The event that tells that a bank took money back; shape of a Dispute, shortened."""
    told = {
        "id": "dp_1",
        "object": "dispute",
        "amount": 2_000,
        "charge": "ch_1",
        "currency": "usd",
        "metadata": {},
        "payment_intent": "pi_1",
        "reason": "fraudulent",
    }
    return event(event_id, f"charge.dispute.{what}", told)


async def credits_of(client):
    return (await client.get("/v1/credits")).json()["credits"]


async def test_a_top_up_opens_a_checkout_for_what_was_asked(shop, fake):
    reply = await top_up(shop)

    assert reply.status_code == 200, reply.text
    payment = reply.json()
    assert (payment["status"], payment["entry"]) == ("pending", None)
    assert payment["checkout_url"] == "https://checkout.stripe.com/c/pay/cs_test_1"
    ((path, headers, form),) = fake.requests
    assert path == "/v1/checkout/sessions"
    assert headers["idempotency-key"] == f"omium-{payment['id']}"
    assert form["line_items[0][price_data][unit_amount]"] == "2000"
    assert form["line_items[0][price_data][currency]"] == "usd"
    assert form["client_reference_id"] == payment["id"]
    assert form["payment_intent_data[metadata][omium_payment_id]"] == payment["id"]
    assert form["success_url"] == "https://intranet.example/credits"
    assert "platform" not in headers["x-stripe-client-user-agent"]  # nothing of this machine
    assert await credits_of(shop) == 0


async def test_the_same_reference_gives_the_same_checkout(shop, fake):
    first, again = await top_up(shop), await top_up(shop)

    assert again.json()["checkout_url"] == first.json()["checkout_url"]
    assert len(fake.requests) == 1
    assert (await top_up(shop, usd="30")).json()["code"] == "idempotency-mismatch"


async def test_a_checkout_that_did_not_open_is_opened_by_the_same_request(shop, fake):
    fake.failure = (400, {"type": "invalid_request_error", "message": "No such currency"})
    refused = await top_up(shop)
    assert (refused.status_code, refused.json()["code"]) == (502, "provider-unavailable")
    assert KEY not in refused.text

    fake.failure = None
    assert (await top_up(shop)).json()["status"] == "pending"
    assert len((await shop.get("/v1/credits/topups")).json()["items"]) == 1


async def test_a_paid_checkout_is_booked_once_however_often_it_is_told(shop, fake):
    payment = (await top_up(shop)).json()
    body = completed(fake)

    outcomes = [(await tell(shop, body)).json()["outcome"] for _ in range(3)]
    other = await tell(shop, completed(fake, event_id="evt_2"))

    assert outcomes == ["booked", "known", "known"]
    assert other.json()["outcome"] == "known"
    assert await credits_of(shop) == 20_000
    shown = (await shop.get(f"/v1/credits/topups/{payment['id']}")).json()
    assert (shown["status"], shown["entry"]["kind"]) == ("paid", "topup")
    assert (await shop.get("/v1/admin/verify")).json()["problems"] == []


async def test_money_that_comes_later_is_booked_when_it_is_there(shop, fake):
    await top_up(shop)

    waits = await tell(shop, completed(fake, payment_status="unpaid"))
    assert waits.json()["outcome"] == "not ours"
    assert await credits_of(shop) == 0
    later = completed(fake, event_id="evt_2", event_type="checkout.session.async_payment_succeeded")
    assert (await tell(shop, later)).json()["outcome"] == "booked"
    assert await credits_of(shop) == 20_000


async def test_a_former_secret_is_good_while_both_are_configured(shop, fake):
    await top_up(shop)
    body = completed(fake)

    reply = await tell(shop, body, sign(body, shop.clock.now_us(), FORMER))

    assert reply.json()["outcome"] == "booked"


def forgeries(body, now_us):
    """Headers and bodies that are not Stripe's."""
    good = sign(body, now_us)
    stamp, _, digest = good.partition(",v1=")
    old, _, old_digest = sign(body, now_us - 400_000_000).partition(",")
    return {
        "no header": ("", body),
        "another secret": (sign(body, now_us, "whsec_of_a_stranger"), body),
        "an empty secret": (sign(body, now_us, ""), body),
        "a former scheme": (sign(body, now_us, scheme="v0"), body),
        "another body": (good, body.replace(b"2000", b"9000")),
        "a body with a blank more": (good, body + b" "),
        "a later time put in": (f"t={now_us // 1_000_000 + 1},v1={digest}", body),
        "two times": (f"{stamp},t={now_us // 1_000_000 - 400},v1={digest}", body.replace(b"2000", b"9000")),
        "too old": (sign(body, now_us - 301_000_000), body),
        "from the future": (sign(body, now_us + 301_000_000), body),
        "no time": (f"v1={digest}", body),
        "nonsense": ("t=,v1==,,=", body),
        "huge time": (f"t={'9' * 40},v1={digest}", body),
        "no digest": (stamp, body),
        "no ASCII": (f"{stamp},v1=\u00e9".encode("latin-1"), body),
        "an old time with a sign": (f"t=+{old[2:]},{stamp},{old_digest}", body),
        "not UTF-8": (sign(b"\xff\xfe", now_us), b"\xff\xfe"),
        "signed, and no event": (sign(b"[]", now_us), b"[]"),
        "signed, and no JSON": (sign(b"{", now_us), b"{"),
        "signed, without an id": (sign(b'{"type":"x"}', now_us), b'{"type":"x"}'),
    }


async def test_what_is_not_stripes_is_refused_and_books_nothing(shop, fake):
    await top_up(shop)
    for name, (header, body) in forgeries(completed(fake), shop.clock.now_us()).items():
        reply = await tell(shop, body, header)
        assert (reply.status_code, reply.json()["code"]) == (400, "signature-refused"), name
        assert SECRET not in reply.text
    assert await credits_of(shop) == 0


async def test_a_notice_that_is_replayed_after_five_minutes_is_refused(shop, fake):
    await top_up(shop)
    body = completed(fake)
    header = sign(body, shop.clock.now_us())
    assert (await tell(shop, body, header)).status_code == 200

    shop.clock.advance(299)
    assert (await tell(shop, body, header)).json()["outcome"] == "known"
    shop.clock.advance(2)
    assert (await tell(shop, body, header)).status_code == 400
    assert await credits_of(shop) == 20_000


@pytest.mark.parametrize(
    "changed",
    [
        {"currency": "jpy"},
        {"amount_total": 1},
        {"amount_total": 2_000_00},
        {"amount_total": "2000"},
        {"amount_total": True},
        {"id": "cs_test_of_another"},
    ],
    ids=str,
)
async def test_what_is_signed_and_does_not_fit_waits_for_a_person(shop, fake, changed):
    await top_up(shop)

    reply = await tell(shop, completed(fake, **changed))

    assert reply.status_code == 200
    assert reply.json()["outcome"].startswith("refused")
    assert await credits_of(shop) == 0
    (payment,) = (await shop.get("/v1/credits/topups")).json()["items"]
    assert payment["status"] == "review"


async def test_a_notice_that_names_another_tenant_books_for_nobody(shop, fake):
    other = await shop.new_tenant()
    await top_up(shop)
    ours = next(iter(fake.sessions.values()))["metadata"]

    body = completed(fake, metadata=ours | {"omium_tenant_id": other.key.tenant_id})
    assert (await tell(shop, body)).json()["outcome"] == "refused: it names another tenant"
    assert (await credits_of(shop), await credits_of(other)) == (0, 0)


async def test_sessions_of_other_shops_of_the_same_account_are_none_of_ours(shop, fake):
    await top_up(shop)

    for metadata in ({}, {"omium_payment_id": "py_unknown"}, {"omium_payment_id": 7}, None):
        body = completed(
            fake, event_id=f"evt_{metadata}", metadata=metadata, id="cs_x", payment_intent="pi_x"
        )
        assert (await tell(shop, body)).json()["outcome"] == "not ours"
    assert (await tell(shop, event("evt_9", "customer.created", {"id": "cus_1"}))).status_code == 200
    assert await credits_of(shop) == 0


async def test_refunds_and_disputes_take_credits_back(shop, fake):
    await top_up(shop)
    early = await tell(shop, refunded(fake, 500, event_id="evt_r1"))
    await tell(shop, completed(fake))
    assert early.json()["outcome"] == "noted"
    assert await credits_of(shop) == 15_000

    await tell(shop, refunded(fake, 800, event_id="evt_r2"))
    await tell(shop, refunded(fake, 500, event_id="evt_r3"))
    assert await credits_of(shop) == 12_000
    too_early = await tell(shop, dispute("funds_reinstated", event_id="evt_d2"))
    assert (too_early.status_code, too_early.json()["code"]) == (409, "notice-too-early")
    await tell(shop, dispute("funds_withdrawn", event_id="evt_d1"))
    now = (await shop.get("/v1/credits")).json()
    assert (now["credits"], now["owed_credits"]) == (0, 8_000)
    assert (await tell(shop, dispute("funds_reinstated", event_id="evt_d2"))).json()["outcome"] == "booked"
    assert await credits_of(shop) == 12_000
    assert (await shop.get("/v1/admin/verify")).json()["problems"] == []


async def test_a_body_that_is_too_large_is_refused_before_it_is_looked_at(shop):
    reply = await tell(shop, b" " * 300_000)

    assert reply.status_code == 413


async def test_an_operator_books_by_hand_beside_stripe(shop, fake):
    reply = await shop.post(
        "/v1/credits/topups", json={"usd": "500", "reference": "bank-7", "provider": "manual"}
    )

    assert reply.json()["status"] == "paid"
    assert fake.requests == []


async def test_whoever_may_top_up_needs_no_other_scope_for_a_checkout(shop, fake):
    client = shop.as_key(await shop.new_key(Scope.BILLING))

    assert (await top_up(client)).json()["checkout_url"]
    assert json.dumps(fake.requests[0][2]).count(client.key.tenant_id) == 2


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({}, "OMIUM_STRIPE_SECRET_KEY"),
        ({"stripe_secret_key": KEY}, "OMIUM_STRIPE_WEBHOOK_SECRETS"),
        ({"stripe_secret_key": KEY, "stripe_webhook_secrets": (SECRET,)}, "OMIUM_CHECKOUT_RETURN_URL"),
        ({"stripe_secret_key": KEY, "stripe_secret_key_file": "/nowhere"}, "both set"),
        ({"stripe_secret_key_file": "/nowhere"}, "cannot be read"),
        ({"payment_provider": "paypal"}, "manual or stripe"),
    ],
)
def test_what_is_missing_for_stripe_is_said_at_the_start(tmp_path, chosen, words):
    settings = ServerSettings(data=tmp_path, **{"payment_provider": "stripe", **chosen})

    with pytest.raises(ConfigError, match=words) as caught:
        open_providers(settings)
    assert KEY not in str(caught.value)
    assert KEY not in repr(settings)


async def test_secrets_are_read_from_files_and_stand_nowhere_in_the_database(tmp_path, fake):
    (tmp_path / "key").write_text(f"{KEY}\n")
    (tmp_path / "secrets").write_text(f"{SECRET}\n{FORMER}\n")
    settings = test_settings(
        tmp_path,
        payment_provider="stripe",
        stripe_secret_key_file=str(tmp_path / "key"),
        stripe_webhook_secrets_file=str(tmp_path / "secrets"),
        stripe_api_base=fake.base_url,
        checkout_return_url="https://intranet.example/credits",
    )
    async with open_app_client(settings) as client:
        await top_up(client)
        body = completed(fake)
        header = sign(body, client.clock.now_us(), FORMER)
        assert (await tell(client, body, header)).json()["outcome"] == "booked"
    stored = b"".join(path.read_bytes() for path in (tmp_path / "data").iterdir() if path.is_file())
    assert KEY.encode() not in stored
    assert SECRET.encode() not in stored
