"""The price book over HTTP: read by all, changed by the server's owner, every version kept."""

import asyncio

import pytest

from omium.pricing.default import default_text
from omium.server.ledger import price_versions
from omium.server.ledger.price_versions import Proposal
from omium.server.ledger.prices import find_book
from omium.server.store import audit_log
from omium.states import Scope

BOOK = '[work]\nstep = 2\n[[rules]]\nprovider = "openai"\nmodel = "gpt-*"\ninput = 1\noutput = 2\n'


async def test_a_fresh_server_has_the_default_book_as_version_1(each_app_client):
    book = (await each_app_client.get("/v1/prices")).json()
    assert (book["version"], book["origin"], book["text"]) == (1, "default", default_text())
    assert book["warnings"] == []


async def test_a_saved_book_is_in_force_at_once_and_the_former_one_stays(each_app_client):
    answer = await each_app_client.put(
        "/v1/prices", json={"text": BOOK, "note": "dearer steps", "replaces": 1}
    )
    assert answer.status_code == 200, answer.text
    done = answer.json()
    assert done["saved"]
    assert done["version"]["version"] == 2
    assert {"place": "work.step", "before": "0.01", "after": "2"} in done["changes"]
    assert {"place": "rule openai/gpt-*", "before": None, "after": "input 1, output 2"} in done["changes"]

    book = await each_app_client.server.db.read(find_book)
    assert (book.version, book.step_microcredits) == (2, 2_000_000)
    assert (await each_app_client.get("/v1/prices/versions/1")).json()["text"] == default_text()
    listed = (await each_app_client.get("/v1/prices/versions")).json()["items"]
    assert [(each["version"], each["note"], each["origin"]) for each in listed] == [
        (2, "dearer steps", "edited"),
        (1, "", "default"),
    ]
    assert (await each_app_client.get("/v1/prices/versions/2/difference")).json()["changes"] == done[
        "changes"
    ]


async def test_the_same_book_again_saves_nothing(app_client):
    first = await app_client.put("/v1/prices", json={"text": BOOK, "replaces": 1})
    again = await app_client.put("/v1/prices", json={"text": BOOK, "replaces": 1})
    assert first.json()["saved"]
    assert again.status_code == 200
    assert not again.json()["saved"]
    assert again.json()["version"] == first.json()["version"]


async def test_two_people_who_edit_at_once_do_not_overwrite_each_other(app_client):
    await app_client.put("/v1/prices", json={"text": BOOK, "replaces": 1})
    late = await app_client.put("/v1/prices", json={"text": BOOK + "# mine\n", "replaces": 1})
    assert (late.status_code, late.json()["code"], late.json()["version"]) == (409, "prices-changed", 2)


