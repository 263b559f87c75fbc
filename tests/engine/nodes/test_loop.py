"""The loop of a server: it sweeps, judges conditions, and runs the tasks that the server does itself."""

import asyncio
from itertools import pairwise

import pytest

from omium.errorinfo import ErrorInfo
from omium.models.usage import RecordUsage
from omium.server.builtin.context import TaskDone, TaskFailed
from omium.server.engine.live import AnnouncingDatabase
from omium.server.engine.nodes.loop import NodeLoop
from omium.server.engine.parts import EngineParts
from omium.server.live import LiveHub
from tests.engine.nodes.specs import function, spec


class NoValue(Exception):
    """What the evaluator of these tests raises."""


async def evaluate(tenant_id, spec_digest, source, values):
    if source == "output.missing":
        raise NoValue("no such key")
    return source == "output.good" and values["output"]["good"]


async def secret(tenant_id, environment, name):
    return f"{name} of {environment}"


@pytest.fixture
def hub():
    return LiveHub()


@pytest.fixture
def make_loop(nodes, hub):
    engine = nodes.engine
    db = AnnouncingDatabase(engine.db, hub)
    parts = EngineParts(db, engine.parts.vault, engine.parts.policy, engine.parts.definitions)
    engine.parts = parts

    def make(run_task, **fields):
        return NodeLoop(
            parts,
            hub,
            run_task=run_task,
            runs=frozenset({"llm_call", "tool_call"}),
            evaluate=evaluate,
            fault=NoValue,
            secret=secret,
            **fields,
        )

    return make


def call(node_id, **fields):
    return {"id": node_id, "type": "llm_call", "parameters": {"prompt": "Say"}} | fields


LLM = {"provider": "local", "model": "m"}


def calls(*ids, **fields):
    edges = [{"from": one, "to": other} for one, other in pairwise(ids)]
    each = [call(name) | {"parameters": {"prompt": "Say", "llm": LLM}} for name in ids]
    return spec(each, edges, outputs={"said": {"$from": f"nodes.{ids[-1]}.output"}}, **fields)


async def answer(context, grant):
    await context.record_turn("turn-1", {"at": grant.path})
    return TaskDone(f"{grant.node} with {await context.secret('key')}")


async def test_tasks_of_the_server_run_to_the_end(nodes, make_loop):
    run = await nodes.start(calls("a", "b"))
    await make_loop(answer).settle()

    assert await nodes.status(run) == ("completed", None)
    assert await nodes.output(run) == {"said": "b with key of dev"}
    assert sorted(await nodes.engine.steps(run)) == ["a", "a/turn-1", "b", "b/turn-1"]


async def test_conditions_are_evaluated_and_one_without_a_value_fails_its_node(nodes, make_loop):
    document = spec(
        [function("a"), call("b", parameters={"prompt": "Say", "llm": LLM})],
        [{"from": "a", "to": "b", "when": {"expr": "output.good"}}],
    )
    run = await nodes.start(document)
    await nodes.do({"good": True})
    await make_loop(answer).settle()
    assert "b" in await nodes.engine.steps(run)

    document["edges"][0]["when"]["expr"] = "output.missing"
    other = await nodes.start(document)
    await nodes.do({"good": True})
    await make_loop(answer).settle()
    assert (await nodes.engine.events(other))[-1].data["code"] == "edge-condition-error"


async def test_what_a_runner_raises_is_a_failure_of_its_node(nodes, make_loop):
    async def broken(context, grant):
        raise KeyError("prompt")

    run = await nodes.start(calls("a"))
    await make_loop(broken).settle()
    assert await nodes.status(run) == ("failed", "error")


async def test_a_failure_says_whether_to_try_again(nodes, make_loop):
    async def refuse(context, grant):
        return TaskFailed(ErrorInfo(type="Refused", message="no"), retryable=False)

    document = calls("a")
    document["nodes"][0]["retry"] = {"max_attempts": 5}
    run = await nodes.start(document)
    await make_loop(refuse).settle()
    assert await nodes.status(run) == ("failed", "error")


