"""Credits over HTTP: balance, history, what the operator books, top-ups, plans; and who may do which."""

import pytest

from omium.server.db.tx import Sql
from omium.states import Scope

DAY_US = 86_400 * 1_000_000


@pytest.fixture
async def client(app_client):
    return app_client


async def balance(client):
    return (await client.get("/v1/credits")).json()


async def grant(client, amount, **fields):
    return await client.post_keyed("/v1/credits/grants", {"credits": amount, "reason": "a trial", **fields})


async def test_a_top_up_by_the_operator_is_booked_at_once_and_once(client):
    top_up = {"usd": "20", "reference": "INV-1"}
    first = await client.post("/v1/credits/topups", json=top_up)
    again = await client.post("/v1/credits/topups", json=top_up)

    assert first.json() == again.json()
    assert (first.json()["status"], first.json()["entry"]["reference"]) == ("paid", "INV-1")
    now = await balance(client)
    assert (now["usd"], now["credits"], now["held_credits"]) == (20, 20_000, 0)
    other_amount = await client.post("/v1/credits/topups", json=top_up | {"usd": 30})
    assert (other_amount.status_code, other_amount.json()["code"]) == (422, "idempotency-mismatch")


async def test_an_idempotency_key_stands_in_for_a_reference(client):
    for _ in range(2):
        reply = await client.post_keyed("/v1/credits/topups", {"usd": 10}, key="k")
        assert reply.status_code == 200, reply.text
    assert (await balance(client))["credits"] == 10_000
    nameless = await client.post("/v1/credits/topups", json={"usd": 10})
    assert nameless.status_code == 400


@pytest.mark.parametrize(
    "usd", ["9.99", 0, -20, "20.001", "ten", "NaN", "1e400", 10_000_001, True, None, [20]]
)
async def test_an_amount_that_is_none_or_too_small_is_refused(client, usd):
    reply = await client.post("/v1/credits/topups", json={"usd": usd, "reference": "r"})

    assert (reply.status_code, reply.json()["code"]) == (400, "invalid-request")
    assert (await balance(client))["credits"] == 0


async def test_what_others_ask_for_waits_until_the_operator_confirms_it(client):
    asking = client.as_key(await client.new_key(Scope.BILLING, Scope.READ))
    payment = (await asking.post("/v1/credits/topups", json={"usd": 50, "reference": "r"})).json()
    assert (payment["status"], payment["entry"]) == ("pending", None)
    path = f"/v1/credits/topups/{payment['id']}/confirm"
    assert (await asking.post(path, json={})).json()["code"] == "scope-missing"
    assert (await balance(client))["credits"] == 0

    for _ in range(2):
        assert (await client.post(path, json={})).json()["status"] == "paid"
    assert (await balance(client))["credits"] == 50_000


async def test_an_operator_books_for_another_tenant_that_he_names(client):
    other = await client.new_tenant()
    asking = client.as_key(await client.new_key(Scope.BILLING, Scope.READ))

    await grant(client, 70, tenant_id=other.key.tenant_id)
    assert (await balance(other))["credits"] == 70
    told = (await client.get("/v1/audit?action=credits.granted")).json()["items"][0]
    assert told["detail"] == {"tenant": other.key.tenant_id}
    assert (await grant(client, 70, tenant_id="tn_unknown")).status_code == 404
    chosen = await asking.post_keyed("/v1/plan", {"plan": "hobby", "tenant_id": other.key.tenant_id})
    assert chosen.status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/credits/grants", {"credits": 1, "reason": "r"}),
        ("POST", "/v1/credits/adjustments", {"credits": 1, "reason": "r"}),
        ("POST", "/v1/credits/entries/1/refund", {"reason": "r"}),
        ("PUT", "/v1/plans/own", {"title": "Own"}),
    ],
)
async def test_nobody_but_the_operator_makes_credits(client, method, path, body):
    everything_else = client.as_key(await client.new_key(*(set(Scope) - {Scope.SERVER})))

    reply = await everything_else.request(method, path, json=body, headers={"Idempotency-Key": "k"})

    assert (reply.status_code, reply.json()["scope"]) == (403, "server")


async def test_a_grant_can_end_and_is_known_by_its_reference(client):
    until_us = client.clock.now_us() + DAY_US
    first = await grant(client, "100.5", expires_at_us=until_us, reference="trial")
    again = await grant(client, "100.5", expires_at_us=until_us, reference="trial")

    assert first.json()["seq"] == again.json()["seq"]
    assert (await balance(client))["credits"] == 100.5
    past = await grant(client, 1, expires_at_us=client.clock.now_us())
    assert past.status_code == 400


