"""A request that is sent again gets the answer that it got, and does nothing a second time."""

import asyncio

import pytest
from pydantic import BaseModel

from omium.errors import IllegalTransition
from omium.server.store import idempotency as store
from omium.server.store import tenants
from omium.server.web.dispatch import Application
from omium.server.web.endpoint import Call, Idempotency, endpoint
from omium.server.web.idempotency import sweep_records
from omium.states import Scope
from tests.serverfixture import AppClient


class Make(BaseModel):
    name: str
    fail: bool = False


class Made(BaseModel):
    id: str
    name: str


@endpoint(
    "POST",
    "/v1/things",
    scope=Scope.RUN,
    idempotent=Idempotency.KEYED,
    body=Make,
    reply=Made,
    problems=(IllegalTransition,),
    summary="Make a thing",
)
async def make_thing(call: Call[Make]):
    """Make a tenant: any row will do."""

    def work(tx):
        made = tenants.insert_tenant(tx, call.body.name)
        if call.body.fail:
            raise IllegalTransition
        return Made(id=made.id, name=made.name)

    return await call.mutate(work)


@endpoint(
    "POST",
    "/v1/careless",
    scope=Scope.RUN,
    idempotent=Idempotency.KEYED,
    reply=Made,
    summary="Forget to be keyed",
)
async def forget_the_key(call: Call[None]):
    return Made(id="x", name="x")


@pytest.fixture
def client(each_app_client):
    app = Application(each_app_client.server, [make_thing, forget_the_key])
    return AppClient(app, each_app_client.clock, each_app_client.key)


async def count_tenants(client):
    from omium.server.db.tx import Sql

    return await client.server.db.read(lambda tx: tx.value(Sql("SELECT COUNT(*) FROM tenants")))


async def test_a_repeat_gets_the_first_reply_and_does_nothing(client):
    first = await client.post_keyed("/v1/things", {"name": "a"}, key="k")
    second = await client.post_keyed("/v1/things", {"name": "a"}, key="k")

    assert first.status_code == second.status_code == 200
    assert second.content == first.content
    assert second.headers["idempotency-replayed"] == "true"
    assert await count_tenants(client) == 2


async def test_repeats_at_the_same_time_have_one_effect(client):
    replies = await asyncio.gather(
        *(client.post_keyed("/v1/things", {"name": "a"}, key="k") for _ in range(8))
    )

    assert len({reply.content for reply in replies}) == 1
    assert await count_tenants(client) == 2


async def test_another_body_under_the_same_key_is_refused(client):
    await client.post_keyed("/v1/things", {"name": "a"}, key="k")
    reply = await client.post_keyed("/v1/things", {"name": "b"}, key="k")

    assert reply.status_code == 422
    assert reply.json()["code"] == "idempotency-mismatch"
    assert await count_tenants(client) == 2


async def test_a_refused_work_leaves_neither_row_nor_record(client):
    failed = await client.post_keyed("/v1/things", {"name": "a", "fail": True}, key="k")
    then = await client.post_keyed("/v1/things", {"name": "a"}, key="k")

    assert failed.status_code == 409
    assert then.status_code == 200
    assert await count_tenants(client) == 2


async def test_keys_of_different_principals_do_not_meet(client):
    other = client.as_key(await client.new_key(Scope.RUN))
    stranger = await client.new_tenant()

    replies = [
        await who.post_keyed("/v1/things", {"name": "a"}, key="k") for who in (client, other, stranger)
    ]

    assert len({reply.json()["id"] for reply in replies}) == 3


async def test_a_request_without_a_key_is_told_what_to_send(client):
    reply = await client.post("/v1/things", json={"name": "a"})

    assert reply.status_code == 400
    assert "Idempotency-Key" in reply.json()["detail"]


@pytest.mark.parametrize("key", ["x" * 256, "caf\xe9", "tab\tinside"])
async def test_odd_keys_are_refused(client, key):
    reply = await client.post(
        "/v1/things", json={"name": "a"}, headers={"Idempotency-Key": key.encode("latin-1")}
    )

    assert reply.status_code == 400


async def test_a_handler_that_forgets_to_store_its_reply_is_our_mistake(client, capsys):
    reply = await client.post_keyed("/v1/careless")

    assert reply.status_code == 500
    assert "mutate" not in reply.text


async def test_records_go_after_a_week_in_portions(client):
    for number in range(3):
        await client.post_keyed("/v1/things", {"name": "a"}, key=f"k{number}")
    week_s = 7 * 86_400

    early = await client.server.db.write(
        lambda tx: store.delete_records(tx, tx.now_us - week_s * 1_000_000, 2)
    )
    late = [
        await client.server.db.write(lambda tx: store.delete_records(tx, tx.now_us + 1, 2)) for _ in range(3)
    ]

    assert early == 0
    assert late == [2, 1, 0]
    assert await client.server.db.write(lambda tx: sweep_records(tx, week_s)) == 0
