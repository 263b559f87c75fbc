"""One execution whose work always raises: what belongs to others goes on, and it's tried again later."""

from contextlib import asynccontextmanager

import pytest

from omium.server.db.tx import Sql
from omium.server.engine.nodes.broken import PUT_OFF_US, past_broken
from omium.server.engine.nodes.sweeps import sweep_nodes
from omium.server.engine.task_grants import Place, claim_for
from tests.engine.nodes.specs import HANDLERS, chain, function, spec
from tests.engine.nodes.test_loop import LLM, answer, calls, hub, make_loop

__all__ = ["hub", "make_loop"]

PIN = Sql("UPDATE engine_runs SET spec_digest = :digest, version = :version WHERE execution_id = :id")
PINNED = Sql("SELECT spec_digest FROM engine_runs WHERE execution_id = :id")
A_MINUTE_S = PUT_OFF_US // 1_000_000 + 1


@asynccontextmanager
async def broken(nodes, run):
    """Let every work on `run` raise: its version is not there."""
    known = await nodes.engine.read(lambda tx: tx.value(PINNED, id=run))
    await nodes.engine.write(lambda tx: tx.execute(PIN, digest="none", version=999, id=run))
    yield
    await nodes.engine.write(lambda tx: tx.execute(PIN, digest=known, version=1, id=run))


def timer():
    return spec([{"id": "w", "type": "wait", "parameters": {"seconds": 9}}])


def many():
    """Return more nodes than one transaction begins."""
    return spec([{"id": f"n{at}", "type": "wait", "parameters": {"seconds": 0}} for at in range(70)])


def asked():
    nodes = [function("a"), {"id": "b", "type": "llm_call", "parameters": {"prompt": "Say", "llm": LLM}}]
    return spec(nodes, [{"from": "a", "to": "b", "when": {"expr": "output.good"}}])


@pytest.mark.parametrize("document", [timer, many, asked, lambda: calls("a")])
async def test_others_go_on_beside_it_and_it_does_when_it_is_mended(nodes, make_loop, document):
    first = await nodes.start(document())
    other = await nodes.start("flow")
    if document is asked:
        await nodes.do({"good": True}, {"good": True})
    loop = make_loop(answer)
    async with broken(nodes, first):
        nodes.engine.clock.advance(10)
        await loop.settle()
        assert await nodes.status(other) == ("completed", None)

    assert (await nodes.status(first))[0] != "completed"
    nodes.engine.clock.advance(A_MINUTE_S)
    await loop.settle()
    assert await nodes.status(first) == ("completed", None)


async def test_a_worker_is_given_what_others_have(nodes):
    first = await nodes.start(chain("a"))
    other = await nodes.start("flow")
    async with broken(nodes, first):
        assert [each.execution_id for each in await claim(nodes)] == [other]
        assert await claim(nodes) == []

    await nodes.advance(A_MINUTE_S)
    assert first in [each.execution_id for each in await claim(nodes)]


async def claim(nodes):
    who = nodes.engine.who
    place = Place(who.tenant_id, who.environment.value, "default", tuple(HANDLERS))
    return await claim_for(nodes.parts, place, "w1", ["t" * 32, "u" * 32])


@pytest.mark.parametrize("timeout_s", [None, 20])
async def test_others_tasks_are_taken_from_a_lost_worker(nodes, timeout_s):
    first = await nodes.start(spec([function("a") | ({"timeout_s": timeout_s} if timeout_s else {})]))
    other = await nodes.start("flow")
    await nodes.claim()
    await nodes.claim()
    nodes.engine.clock.advance(40)
    async with broken(nodes, first):
        while await sweep(nodes):
            pass
        assert (await nodes.live(first))["a"][0] == "running"
        assert (await nodes.live(other)).get("a", ("ended",))[0] != "running"

    await nodes.advance(A_MINUTE_S)
    assert (await nodes.live(first)).get("a", ("ended",))[0] != "running"


async def sweep(nodes):
    return await past_broken(nodes.parts, nodes.engine.write(lambda tx: sweep_nodes(tx, nodes.parts)), 1)


async def test_a_slot_goes_to_others(nodes):
    slot = function("a") | {"concurrency": {"key": "k", "limit": 1}}
    first = await nodes.start(spec([slot]))
    nodes.engine.clock.advance(1)
    second = await nodes.start("flow")
    nodes.engine.clock.advance(1)
    third = await nodes.start("flow")
    task = await nodes.claim()
    assert await nodes.claim_all() == []
    assert await nodes.claim_all() == []
    assert task.execution_id == first
    await nodes.complete(task, 1)
    async with broken(nodes, second):
        while await sweep(nodes):
            pass
        assert await nodes.live(third) == {"a": ("ready", None)}
        await nodes.do(1)
    await nodes.advance(A_MINUTE_S)
    await nodes.do(1)
    assert [(await nodes.status(run))[0] for run in (first, second, third)] == ["completed"] * 3