async def test_an_adjustment_goes_both_ways_with_a_reason(client):
    await grant(client, 100)
    down = await client.post_keyed("/v1/credits/adjustments", {"credits": -30, "reason": "a mistake"})
    assert (down.json()["credits"], down.json()["note"]) == (-30, "a mistake")
    too_far = await client.post_keyed("/v1/credits/adjustments", {"credits": -71, "reason": "r"})
    nothing = await client.post_keyed("/v1/credits/adjustments", {"credits": 0, "reason": "r"})
    assert (too_far.status_code, nothing.status_code) == (400, 400)
    assert (await balance(client))["credits"] == 70


async def test_history_has_pages_filters_and_the_balance_after_each(client):
    for number in range(5):
        await grant(client, 10 + number)
    await client.post("/v1/credits/topups", json={"usd": 10, "reference": "r"})

    seen, after = [], None
    while True:
        query = {"limit": 2} | ({"after": after} if after else {})
        page = (await client.get("/v1/credits/history", params=query)).json()
        seen += page["items"]
        after = page["next"]
        if after is None:
            break
    assert [line["kind"] for line in seen] == ["topup", *["grant"] * 5]
    assert [line["balance_credits"] for line in seen] == [10_060, 60, 46, 33, 21, 10]
    topups = (await client.get("/v1/credits/history?kind=topup")).json()["items"]
    assert [line["credits"] for line in topups] == [10_000]
    assert (await client.get("/v1/credits/history?kind=nonsense")).status_code == 400


async def test_the_threshold_is_chosen_as_an_amount_or_a_share(client):
    await grant(client, 1_000)
    for body, expected in (({"credits": 250}, 250), ({"percent": 40}, 400), ({"percent": 0}, 0)):
        reply = await client.put("/v1/settings/low-credits", json=body)
        assert reply.json()["low_credits"] == expected
    for body in ({}, {"credits": 1, "percent": 1}, {"percent": 101}, {"credits": -1}):
        assert (await client.put("/v1/settings/low-credits", json=body)).status_code == 400


async def test_a_tenant_chooses_an_open_plan_and_the_operator_any(client):
    own = client.as_key(await client.new_key(Scope.BILLING, Scope.READ))
    assert (await own.post_keyed("/v1/plan", {"plan": "team"})).status_code == 400
    chosen = (await own.post_keyed("/v1/plan", {"plan": "hobby"})).json()["subscription"]
    assert (chosen["plan"], chosen["next_plan"]) == ("hobby", "hobby")
    assert (await balance(client))["plan"] == "hobby"
    later = (await client.post_keyed("/v1/plan", {"plan": "team"})).json()["subscription"]
    assert (later["plan"], later["next_plan"]) == ("hobby", "team")
    assert (await own.post_keyed("/v1/plan/cancel", {"at_once": True})).status_code == 400
    ended = (await own.post_keyed("/v1/plan/cancel", {})).json()["subscription"]
    assert ended["next_plan"] is None
    assert (await client.post_keyed("/v1/plan", {"plan": "unknown"})).status_code == 404


async def test_an_operator_defines_a_plan(client):
    reply = await client.put(
        "/v1/plans/pro", json={"title": "Pro", "usd_per_month": "99", "monthly_credits": "110000.5"}
    )
    assert reply.json()["usd_per_month"] == "99.00"
    names = {plan["name"]: plan for plan in (await client.get("/v1/plans")).json()["items"]}
    assert names["pro"]["monthly_credits"] == 110_000.5
    assert {"hobby", "team"} <= names.keys()
    assert (await client.put("/v1/plans/No Name", json={"title": "x"})).status_code == 400


async def test_a_damaged_journal_is_found_by_the_check_with_its_place(app_client):
    await grant(app_client, 10)
    await grant(app_client, 20)
    wrong = Sql("UPDATE accounts SET balance_microcredits = balance_microcredits + 1 WHERE kind = 'funds'")
    await app_client.server.db.write(lambda tx: tx.execute(wrong))

    problems = (await app_client.get("/v1/admin/verify")).json()["problems"]

    assert any(app_client.key.tenant_id in text and "funds is" in text for text in problems)


async def test_without_stripe_nobody_is_heard(client):
    reply = await client.as_nobody().post("/v1/payments/stripe/webhook", content=b"{}")
    assert reply.status_code == 404
    reply = await client.as_nobody().post("/v1/payments/manual/webhook", content=b"{}")
    assert reply.status_code == 404
