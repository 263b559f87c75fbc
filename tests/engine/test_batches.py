"""Groups that are replayed one after another: a probe first, a few at once, stopped when it fails again."""

from dataclasses import replace

import pytest

from omium.models.failure import ReplayFailure
from omium.server.db.tx import Sql
from omium.server.engine.batches import AT_ONCE, replay_failure, sweep_batches
from omium.server.engine.inbox import Filters, list_failures
from omium.server.principal import PrincipalKind
from omium.server.store import batches as store
from omium.server.store import failures, meters


@pytest.fixture
async def group(engine):
    """Seven executions that failed the same way, and a worker that serves them."""
    for _ in range(7):
        run = await engine.start("report")
        await run.step("search")
        await run.fail("write")
    await engine.ask("report", max_executions=0)
    return (await groups(engine))[0]


async def groups(engine):
    tenant_id = engine.who.tenant_id
    return await engine.read(
        lambda tx: list_failures(tx, tenant_id, Filters(), before=(2**62, "~"), limit=10)
    )


@pytest.fixture
def begin(engine, key_file):
    async def send(failure_id, who=None, **fields):
        command = ReplayFailure(**fields)
        return await replay_failure(engine.parts, key_file, who or engine.who, failure_id, command)

    return send


@pytest.fixture
def sweep(engine, key_file):
    async def run():
        engine.clock.advance(seconds=3)
        return await engine.write(lambda tx: sweep_batches(tx, engine.parts, key_file))

    return run


async def newest(engine, failure_id):
    return await engine.read(lambda tx: store.find_newest(tx, failure_id))


async def test_the_first_is_a_probe_and_the_others_follow_once_it_was_completed(engine, group, begin, sweep):
    answer = await begin(group.id)
    assert (len(answer.executions), answer.remaining, answer.batch.status) == (1, 6, "running")
    await sweep()
    assert (await newest(engine, group.id)).launched == 1

    run = await engine.claim("report")
    assert [record.path for record in run.grant.records] == ["search"]
    await run.step("write")
    await run.complete()
    for _ in range(8):
        await sweep()
    assert (await newest(engine, group.id)).launched == 1 + AT_ONCE
    for _ in range(6):
        claimed = await engine.ask("report")
        if claimed.grants:
            run.grant = claimed.grants[0]
            await run.step("write")
            await run.complete()
        await sweep()
        await sweep()

    batch = await newest(engine, group.id)
    assert (batch.status, batch.launched, batch.remaining) == ("done", 7, 0)
    (after,) = await groups(engine)
    assert (after.status, after.open_count) == ("replayed", 0)


async def test_it_stops_when_it_fails_the_same_way_again_and_the_rest_stays_open(engine, group, begin, sweep):
    await begin(group.id)
    run = await engine.claim("report")
    await run.fail("write")
    await sweep()
    await sweep()

    batch = await newest(engine, group.id)
    assert (batch.status, batch.launched) == ("stopped", 1)
    assert batch.stopped_reason == f"{run.id} failed the same way again"
    (after,) = await groups(engine)
    assert (after.status, after.open_count, after.count) == ("open", 7, 8)


async def test_starts_are_apart_and_the_limit_is_kept(engine, group, begin, sweep):
    await begin(group.id, limit=2)
    run = await engine.claim("report")
    await run.complete()
    assert await sweep() == 1
    assert (await newest(engine, group.id)).launched == 2
    engine.clock.advance(seconds=1)
    run = await engine.claim("report")
    await run.complete()
    await sweep()

    batch = await newest(engine, group.id)
    assert (batch.status, batch.launched) == ("done", 2)
    assert (await groups(engine))[0].open_count == 5


async def test_a_batch_without_credits_stops_and_leaves_the_others_open(engine, group, begin, sweep):
    engine.parts = replace(engine.parts, metering=True)
    answer = await begin(group.id)
    assert answer.executions == []
    batch = await newest(engine, group.id)
    assert (batch.status, batch.launched) == ("stopped", 0)
    assert batch.stopped_reason.startswith("You've exhausted your Omium credits")
    await sweep()
    assert (await groups(engine))[0].open_count == 7


@pytest.mark.parametrize(
    ("started_by", "kind", "payer"),
    [("ak_1", PrincipalKind.KEY, "ak_1"), ("us_1", PrincipalKind.USER, None)],
)
async def test_replays_of_a_batch_are_paid_by_the_key_that_began_it_or_by_none(
    engine, group, begin, started_by, kind, payer
):
    engine.parts = replace(engine.parts, metering=True)
    await engine.fund(10_000_000)
    answer = await begin(group.id, replace(engine.who, id=started_by, kind=kind))
    meter = await engine.read(lambda tx: meters.find_meter(tx, answer.executions[0].id))
    assert meter.api_key_id == payer


async def test_the_same_request_while_it_runs_starts_no_second_batch(engine, group, begin):
    first = await begin(group.id)
    second = await begin(group.id)
    assert second.batch.id == first.batch.id
    assert second.executions == []


async def test_what_cannot_be_replayed_is_skipped_with_its_reason(engine, begin):
    run = await engine.start("lonely")
    await run.fail("write")
    (group,) = await groups(engine)
    answer = await begin(group.id)

    assert answer.batch.status == "done"
    assert answer.skipped == {run.id: "no worker serves lonely; run it by hand"}
    assert (await groups(engine))[0].open_count == 1


async def test_a_blocked_one_is_skipped_and_the_others_go_on(engine, begin, sweep):
    blocked = await engine.start("report")
    answer = await blocked.intend("pay")
    await blocked.end_effect("pay", answer.effect_key, state="unknown")
    await blocked.fail("write")
    engine.clock.advance(seconds=1)
    fine = await engine.start("report")
    await fine.fail("write")
    await engine.ask("report", max_executions=0)
    group = next(each for each in await groups(engine) if each.kind == "error")

    started = await begin(group.id)
    assert [execution.replay_of for execution in started.executions] == [fine.id]
    assert list(started.skipped) == [blocked.id]
    found = await engine.read(lambda tx: failures.list_of_execution(tx, blocked.id))
    assert {each.status for each in found} == {"open"}


async def test_edits_reach_every_replay(engine, group, begin):
    edits = [{"target": "output", "path": "search", "value": "better"}]
    await begin(group.id, edits=edits)
    run = await engine.claim("report")
    assert [(record.path, record.output) for record in run.grant.records] == [("search", "better")]


REVOKE = Sql("""
    INSERT INTO api_keys (id, tenant_id, name, environment, scopes, digest, status, created_us)
    VALUES (:id, :tenant_id, 'k', 'dev', '', :digest, 'revoked', 0)
""")


async def test_a_revoked_key_starts_nothing_more(engine, group, begin, sweep):
    await begin(group.id)
    await engine.write(
        lambda tx: tx.execute(REVOKE, id=engine.who.id, tenant_id=engine.who.tenant_id, digest=b"")
    )
    await sweep()
    assert (await newest(engine, group.id)).stopped_reason == "the key that started it was revoked"
