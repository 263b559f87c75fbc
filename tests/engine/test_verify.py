"""Verify: silent about what is right, and each planted corruption is found."""

import pytest

from omium.ids import new_id
from omium.models.replay import PlanRollback, ReplayExecution, RollbackExecution
from omium.server.db.tx import Sql
from omium.server.engine import references, retention, verify
from omium.server.engine.replay_requests import replay
from omium.server.engine.rollback import roll_back

BIG = "x" * 100_000


async def problems(engine):
    return await verify.list_problems(engine.db)


@pytest.fixture
async def lived_in(engine, key_file):
    """A database in which nearly everything has happened."""
    run = await engine.start("report", input={"big": BIG})
    await run.step("search", output=BIG)
    await run.fail_step("think", delay_us=1)
    await run.step("think", attempt=2)
    await run.effect("pay", compensate="refund", output=BIG + "1")
    await run.checkpoint("state", BIG)
    await run.fail("write")
    for index in range(2):
        command = ReplayExecution(id=new_id("ex", index))
        await replay(engine.parts, key_file, engine.who, run.id, command)
    again = await engine.claim("report")
    await again.step("write")
    await again.complete(BIG)
    unsure = await engine.start("report")
    await unsure.intend("pay")
    await unsure.wait(wake_at_us=engine.clock.now_us() + 60_000_000)
    rolled = await engine.start("report")
    await rolled.effect("pay", compensate="refund")
    await rolled.fail()
    command = RollbackExecution(**PlanRollback(to_step="pay").model_dump(), reason="no")
    await engine.write(lambda tx: roll_back(tx, engine.who, rolled.id, command))
    back = await engine.claim("report", execution_id=rolled.id)
    await back.write(type="compensation.ended", position=0)
    await engine.cancel(await engine.queue("report"))
    return run


async def test_what_is_right_is_not_complained_about(engine, lived_in):
    assert await problems(engine) == []


async def test_nor_is_what_retention_left(engine, lived_in):
    engine.clock.advance(seconds=31 * 24 * 3600)
    await engine.sweep()
    while await engine.write(retention.sweep_executions):
        pass
    await engine.write(retention.sweep_payloads)
    assert await problems(engine) == []


CORRUPTIONS = {
    "a gap in the events": ("DELETE FROM events WHERE seq = 2", "I8: "),
    "a lost last event": ("UPDATE executions SET last_seq = last_seq + 1", "the row says"),
    "a miscounted step": (
        "UPDATE executions SET steps_completed = steps_completed + 1",
        "steps were completed",
    ),
    "a status that no event tells": (
        "UPDATE executions SET status = 'cancelled' WHERE status = 'failed'",
        "status should be 'failed'",
    ),
    "another generation": ("UPDATE executions SET generation = 7", "generation should be"),
    "life after the end": (
        """UPDATE events SET data = CAST('{"status":"completed"}' AS {bytes})
            WHERE type = 'step.completed'""",
        "I3: ",
    ),
    "a wait without a time": ("UPDATE executions SET wake_us = NULL WHERE status = 'waiting'", "I6: "),
    "a record without its event": (
        "UPDATE steps SET completed_seq = 1 WHERE path = 'search'",
        "does not tell of its record",
    ),
    "a changed output": (
        "UPDATE steps SET output = CAST('42' AS {bytes}) WHERE path = 'think' AND output IS NOT NULL",
        "digest of its output",
    ),
    "an effect that was not done": (
        "UPDATE effects SET state = 'intended', done_seq = NULL WHERE state = 'done'",
        "its effect is intended",
    ),
    "an effect after the last event": (
        "UPDATE effects SET done_seq = 10000 WHERE state = 'done'",
        "after the last event",
    ),
    "a miscounted group": (
        "UPDATE failures SET open_count = open_count + 3 WHERE status = 'open'",
        "open occurrences, but counts",
    ),
    "a payload too few": ("UPDATE payloads SET refs = refs - 1", "rows point at it"),
    "a payload too many": ("UPDATE payloads SET refs = refs + 1", "rows point at it"),
    "a lost payload": ("DELETE FROM payloads", "is gone, but"),
    "a broken reply": (
        """INSERT INTO idempotency_records
           (tenant_id, principal_id, endpoint, key, body_digest, status, reply, created_us)
           VALUES ('t', 'p', 'e', 'k', 'd', 200, CAST('{"id' AS {bytes}), 0)""",
        "I7: ",
    ),
}


@pytest.mark.parametrize("planted", CORRUPTIONS)
async def test_a_planted_corruption_is_found(engine, lived_in, planted):
    statement, told = CORRUPTIONS[planted]
    await engine.write(lambda tx: tx.execute(Sql(statement)))

    found = await problems(engine)
    assert any(told in problem for problem in found), found


async def test_only_so_many_are_told(engine, lived_in, monkeypatch):
    monkeypatch.setattr(verify, "FINDINGS_MAX", 2)
    await engine.write(lambda tx: tx.execute(Sql("UPDATE executions SET generation = 7")))
    assert (await problems(engine))[2:] == ["There is more; these are the first."]


async def test_long_logs_are_read_in_pieces(engine, lived_in, monkeypatch):
    monkeypatch.setattr(verify, "EVENTS_PER_READ", 2)
    monkeypatch.setattr(references, "EXECUTIONS_PER_READ", 1)
    for module in (verify, references):
        monkeypatch.setattr(module, "ROWS_PER_READ", 1)
    assert await problems(engine) == []