async def test_of_two_books_that_are_saved_at_the_same_moment_one_counts_and_the_other_is_told(
    each_app_client,
):
    answers = await asyncio.gather(
        *(
            each_app_client.put("/v1/prices", json={"text": f"{BOOK}# {number}\n", "replaces": 1})
            for number in range(4)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    assert (await each_app_client.get("/v1/prices")).json()["version"] == 2


async def test_a_version_is_restored_as_a_new_one(each_app_client):
    await each_app_client.put("/v1/prices", json={"text": BOOK})
    done = (await each_app_client.post("/v1/prices/restore", json={"version": 1})).json()
    assert (done["saved"], done["version"]["version"], done["version"]["restored_from"]) == (True, 3, 1)
    book = (await each_app_client.get("/v1/prices")).json()
    assert (book["text"], book["origin"], book["note"]) == (default_text(), "restored", "version 1 again")
    assert (await each_app_client.get("/v1/prices/versions/3/difference?against=1")).json()["changes"] == []
    assert (await each_app_client.post("/v1/prices/restore", json={"version": 9})).status_code == 404


async def test_a_wrong_book_is_refused_with_every_mistake_and_changes_nothing(app_client):
    answer = await app_client.put("/v1/prices", json={"text": "[work]\nstep = -1\nsteps = 1"})
    assert answer.status_code == 400
    assert [(each["line"], each["place"]) for each in answer.json()["errors"]] == [
        (3, "work.steps"),
        (2, "work.step"),
    ]
    assert (await app_client.get("/v1/prices")).json()["version"] == 1


async def test_a_look_at_a_book_saves_nothing(app_client):
    reader = app_client.as_key(await app_client.new_key(Scope.READ))
    done = (await reader.post("/v1/prices/check", json={"text": BOOK})).json()
    assert (done["saved"], done["version"]["version"]) == (False, 1)
    assert {"place": "work.execution", "before": "0.1", "after": "0"} in done["changes"]
    assert (await app_client.get("/v1/prices")).json()["version"] == 1


async def test_other_tenants_see_the_prices_but_not_who_set_them(app_client):
    await app_client.put("/v1/prices", json={"text": BOOK})
    assert (await app_client.get("/v1/prices")).json()["created_by"] == app_client.key.api_key_id
    stranger = app_client.as_key(await app_client.new_key(Scope.READ))
    for path in ("/v1/prices", "/v1/prices/versions/2"):
        assert (await stranger.get(path)).json()["created_by"] is None
    assert {each["created_by"] for each in (await stranger.get("/v1/prices/versions")).json()["items"]} == {
        None
    }


@pytest.mark.parametrize("scope", sorted(set(Scope) - {Scope.SERVER}))
async def test_no_tenant_makes_its_own_prices(app_client, scope):
    tenant = app_client.as_key(await app_client.new_key(scope))
    for answer in (
        await tenant.put("/v1/prices", json={"text": ""}),
        await tenant.post("/v1/prices/restore", json={"version": 1}),
    ):
        assert (answer.status_code, answer.json()["scope"]) == (403, "server")


async def test_a_lookup_says_which_rule_counts_and_what_usage_costs(app_client):
    await app_client.put("/v1/prices", json={"text": BOOK + "\n"})
    ours = (await app_client.get("/v1/prices/lookup?provider=openai&model=gpt-4o&input_tokens=1500")).json()
    assert (ours["source"], ours["rule"], ours["position"]) == ("rule", "openai/gpt-*", 1)
    assert (ours["prices"]["input"], ours["cost_microcredits"]) == ("1", 1_500_000)
    table = (await app_client.get("/v1/prices/lookup?model=claude-sonnet-4-5")).json()
    assert (table["source"], table["prices"]["output"], table["tiers"][0]["above_input_tokens"]) == (
        "bundled",
        "15",
        200_000,
    )
    unknown = await app_client.get("/v1/prices/lookup?provider=nobody&model=knows")
    assert (unknown.status_code, unknown.json()["code"]) == (422, "unknown-price")


async def test_who_changed_prices_is_in_the_audit_log(app_client):
    await app_client.put("/v1/prices", json={"text": BOOK})
    rows = await app_client.server.db.read(
        lambda tx: audit_log.list_chain(tx, app_client.key.tenant_id, 0, 100)
    )
    (entry,) = [row for row in rows if row.action == "prices.changed"]
    assert (entry.target, entry.actor_id) == ("version 2", app_client.key.api_key_id)


async def test_a_release_with_other_prices_gets_a_version_of_its_own(each_app_client):
    db = each_app_client.server.db
    assert await db.write(lambda tx: price_versions.follow_release(tx, credits_per_usd=1_000)) is not None
    assert (await each_app_client.get("/v1/prices")).json()["version"] == 1  # nothing is other than before

    await db.write(lambda tx: price_versions.follow_release(tx, credits_per_usd=500))
    book = await db.read(find_book)
    assert (book.version, book.credits_per_usd) == (2, 500)
    priced = book.price_usage(provider="openai", model="gpt-4o-mini", input_tokens=10**6)
    assert priced.microcredits == 75 * 10**6

    edited = Proposal(BOOK, 500, "key_1")
    await db.write(lambda tx: price_versions.save(tx, edited))
    await db.write(lambda tx: price_versions.follow_release(tx, credits_per_usd=1_000))
    newest = (await each_app_client.get("/v1/prices")).json()
    assert (newest["version"], newest["origin"], newest["text"]) == (4, "release", BOOK)


async def test_a_saved_version_never_changes_and_never_goes(each_app_client):
    from omium.server.db.tx import ConstraintViolated, Sql

    for statement in (Sql("UPDATE price_versions SET text = 'x'"), Sql("DELETE FROM price_versions")):
        with pytest.raises(ConstraintViolated, match="never changes"):
            await each_app_client.server.db.write(lambda tx, sql=statement: tx.execute(sql))


async def test_a_transaction_reads_one_small_row_to_know_the_prices(app_client):
    db = app_client.server.db
    await db.read(find_book)  # parsed and remembered

    class Counting:
        def __init__(self, tx):
            self.tx, self.statements = tx, []

        def one_or_none(self, sql, row, **params):
            self.statements.append(sql)
            return self.tx.one_or_none(sql, row, **params)

    def work(tx):
        counting = Counting(tx)
        find_book(counting)
        return len(counting.statements)

    assert await db.read(work) == 1