async def test_a_runner_that_may_not_spend_more_goes_on_from_its_turns_a_minute_later(nodes, make_loop):
    asked = []

    async def work(context, grant):
        for name in ("turn-1", "turn-2"):
            if name not in {turn.name for turn in grant.turns}:
                await context.reserve()
                asked.append(name)
                usage = RecordUsage(id=f"us_{name}", path=grant.path, input_tokens=150, at_us=1)
                await context.record_turn(name, {"said": name}, [usage])
        return TaskDone("an answer")

    document = calls("a", breakers={"p": {"tokens_per_minute": 100}})
    document["nodes"][0]["breaker"] = "p"
    run = await nodes.start(document)
    loop = make_loop(work)
    await loop.settle()
    assert (await nodes.status(run), asked) == (("waiting", "breaker"), ["turn-1"])

    nodes.engine.clock.advance(66)
    await loop.settle()
    assert (await nodes.status(run), asked) == (("completed", None), ["turn-1", "turn-2"])
    assert (await nodes.engine.steps(run))["a"].attempt == 1


async def test_no_more_tasks_run_at_once_than_allowed_and_tenants_take_turns(nodes, make_loop):
    running, most = 0, 0
    going = asyncio.Event()

    async def slow(context, grant):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await going.wait()
        running -= 1
        return TaskDone(None)

    document = spec([call(name, parameters={"prompt": "Say", "llm": LLM}) for name in "abcdefgh"])
    run = await nodes.start(document)
    loop = make_loop(slow, concurrency=3)
    await loop.run_once()
    for _ in range(20):
        await asyncio.sleep(0)
    going.set()
    await loop.settle()
    assert most <= 3
    assert await nodes.status(run) == ("completed", None)


async def test_a_server_that_stops_gives_its_tasks_back(nodes, make_loop):
    begun = asyncio.Event()

    async def endless(context, grant):
        begun.set()
        await asyncio.Event().wait()

    run = await nodes.start(calls("a"))
    loop = make_loop(endless)
    loop.start()
    async with asyncio.timeout(60):
        await begun.wait()
    await loop.stop()

    assert await nodes.live(run) == {"a": ("ready", None)}
    await make_loop(answer).settle()
    step = (await nodes.engine.steps(run))["a"]
    assert (step.attempt, step.interruptions) == (1, 0)


async def test_a_start_wakes_the_loop_and_its_hub_ends_it(nodes, make_loop, hub):
    loop = make_loop(answer)
    loop.start()
    run = await nodes.start(calls("a"))
    with hub.watch("execution", nodes.engine.who.tenant_id, run) as watcher:
        async with asyncio.timeout(60):
            while (await nodes.status(run))[0] != "completed":
                await watcher.wait(1.0)
    hub.close()
    await loop.stop()


async def test_an_idle_loop_writes_nothing(nodes, make_loop):
    loop = make_loop(answer)
    assert await loop.run_once() == 0
    before = nodes.engine.db.counters().works
    for _ in range(3):
        assert await loop.run_once() == 0
    await loop.settle()
    assert nodes.engine.db.counters().works == before


async def test_two_servers_on_one_database_run_no_task_twice(nodes, make_loop):
    begun: list[str] = []

    async def count(context, grant):
        begun.append(f"{grant.path}:{grant.epoch}")
        await asyncio.sleep(0)
        return TaskDone(grant.path)

    each = call("each", parameters={"prompt": "Say", "llm": LLM})
    document = spec(
        [
            {
                "id": "m",
                "type": "map",
                "parameters": {"items": {"$from": "inputs.items"}, "concurrency": 10},
                "body": {"nodes": [each], "outputs": {"y": {"$from": "nodes.each.output"}}},
            }
        ],
        outputs={"all": {"$from": "nodes.m.output"}},
    )
    run = await nodes.start(document, {"items": list(range(30))})
    loops = [make_loop(count, concurrency=4) for _ in range(2)]
    await asyncio.gather(*(loop.settle() for loop in loops))
    for loop in loops:
        await loop.settle()

    assert sorted(begun) == sorted(f"m[{at}]/each:1" for at in range(30))
    assert (await nodes.output(run))["all"] == [{"y": f"m[{at}]/each"} for at in range(30)]
