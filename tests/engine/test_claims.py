"""Claims: first come first served within a workflow, in turn between them, in the key's environment only."""

import pytest

from omium.errors import NotFound, NothingToClaim
from omium.server.engine.live import Announcement, AnnouncingDatabase, queue_topic
from omium.server.engine.runners import find_runner
from omium.server.live import LiveHub
from omium.states import Environment
from tests.engine.harness import principal, process


async def test_first_come_first_served(engine):
    ids = []
    for _ in range(3):
        ids.append(await engine.queue())
        engine.clock.advance(1)
    assert [(await engine.claim()).id for _ in range(3)] == ids
    assert (await engine.ask()).grants == []


async def test_workflows_take_turns(engine):
    for _ in range(4):
        await engine.queue("busy")
        engine.clock.advance(1)
    await engine.queue("rare")
    claimed = [(await engine.claim("busy", "rare")).grant.execution.workflow for _ in range(5)]
    assert claimed == ["busy", "rare", "busy", "busy", "busy"]


async def test_several_are_claimed_at_once_in_turn_and_the_rest_is_counted(engine):
    for _ in range(3):
        await engine.queue("busy")
    await engine.queue("rare")
    asked = await engine.ask("busy", "rare", max_executions=3)
    assert [grant.execution.workflow for grant in asked.grants] == ["busy", "rare", "busy"]
    assert len({grant.lease_token for grant in asked.grants}) == 3
    assert asked.pending == 1


async def test_a_worker_claims_its_environment_queue_workflows_and_what_its_key_allows(engine):
    await engine.queue("report")
    tenant_id = engine.who.tenant_id
    production = principal(tenant_id, environment=Environment.PROD)
    limited = principal(tenant_id, workflows=frozenset({"other"}))
    assert (await engine.ask("report", worker="w2", who=production)).grants == []
    assert (await engine.ask("report", worker="w3", who=limited)).grants == []
    assert (await engine.ask("report", worker="w4", queue="gpu")).grants == []
    assert (await engine.ask("other", worker="w5")).grants == []
    assert (await engine.ask("report", worker="w6", who=engine.stranger)).grants == []
    assert len((await engine.ask("report", worker="w7")).grants) == 1


async def test_a_claim_is_an_event_with_the_key_and_an_epoch(engine):
    run = await engine.worker_run()
    claimed = (await engine.events(run.id))[-1]
    assert (claimed.type, claimed.data["by"], claimed.data["worker_id"]) == (
        "execution.claimed",
        engine.who.id,
        "w1",
    )


async def test_nothing_is_claimed_by_a_worker_that_only_says_that_it_lives(engine):
    await engine.queue()
    asked = await engine.ask(max_executions=0)
    assert (asked.grants, asked.pending) == ([], 1)


async def test_a_certain_execution_is_claimed_whoever_drove_it_before(engine):
    run = await engine.start()
    with pytest.raises(NothingToClaim):
        await engine.ask(execution_id=run.id)
    await run.fail()
    await engine.requeue(run.id)
    with pytest.raises(NothingToClaim):
        await engine.ask("other", execution_id=run.id)
    with pytest.raises(NotFound):
        await engine.ask(execution_id=run.id, who=engine.stranger, worker="w2")
    assert (await engine.claim(execution_id=run.id)).id == run.id


async def test_a_worker_id_belongs_to_one_tenant(engine):
    await engine.ask(worker="w1")
    with pytest.raises(NotFound):
        await engine.ask(worker="w1", who=engine.stranger)


async def test_the_runner_is_a_worker_that_was_seen_lately_or_the_recorded_command(engine):
    code = {"command": ["python", "agent.py"], "cwd": "/home/me"}
    run = await engine.start(code=code)
    await run.fail()
    answer = await engine.requeue(run.id)
    assert (answer.runner, answer.command, answer.cwd) == ("none", ["python", "agent.py"], "/home/me")

    await engine.ask(max_executions=0, process=process(pid=9))
    row = await engine.row(run.id)
    policy = engine.parts.policy
    assert (await engine.read(lambda tx: find_runner(tx, row, policy))).runner == "worker"
    engine.clock.advance(policy.worker_seen_s + 1)
    assert (await engine.read(lambda tx: find_runner(tx, row, policy))).runner == "none"


async def test_queueing_work_wakes_the_workers_of_that_queue_after_the_commit(engine):
    hub = LiveHub()
    engine.parts = type(engine.parts)(
        AnnouncingDatabase(engine.db, hub), engine.parts.vault, engine.parts.policy
    )
    here = queue_topic(engine.who.tenant_id, "dev", "default")
    with hub.watch(*here) as worker, hub.watch("tenant", engine.who.tenant_id) as watcher:
        execution_id = await engine.queue()
        assert await worker.wait(0)
        assert [hint.execution_id for hint in watcher.take()] == [execution_id]
    Announcement("tn", "ex", 1)()  # without a hub it tells nobody
