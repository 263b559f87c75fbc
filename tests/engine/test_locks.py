"""One order of locks, whoever changes several rows: what waits for each other can then never be a circle."""

import asyncio
from contextlib import closing
from dataclasses import replace

import psycopg
import pytest

from omium.clock import ManualClock
from omium.ids import child_execution_id, new_id
from omium.models.breaker import BreakerLimits
from omium.models.failure import ReplayFailure
from omium.models.replay import DecideEffect, PlanReplay, ReplayExecution, RollbackExecution
from omium.server.db.open import open_database
from omium.server.engine import batches, retention
from omium.server.engine.breakers import get_breaker, set_limits
from omium.server.engine.cancel import pause_key_executions
from omium.server.engine.decisions import decide_effect
from omium.server.engine.parts import EngineParts
from omium.server.engine.replay_requests import plan_replay, replay
from omium.server.engine.rollback import roll_back
from omium.server.engine.values import Vault
from omium.server.store import failures
from omium.server.store.tenants import insert_tenant
from omium.states import EffectDecision
from tests.engine.harness import Engine, principal
from tests.engine.locks import LockDatabase

BIG = "x" * 100_000
PATHS = ["pay", "mail", "book"]


@pytest.fixture
def watched(engine):
    """The engine, whose works are refused when they take a lock out of order."""
    engine.parts = replace(engine.parts, db=LockDatabase(engine.db))
    return engine


async def decide(engine, execution_id, path, decision=EffectDecision.SKIP):
    effect = (await engine.effects(execution_id))[path]
    packed = engine.parts.vault.pack(engine.who.tenant_id, BIG)
    command = DecideEffect(decision=decision)
    await engine.write(
        lambda tx: decide_effect(tx, engine.who, execution_id, effect.effect_key, command, packed)
    )


@pytest.mark.parametrize("ending", ["fail", "complete", "lost", "wait", "cancel"])
async def test_a_driver_that_leaves_effects_open(watched, ending):
    for paths in (PATHS, PATHS[::-1]):  # the first makes the groups, the second finds them
        run = await watched.start()
        for path in paths:
            await run.intend(path)
        if ending == "lost":
            await watched.expire()
        elif ending == "fail":
            await run.fail("think")
        elif ending == "complete":
            await run.complete(BIG)
        elif ending == "cancel":
            await watched.cancel(run.id)
            await watched.advance(31)
        else:
            await run.wait("signal")
        asked = [path for kind, path, _ in await watched.inbox(run.id) if kind == "effect-unknown"]
        assert asked == paths


async def test_steps_that_count_against_the_limit_of_their_breaker(watched):
    watched.parts = replace(watched.parts, metering=True)
    await watched.fund(1_000_000_000)
    limits = BreakerLimits(tokens_per_minute=10, microcredits_per_minute=10)
    await watched.write(lambda tx: set_limits(tx, watched.who, "llm", limits))
    run = await watched.start()
    await run.intend("pay")
    spent = {"id": "us_1", "provider": "openai", "model": "gpt-4o", "input_tokens": 900, "at_us": 1}
    await run.send(
        watched.completed("large", BIG, usage=[spent | {"breaker": "llm"}]),
        watched.completed("more", usage=[spent | {"breaker": "llm", "id": "us_2"}]),
    )

    shown = await watched.read(lambda tx: get_breaker(tx, watched.who, "llm"))
    assert (shown.because, shown.tokens, shown.microcredits > 10) == ("tokens", 1_800, True)


@pytest.mark.parametrize("end", ["cancel", "roll back", "pause"])
async def test_a_tree_of_executions(watched, end):
    parent = await watched.start("tree")
    for index in range(3):
        watched.clock.advance(1)
        child = await watched.start("child", parent_id=parent.id, parent_path=f"c{index}", id=None)
        watched.clock.advance(1)
        await watched.queue("below", parent_id=child.id, parent_path="d", id=None)
        await child.intend("pay", input=BIG)
        await (child.fail("pay") if index else child.wait("signal"))
        await decide(watched, child_execution_id(parent.id, f"c{index}", 1), "pay")
    if end == "pause":
        while await watched.write(lambda tx: pause_key_executions(tx, "key_test")):
            pass
    elif end == "cancel":
        await watched.cancel(parent.id)
    else:
        await parent.fail("a")
        command = RollbackExecution(to_seq=1)
        await watched.write(lambda tx: roll_back(tx, watched.who, parent.id, command))


async def test_a_replay_with_decisions_and_a_report_that_comes_late(watched, key_file):
    run = await watched.start()
    keys = [(await run.intend(path, input=BIG)).effect_key for path in PATHS]
    await run.fail("think")
    decisions = [{"path": path, "decision": "redo"} for path in PATHS[:2]]
    asked = {"decisions": decisions, "from_step": ""}
    plan = await plan_replay(watched.parts, key_file, watched.who, run.id, PlanReplay(**asked))
    command = ReplayExecution(id=new_id("ex", 1), plan_token=plan.token, **asked)
    await replay(watched.parts, key_file, watched.who, run.id, command)
    again = await watched.claim()
    await again.intend("pay", attempt=2)
    for path, key in zip(PATHS, keys, strict=True):
        await run.end_effect(path, key, output=BIG)
    await watched.resume(run.id)


async def test_a_batch_and_what_retention_removes(watched, key_file):
    await watched.ask()
    for _ in range(2):
        run = await watched.worker_run()
        await run.step("search", output=BIG)
        await run.fail("think")
    group = (await watched.read(lambda tx: failures.list_of_execution(tx, run.id)))[0].failure_id
    command = ReplayFailure(reason=BIG)
    await batches.replay_failure(watched.parts, key_file, watched.who, group, command)
    for _ in range(2):
        await (await watched.claim()).complete()
        watched.clock.advance(3)
        await watched.write(lambda tx: batches.sweep_batches(tx, watched.parts, key_file))
    assert await watched.write(lambda tx: batches.sweep_batches(tx, watched.parts, key_file)) == 0
    watched.clock.advance(400 * 24 * 3600)
    while await watched.write(retention.sweep_executions):
        pass


@pytest.mark.timeout(120)
async def test_postgres_finds_no_circle_of_locks(postgres_url, key_file):
    """Pairs of executions leave the same effects open in opposite orders, at the same time."""
    clock = ManualClock()
    paths = [f"effect {number}" for number in range(12)]
    db = await open_database(postgres_url, clock=clock)
    try:
        tenant = await db.write(lambda tx: insert_tenant(tx, "test"))
        engine = Engine(EngineParts(db, Vault(key_file)), clock, principal(tenant.id), principal("other"))

        async def leave(order):
            run = await engine.start()
            for path in order:
                await run.intend(path)
            return run

        await (await leave(paths)).fail("think")
        for _ in range(12):
            runs = [await leave(order) for order in (paths, paths[::-1]) * 2]
            await asyncio.gather(*(run.fail("think") for run in runs))
    finally:
        await db.close()
    with closing(psycopg.connect(postgres_url)) as connection:
        found = connection.execute(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()
    assert found == (0,)
