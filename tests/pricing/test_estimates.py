"""What an execution is going to cost, by what the last ones were charged."""

import pytest

from omium.server.ledger.book import About, EntryKind, open_book
from omium.server.ledger.estimates import count_costs, step_name
from omium.server.ledger.funding import fund
from omium.states import Scope

DIGEST = "0" * 64


async def charge(client, execution_id, charges):
    def work(tx):
        for path, amount in charges:
            about = About(execution_id=execution_id, path=path)
            with open_book(tx, client.key.tenant_id, about) as book:
                book.charge(amount, EntryKind.CHARGE, hold_id=None, once=None)

    await client.server.db.write(work)


async def complete(client, charges, *, workflow="report"):
    """Start an execution, complete it, and charge it so much by path."""
    token = "t" * 32
    client.clock.advance(seconds=1)
    started = await client.post_keyed(
        "/v1/executions",
        {
            "workflow": workflow,
            "driver": "local",
            "input_digest": DIGEST,
            "lease_token": token,
            "process": {"boot_id": "b", "pid_namespace": "n", "pid": 1, "started_ticks": 1},
        },
    )
    assert started.status_code < 300, started.text
    execution_id = started.json()["execution"]["id"]
    group = {"execution_id": execution_id, "epoch": 1, "lease_token": token}
    ended = await client.post(
        "/v1/writes",
        json={"groups": [group | {"writes": [{"type": "execution.completed", "output": 1}]}]},
    )
    assert ended.status_code == 200, ended.text
    await charge(client, execution_id, charges)
    return execution_id


@pytest.fixture
async def rich_client(each_app_client):
    def work(tx):
        fund(tx, each_app_client.key.tenant_id, EntryKind.GRANT, 10**12, About())

    await each_app_client.server.db.write(work)
    return each_app_client


async def test_without_history_it_is_the_least_that_the_book_asks(app_client):
    found = (await app_client.get("/v1/credits/estimate?workflow=report")).json()
    assert (found["executions"], found["basis"], found["p50_microcredits"]) == (0, "price-book", 110_000)


async def test_history_says_what_half_and_95_in_100_cost_and_the_dearest_step(rich_client):
    for amount in (1_000, 2_000, 3_000, 40_000):
        await complete(rich_client, [(None, 500), ("plan", 100), ("plan#2", 100), ("flow/write", amount)])
    await complete(rich_client, [(None, 9)], workflow="other")

    found = (await rich_client.get("/v1/credits/estimate?workflow=report")).json()
    assert (found["basis"], found["executions"]) == ("history", 4)
    assert [found[f"{name}_microcredits"] for name in ("p50", "p95", "max")] == [2_700, 40_700, 40_700]
    assert [(step["name"], step["executions"], step["p50_microcredits"]) for step in found["steps"]] == [
        ("write", 4, 2_000),
        ("plan", 4, 200),
    ]

    newest = (await rich_client.get("/v1/credits/estimate?workflow=report&last=1")).json()
    assert (newest["executions"], newest["p50_microcredits"]) == (1, 40_700)


async def test_other_tenants_and_environments_do_not_count(rich_client):
    await complete(rich_client, [(None, 500)])
    stranger = await rich_client.new_tenant()
    for client, query in ((stranger, ""), (rich_client, "&environment=prod")):
        found = (await client.get(f"/v1/credits/estimate?workflow=report{query}")).json()
        assert found["executions"] == 0
    reader = rich_client.as_key(await rich_client.new_key(Scope.READ))
    assert (await reader.get("/v1/credits/estimate?workflow=report")).json()["executions"] == 1


def test_ranks_are_of_amounts_that_occurred():
    assert count_costs([5]) == count_costs([5, 5]).__class__(1, 5, 5, 5)
    assert count_costs(range(1, 101)).p50_microcredits == 50
    assert count_costs(range(1, 101)).p95_microcredits == 95


@pytest.mark.parametrize(
    ("path", "name"), [("a", "a"), ("a#2", "a"), ("flow/a#2", "a"), ("flow#3/a[1]", "a"), ("a[0]/b", "b")]
)
def test_a_step_has_one_name_in_all_its_occurrences(path, name):
    assert step_name(path) == name
