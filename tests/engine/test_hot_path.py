"""What a step costs: a fence, an upsert and an event; no statement more. And how groups of writes behave."""

import pytest

from omium.ids import new_id
from omium.models.driver import WriteBatch
from omium.server.engine.parts import EngineParts
from omium.server.engine.usage import sum_usage
from omium.server.engine.writes import write_batch
from tests.engine.watched import WatchedDatabase

USAGE = {"id": "u1", "provider": "local", "model": "m", "input_tokens": 7, "at_us": 1}


@pytest.fixture
def watched(engine):
    db = WatchedDatabase(engine.db.once)
    engine.parts = EngineParts(db, engine.parts.vault, engine.parts.policy)
    return db


async def test_a_plain_step_costs_three_statements(engine, watched):
    run = await engine.start()
    await run.step("search", output={"found": [1, 2, 3]})
    assert watched.statements == ["UPDATE executions SET", "INSERT INTO steps", "INSERT INTO events"]


async def test_a_first_grant_reads_nothing_and_is_what_a_repeated_start_is_sent(engine, watched):
    id_ = new_id("ex", engine.clock.now_us())
    given = {"topic": "tea", "notes": ["x" * 40_000], "exact": 1.0}
    first = await engine.start(id=id_, input=given)
    assert watched.reads == 0
    again = await engine.start(id=id_, input=given)
    assert watched.reads == 1
    assert first.grant == again.grant
    assert first.grant.input == given


async def test_usage_costs_one_more(engine, watched):
    run = await engine.start()
    await run.step("search", usage=[USAGE])
    assert len(watched.statements) == 4
    assert watched.statements[-1].startswith("INSERT INTO usage_records")


async def test_an_effect_costs_four_statements_on_each_side(engine, watched):
    run = await engine.start()
    key = (await run.intend("pay")).effect_key
    assert len(watched.statements) == 4
    await run.end_effect("pay", key, output="receipt")
    assert len(watched.statements) == 5


async def test_a_heartbeat_costs_two(engine, watched):
    run = await engine.start()
    await run.heartbeat("search")
    assert len(watched.statements) == 2


async def test_one_group_is_one_transaction_and_a_refused_write_leaves_the_others(engine, watched):
    run = await engine.start()
    await run.step("search", output=1)
    before = watched.writes

    answer = await run.send(
        engine.completed("a"), engine.completed("search", 2), engine.completed("b"), engine.completed("a")
    )

    assert watched.writes == before + 1
    assert [result.problem and result.problem["code"] for result in answer.results] == [
        None,
        "step-conflict",
        None,
        None,
    ]
    assert [result.seq for result in answer.results] == [3, None, 4, 3]
    assert sorted(await engine.steps(run.id)) == ["a", "b", "search"]


async def test_usage_of_a_refused_write_is_recorded_all_the_same(engine):
    run = await engine.start()
    await run.step("search", output=1)
    await run.send(engine.completed("search", 2, usage=[USAGE]))
    await run.complete()
    await run.send(engine.completed("late", usage=[USAGE | {"id": "u2"}]))
    await run.send({"type": "usage.recorded", "usage": USAGE | {"id": "u3"}})
    for _ in range(2):
        await run.send({"type": "usage.recorded", "usage": USAGE | {"id": "u3"}})
    usage = await engine.read(lambda tx: sum_usage(tx, engine.who.tenant_id, run.id))
    assert usage.input_tokens == 21


async def test_groups_of_several_executions_travel_together(engine):
    runs = [await engine.start() for _ in range(3)]
    await runs[1].complete()
    groups = [
        {
            "execution_id": run.id,
            "epoch": run.grant.epoch,
            "lease_token": run.grant.lease_token,
            "writes": [engine.completed("search")],
        }
        for run in runs
    ]
    answer = await write_batch(engine.parts, engine.who, WriteBatch.model_validate({"groups": groups}))
    assert [group.results[0].problem is None for group in answer.groups] == [True, False, True]


async def test_a_value_that_is_too_large_is_refused_alone_and_names_its_step(engine):
    run = await engine.start()
    answer = await run.send(engine.completed("huge", "x" * (8 * 2**20 + 1)), engine.completed("small"))
    refused, taken = answer.results
    assert refused.problem["code"] == "payload-too-large"
    assert "huge" in refused.problem["detail"]
    assert taken.problem is None
