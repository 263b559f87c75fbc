"""What a replay's plan says that it will cost: what runs again as the last time, what is reused nothing."""

from dataclasses import replace

import pytest

from omium.models.replay import PlanReplay
from omium.pricing.default import default_text
from omium.server.engine.replay_requests import plan_replay
from omium.server.ledger import price_versions
from omium.server.ledger.price_versions import Proposal
from omium.server.seal import KeyFile

EXECUTION, STEP = 100_000, 10_000  # of the default book


@pytest.fixture
def keys(tmp_path):
    return KeyFile.open(tmp_path / "replay.keys")


@pytest.fixture
def look(engine, keys):
    async def plan(execution_id, *, metering=True, **fields):
        parts = replace(engine.parts, metering=metering)
        return await plan_replay(parts, keys, engine.who, execution_id, PlanReplay(**fields))

    return plan


def used(run, path, model="gpt-4o-mini", tokens=1_000):
    return {
        "type": "usage.recorded",
        "usage": {
            "id": f"{run.id}:{path}:{model}",
            "path": path or None,
            "provider": "openai",
            "model": model,
            "input_tokens": tokens,
            "at_us": 1,
        },
    }


async def failed_run(engine, *usage):
    run = await engine.start()
    await run.step("plan")
    await run.step("write")
    await run.send(*(used(run, *each) for each in usage))
    await run.fail("publish")
    return run


async def test_what_runs_again_costs_as_the_last_time_and_what_is_reused_nothing(engine, look):
    run = await failed_run(engine, ("plan",), ("write",))

    plan = await look(run.id, from_step="write")

    costs = {step.path: step.estimated_microcredits for step in plan.steps}
    assert costs["plan"] == 0
    assert costs["write"] == 150_000 + STEP
    assert plan.estimated_microcredits == EXECUTION + sum(costs.values())
    assert plan.estimated_credits == plan.estimated_microcredits / 10**6


async def test_usage_outside_of_steps_happens_again(engine, look):
    run = await failed_run(engine, ("",))

    plan = await look(run.id, from_step="write")

    known = sum(step.estimated_microcredits for step in plan.steps)
    assert plan.estimated_microcredits == EXECUTION + known + 150_000


async def test_a_model_without_a_price_leaves_the_sum_open_instead_of_too_low(engine, look):
    run = await failed_run(engine, ("write", "mystery"))
    refusing = default_text().replace('unknown_model = "default"', 'unknown_model = "refuse"')
    await engine.write(lambda tx: price_versions.save(tx, Proposal(refusing, 1_000, "key_1")))

    plan = await look(run.id, from_step="write")

    costs = {step.path: step.estimated_microcredits for step in plan.steps}
    assert (costs["plan"], costs["write"], plan.estimated_microcredits) == (0, None, None)
    assert (await look(run.id)).estimated_microcredits is not None  # nothing of it runs again


async def test_a_server_that_does_not_meter_says_nothing_of_costs(engine, look):
    run = await failed_run(engine, ("write",))

    plan = await look(run.id, from_step="write", metering=False)

    assert plan.estimated_microcredits is None
    assert plan.estimated_credits is None
    assert {step.estimated_microcredits for step in plan.steps} == {None}
