"""Values: come back exactly; large ones are kept once, secret ones sealed, copies for people redacted."""

import pytest

from omium.errors import CheckpointGone, LeaseLostProblem
from omium.server.db.tx import Sql
from omium.server.engine import reading
from omium.server.engine.fence import Lease
from omium.server.engine.grants import digest_token
from omium.server.engine.values import (
    ADDRESS_MARK,
    copy_value,
    drop_value,
    fetch_value,
    put_value,
)

REFS = Sql("SELECT refs FROM payloads ORDER BY address")
FORGET = Sql("DELETE FROM payloads")
LARGE = ["tea " * 100] * 400
SECRET = {"api_key": "sk-proj-0123456789abcdefghijklmnopqrstuvwxyzABCD"}


def refs(engine):
    return engine.read(lambda tx: tx.all(REFS, int))


async def test_small_values_keep_the_order_of_their_keys(engine):
    run = await engine.start()
    await run.step("search", output={"b": 1, "a": [1.0, -0.0, "é"]})
    (step,) = (await engine.steps(run.id)).values()
    assert step.output == '{"b":1,"a":[1.0,-0.0,"é"]}'.encode()


async def test_a_large_value_is_kept_once_counted_and_comes_back(engine):
    run = await engine.start()
    await run.step("a", output=LARGE)
    await run.step("b", output=LARGE)
    assert await refs(engine) == [2]

    found = await reading.fetch_records(engine.parts, engine.who.tenant_id, run.id, ["a", "b", "none"], None)
    assert [record.output for record in found.records] == [LARGE, LARGE, None]
    again = await engine.resume((await finish(engine, run)).id)
    assert [record.inline for record in again.grant.records] == [False, False]


async def finish(engine, run):
    await run.fail()
    return run


async def test_a_retry_gives_up_the_values_of_the_try_before(engine):
    run = await engine.start()
    await run.fail_step("a", delay_us=0, input=LARGE)
    assert await refs(engine) == [1]
    await run.step("a", attempt=2, input="small")
    assert await refs(engine) == [0]


async def test_references_are_counted_by_copy_and_drop(engine):
    tenant_id = engine.who.tenant_id
    packed = engine.parts.vault.pack(tenant_id, LARGE)
    column = await engine.write(lambda tx: put_value(tx, tenant_id, packed))
    assert column.startswith(ADDRESS_MARK)
    await engine.write(lambda tx: copy_value(tx, tenant_id, column))
    assert await refs(engine) == [2]
    await engine.write(lambda tx: drop_value(tx, tenant_id, column))
    assert await refs(engine) == [1]
    await engine.write(lambda tx: tx.execute(FORGET))
    for gone in (copy_value, fetch_value):
        with pytest.raises(CheckpointGone):
            await engine.write(lambda tx, gone=gone: gone(tx, tenant_id, column))


async def test_an_output_with_a_secret_is_sealed_shown_as_such_and_exact_for_its_driver(engine):
    run = await engine.start()
    await run.step("login", output=SECRET)
    (step,) = (await engine.steps(run.id)).values()
    assert step.output.startswith(ADDRESS_MARK)

    tenant_id = engine.who.tenant_id
    assert await reading.read_step_value(engine.parts, tenant_id, run.id, "login") == "[sealed]"
    detail, _ = await reading.read_detail(engine.parts, tenant_id, run.id)
    assert (detail.steps[0].output, detail.steps[0].output_sealed) == ("[sealed]", True)
    lease = Lease(engine.who, run.id, 1, digest_token(run.grant.lease_token))
    found = await reading.fetch_records(engine.parts, tenant_id, run.id, ["login"], lease)
    assert found.records[0].output == SECRET
    with pytest.raises(LeaseLostProblem):
        await reading.fetch_records(
            engine.parts, tenant_id, run.id, ["login"], Lease(engine.who, run.id, 2, lease.lease_digest)
        )


async def test_errors_are_redacted_and_bounded_before_they_are_stored(engine):
    run = await engine.start()
    await run.fail_step("login", message=f"401 for {SECRET['api_key']}")
    await run.fail("login", message="x" * 100_000)
    stored = (await engine.steps(run.id))["login"].error + str(await engine.events(run.id)).encode()
    assert SECRET["api_key"].encode() not in stored
    detail, _ = await reading.read_detail(engine.parts, engine.who.tenant_id, run.id)
    assert detail.error["clipped"] is True


async def test_a_grant_carries_small_values_up_to_a_total(engine, monkeypatch):
    monkeypatch.setattr("omium.server.engine.grants.INLINE_TOTAL_BYTES", 100)
    run = await engine.start()
    await run.step("a", output="x" * 60)
    await run.step("b", output="y" * 60)
    await run.step("c", output="z")
    await run.fail()
    again = await engine.resume(run.id)
    assert {record.path: record.inline for record in again.grant.records} == {
        "a": True,
        "b": False,
        "c": True,
    }


async def test_checkpoints_are_saved_once_and_the_newest_of_a_name_is_what_a_resume_sees(engine):
    run = await engine.start()
    for _ in range(2):
        await run.checkpoint("progress", 1, id="cp_1")
    await run.checkpoint("progress", 2)
    await run.checkpoint("table", LARGE, id="cp_3")
    await run.fail()
    again = await engine.resume(run.id)
    assert again.grant.checkpoints == {"progress": 2, "table": {"$checkpoint": "cp_3"}}
    found = await reading.fetch_records(
        engine.parts, engine.who.tenant_id, run.id, ["$checkpoint/cp_3"], None
    )
    assert found.records[0].output == LARGE
    shown = await reading.read_checkpoint(engine.parts, engine.who.tenant_id, run.id, "cp_3")
    assert shown.state == LARGE


async def test_the_detail_tells_what_runs_who_and_what_would_run_it(engine):
    run = await engine.start(code={"command": ["python", "x.py"]})
    await run.effect("pay")
    await run.heartbeat("write")
    detail, following = await reading.read_detail(engine.parts, engine.who.tenant_id, run.id)
    assert (detail.running_steps, detail.process.pid, detail.runner.runner) == (["write"], 100, "none")
    assert (detail.steps[0].effect_state, following) == ("done", None)

    await run.heartbeat("write", "pay")  # it was told before the step had ended
    detail, _ = await reading.read_detail(engine.parts, engine.who.tenant_id, run.id)
    assert detail.running_steps == ["write"]
    steps, following = await reading.read_steps(engine.parts, engine.who.tenant_id, run.id, (-1, "", 0, 0), 1)
    assert ([step.key for step in steps], following) == (["pay"], None)
