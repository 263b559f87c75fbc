"""Credits of executions of specs: charged by the step, paused where there are none, gone on after a top-up.

The default book: 0.1 credits for an execution, 0.01 for a step; a tranche is ten steps.
"""

from dataclasses import replace
from itertools import pairwise

import pytest

from omium.errors import CreditsExhausted, LeaseLostProblem
from omium.models.usage import RecordUsage
from omium.server.engine.nodes.credit_pauses import NodeCreditPauses
from omium.server.engine.nodes.tasks import record_late_usage
from omium.server.store import meters
from tests.engine.locks import LockDatabase
from tests.engine.nodes.specs import chain, spec

CREDIT = 1_000_000


@pytest.fixture
def metered(nodes):
    engine = nodes.engine
    engine.parts = replace(engine.parts, metering=True, db=LockDatabase(engine.db))
    return nodes


async def charged(nodes, execution_id):
    meter = await nodes.engine.read(lambda tx: meters.find_meter(tx, execution_id))
    return meter.charged_microcredits


def usage(id_):
    report = {"id": id_, "provider": "openai", "model": "gpt-4o", "at_us": 1, "input_tokens": 1000}
    return [RecordUsage.model_validate(report | {"path": "a"})]


async def test_an_execution_is_charged_for_its_steps_and_holds_nothing_while_it_waits(metered):
    await metered.engine.fund(10 * CREDIT)
    document = chain("a", "b")
    document["nodes"].append({"id": "w", "type": "wait", "parameters": {"seconds": 60}})
    document["edges"].append({"from": "b", "to": "w"})
    run = await metered.start(document)
    await metered.complete(await metered.claim(), 1, usage=usage("us_1"))
    await metered.do(2)
    assert await metered.status(run) == ("waiting", "timer")
    await metered.advance(61)
    assert await metered.status(run) == ("completed", None)
    assert await charged(metered, run) > CREDIT // 10 + 3 * (CREDIT // 100)


async def test_what_nodes_cost_counts_against_the_limit_of_their_breaker(metered):
    await metered.engine.fund(10 * CREDIT)
    document = chain("a", "b", breakers={"p": {"microcredits_per_minute": 100}})
    for node in document["nodes"]:
        node["breaker"] = "p"
    run = await metered.start(document)
    await metered.complete(await metered.claim(), 1, usage=usage("us_1"))

    assert await metered.claim_all() == []
    assert await metered.status(run) == ("waiting", "breaker")
    await metered.advance(66)
    await metered.do(2)
    assert await metered.status(run) == ("completed", None)


async def test_without_credits_nothing_begins(metered):
    await metered.store(chain("a"))
    with pytest.raises(CreditsExhausted):
        await metered.start("flow")


async def test_an_execution_is_paused_at_the_end_of_its_credits_and_goes_on_after_a_top_up(metered):
    await metered.engine.fund(CREDIT // 10 + 10 * (CREDIT // 100))
    ids = [f"w{at}" for at in range(30)]
    edges = [{"from": one, "to": other} for one, other in pairwise(ids)]
    document = spec([{"id": each, "type": "wait", "parameters": {"seconds": 1}} for each in ids], edges)
    run = await metered.start(document)
    for _ in range(40):
        await metered.advance(2)
    assert await metered.status(run) == ("paused", "credits")
    before = len(await metered.engine.steps(run))
    assert before < 30

    pauses = NodeCreditPauses(metered.parts)
    assert await metered.engine.write(pauses.sweep) == 0
    await metered.engine.fund(10 * CREDIT)
    assert await metered.engine.write(pauses.sweep) == 1
    for _ in range(40):
        await metered.advance(2)
    assert await metered.status(run) == ("completed", None)


async def test_what_a_lost_task_has_spent_is_charged_all_the_same(metered):
    await metered.engine.fund(10 * CREDIT)
    run = await metered.start(chain("a"))
    lost = await metered.claim()
    await metered.advance(36)
    with pytest.raises(LeaseLostProblem):
        await metered.complete(lost, 1, usage=usage("us_1"))
    lease = metered.lease(lost)
    before = await charged(metered, run)
    for _ in range(2):
        await metered.engine.write(lambda tx: record_late_usage(tx, metered.parts, lease, usage("us_1")))
    assert await charged(metered, run) > before
    await metered.do(1)
    assert await metered.status(run) == ("completed", None)


async def test_tasks_lock_in_the_one_order_whatever_becomes_of_them(metered):
    await metered.engine.fund(100 * CREDIT)
    big = "x" * 100_000
    retry = {"max_attempts": 2, "initial_delay_s": 0, "jitter": False, "retry_on": ["KeyError"]}
    document = chain("send", "b")
    document["nodes"][0] |= {"effect": True, "retry": retry, "inputs": {"x": {"$from": "inputs.x"}}}
    document["nodes"][1] |= {"inputs": {"x": {"$from": "nodes.send.output"}}}
    run = await metered.start(document, {"x": big})
    await metered.fail(await metered.claim(), "KeyError", usage=usage("us_1"))
    await metered.sweep()
    await metered.complete(await metered.claim(), big, usage=usage("us_2"))
    await metered.fail(await metered.claim(), "ValueError", usage=usage("us_3"))
    assert await metered.status(run) == ("failed", "error")

    other = await metered.start("flow", {"x": big})
    await metered.fail(await metered.claim(), "ValueError", usage=usage("us_4"))
    assert await metered.status(other) == ("paused", "effect")
    await metered.engine.cancel(other)
    assert await metered.status(other) == ("cancelled", None)
