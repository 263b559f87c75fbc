"""What a look of the pusher costs, and whom it reaches, where there are many targets."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import pytest

from omium.server.db.forwarding import ForwardingDatabase
from omium.server.db.tx import Tx
from omium.server.store import webhooks as store
from omium.server.webhooks.pusher import PAGE_ROWS, Pusher
from tests.alerts.targets import open_target
from tests.engine.watched import WatchedTx
from tests.serverfixture import open_app_client, test_settings
from tests.tasks.specs import no_sleep, start_node

T = TypeVar("T")


class Read(ForwardingDatabase):
    """Notes the statements of every read."""

    def __init__(self, db):
        super().__init__(db)
        self.statements = []

    async def read(self, work: Callable[[Tx], T]) -> T:
        return await super().read(lambda tx: work(WatchedTx(tx, self.statements)))


@pytest.fixture
async def target():
    async with open_target() as opened:
        opened.body = b'{"output": 1}'
        yield opened


@pytest.fixture
async def client(tmp_path, database_url, target):
    settings = test_settings(
        tmp_path,
        outbound_allow=(target.allowed,),
        outbound_timeout_s=5.0,
        database_url=database_url if database_url.startswith("postgresql://") else None,
    )
    async with open_app_client(settings) as opened:
        yield opened


@pytest.fixture
async def pusher(client):
    server = client.server
    parts = replace(server.engine, db=Read(server.db))
    opened = Pusher(parts, server.webhooks, server.known_secrets, server.live, client.clock, sleep=no_sleep)
    yield opened
    await opened.stop()


async def create(client, target, handler):
    body = {"name": "w", "url": target.url, "handlers": [handler]}
    reply = await client.post_keyed("/v1/webhooks", body)
    assert reply.status_code == 201, reply.text
    return reply.json()["id"]


async def copy_target(client, target_id, count, handler):
    """Register `count` more targets like one, by their ids before all others; they cannot be reached."""
    db, tenant_id = client.server.db, client.key.tenant_id

    def work(tx):
        row = store.find_target(tx, tenant_id, target_id)
        for number in range(count):
            store.insert_target(tx, replace(row, id=f"wh_0{number:06}"), [handler])

    await db.write(work)


async def status(client, execution_id):
    return (await client.get(f"/v1/executions/{execution_id}")).json()["status"]


async def push(pusher):
    begun = await pusher.run_once()
    await pusher.settle()
    return begun


async def test_a_target_is_reached_however_many_there_are_before_it(client, target, pusher):
    idle = await create(client, target, "idle")
    await create(client, target, "enrich")
    await copy_target(client, idle, 1_000, "idle")
    execution_id = await start_node(client)

    assert await push(pusher) == 1
    assert await status(client, execution_id) == "completed"


async def test_a_target_is_reached_behind_a_page_of_those_that_have_work_too(client, target, pusher):
    await copy_target(client, await create(client, target, "other"), PAGE_ROWS, "enrich")
    await start_node(client)
    other = await start_node(client, handler="other")

    assert await push(pusher) == 2
    assert await status(client, other) == "completed"


@pytest.mark.parametrize("ready", [0, 1])
async def test_a_look_costs_the_same_with_many_targets_that_have_nothing_to_do(client, target, pusher, ready):
    read = pusher._parts.db
    idle = await create(client, target, "idle")
    await create(client, target, "enrich")
    for _ in range(ready):
        await start_node(client)
    await push(pusher)
    few = len(read.statements)

    await copy_target(client, idle, 300, "idle")
    for _ in range(ready):
        await start_node(client)
    read.statements.clear()
    await push(pusher)
    assert len(read.statements) == few
