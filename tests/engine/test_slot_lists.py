"""Who runs under a concurrency key and who waits: steps and nodes together, in the order of their turn."""

import pytest

from omium.server.engine import reading
from omium.server.store import slot_lists
from tests.engine.nodes.specs import Nodes, function, spec

KEY = "provider"


async def ask(run, path="call", *, key=KEY, limit=1):
    return (await run.write(type="slot.asked", path=path, key=key, limit=limit, attempt=1)).slot


@pytest.fixture
async def asked(engine):
    """Two steps and a node under one key, of which the first runs; and a step under another key."""
    first, second = await engine.start(), await engine.start()
    assert await ask(first) == "held"
    engine.clock.advance(1)
    node = await Nodes(engine).start(spec([function("a") | {"concurrency": {"key": KEY, "limit": 1}}]))
    assert await Nodes(engine).claim_all() == []
    engine.clock.advance(1)
    assert await ask(second, limit=3) == "waiting"
    assert await ask(second, "search", key="aside", limit=2) == "held"
    return first.id, node, second.id


async def read(engine, tenant_id=None, *, limit=10, **wanted):
    tenant_id = tenant_id or engine.who.tenant_id
    return await engine.read(lambda tx: slot_lists.list_slots(tx, tenant_id, limit=limit, **wanted))


async def test_steps_and_nodes_stand_in_one_list_in_the_order_of_their_turn(engine, asked):
    first, node, second = asked

    found = await read(engine)

    assert [(each.key, each.waits, each.execution_id, each.path, each.most) for each in found] == [
        ("aside", 0, second, "search", 2),
        (KEY, 0, first, "call", 1),
        (KEY, 1, node, "a", 1),
        (KEY, 1, second, "call", 3),
    ]
    pages, after = [], slot_lists.BEGINNING
    while page := await read(engine, after=after, limit=1):
        pages += page
        after = page[-1].place
    assert pages == found


async def test_a_node_that_runs_holds_its_slot(engine):
    nodes = Nodes(engine)
    run = await nodes.start(spec([function("a") | {"concurrency": {"key": KEY, "limit": 1}}]))
    await nodes.claim()

    assert [(each.waits, each.execution_id) for each in await read(engine)] == [(0, run)]


async def test_of_one_key_or_one_execution(engine, asked):
    first, node, second = asked

    assert {each.execution_id for each in await read(engine, key=KEY)} == {first, node, second}
    assert [each.key for each in await read(engine, execution_id=second)] == ["aside", KEY]
    assert [each.path for each in await read(engine, execution_id=second, key=KEY)] == ["call"]
    assert await read(engine, key="nobody's") == []


async def test_another_tenant_sees_none_of_them(engine, asked):
    stranger = engine.stranger.tenant_id

    assert await read(engine, stranger) == await read(engine, stranger, key=KEY) == []
    assert await read(engine, stranger, execution_id=asked[0]) == []


async def test_an_execution_that_waits_names_its_key(engine):
    holder, waiting = await engine.start(), await engine.worker_run("left")
    await ask(holder)
    assert await ask(waiting, limit=1) == "waiting"
    await waiting.wait("slot", engine.clock.now_us() + 600_000_000)

    detail, _ = await reading.read_detail(engine.parts, engine.who.tenant_id, waiting.id)
    slot = detail.awaited_slot
    assert slot is not None
    assert (slot.key, slot.limit, slot.state, slot.path) == (KEY, 1, "waiting", "call")
    other, _ = await reading.read_detail(engine.parts, engine.who.tenant_id, holder.id)
    assert other.awaited_slot is None
