"""Signals of executions that workers drive: taken once, by their step, whatever dies in between."""

import pytest

from omium.errors import IllegalTransition, LeaseLostProblem, LimitReached, WorkflowNotAllowed
from omium.server.db.tx import Sql
from omium.server.engine import driver_signals, reading, retention
from omium.server.engine.nodes.deciding import deliver_signal
from tests.engine.harness import principal

NAME = "approved"
REFERENCES = Sql("SELECT refs FROM payloads")
LONG = "x" * 200_000  # kept beside the row, and counted


async def tell(engine, run_id, payload="yes", *, signal_id="sg_1", name=NAME, who=None):
    who = who or engine.who
    packed = engine.parts.vault.pack(who.tenant_id, payload, what="The payload")
    return await engine.write(
        lambda tx: deliver_signal(tx, engine.parts, who, run_id, name, packed, signal_id)
    )


async def ask(run, path="ask", name=NAME):
    return (await run.write(type="signal.asked", path=path, name=name)).signal


async def wait(run, *names):
    signals = [{"name": name, "question": f"{name}?"} for name in names or (NAME,)]
    return await run.write(type="execution.waits", reason="signal", signals=signals)


async def status(engine, run):
    row = await engine.row(run.id)
    return row.status, row.reason


async def test_a_step_is_given_the_signal_that_came_first(engine):
    run = await engine.worker_run()
    for number, word in enumerate(("yes", "no")):
        told = await tell(engine, run.id, word, signal_id=f"sg_{number}")
        assert (told.fresh, told.path) == (True, None)

    given = await ask(run)

    assert (given.signal_id, given.payload) == ("sg_0", "yes")


async def test_where_nothing_has_come_there_is_no_signal(engine):
    run = await engine.worker_run()
    await tell(engine, run.id, name="another")

    assert await ask(run) is None


async def test_a_step_that_asks_again_is_told_the_same_and_another_step_the_next(engine):
    run = await engine.worker_run()
    await tell(engine, run.id, "yes", signal_id="sg_1")
    await tell(engine, run.id, LONG, signal_id="sg_2")

    first = [(await ask(run, "a")).payload, (await ask(run, "a")).payload]
    second = [(await ask(run, "b")).payload, (await ask(run, "b")).payload]

    assert (first, second) == (["yes", "yes"], [LONG, LONG])
    assert await ask(run, "c") is None


async def test_the_same_signal_twice_is_one(engine):
    run = await engine.worker_run()
    await tell(engine, run.id)
    await ask(run)

    again = await tell(engine, run.id)

    assert (again.fresh, again.path) == (False, "ask")
    assert await ask(run, "other") is None


async def test_a_signal_queues_the_execution_that_waits_for_one(engine):
    run = await engine.worker_run()
    await wait(run)
    assert await status(engine, run) == ("waiting", "signal")

    await tell(engine, run.id)

    assert await status(engine, run) == ("queued", None)
    again = await engine.claim("report")
    assert (again.id, (await ask(again)).payload) == (run.id, "yes")


async def test_a_signal_that_came_before_the_wait_ends_it_at_once(engine):
    run = await engine.worker_run()
    await tell(engine, run.id)
    await wait(run, "other", NAME)

    assert await status(engine, run) == ("queued", None)


async def test_one_that_was_taken_or_is_of_another_name_does_not(engine):
    run = await engine.worker_run()
    await tell(engine, run.id)
    await tell(engine, run.id, name="another", signal_id="sg_2")
    await ask(run)
    await wait(run)

    assert await status(engine, run) == ("waiting", "signal")


async def test_an_execution_that_waits_for_a_time_is_not_woken(engine):
    run = await engine.worker_run()
    await run.wait("timer", engine.clock.now_us() + 60_000_000)

    await tell(engine, run.id)

    assert await status(engine, run) == ("waiting", "timer")


async def test_what_is_asked_is_kept_without_credentials(engine):
    run = await engine.worker_run()
    question = {"api_key": "sk-proj-9fK2mQ7xLw3RzT8vB1nC4dE6", "title": "Tea"}
    await run.write(type="execution.waits", reason="signal", signals=[{"name": "a", "question": question}])

    detail, _ = await reading.read_detail(engine.parts, engine.who.tenant_id, run.id)
    assert detail.awaited_signals[0].question["title"] == "Tea"
    assert "sk-proj" not in str(detail.awaited_signals)


async def test_of_a_script_the_signal_is_kept_for_its_resume(engine):
    run = await engine.start()
    await wait(run)
    await tell(engine, run.id)
    assert await status(engine, run) == ("waiting", "signal")

    again = await engine.resume(run.id)

    assert (await ask(again)).payload == "yes"


async def test_the_execution_says_what_it_waits_for(engine):
    run = await engine.worker_run()

    async def awaited():
        detail, _ = await reading.read_detail(engine.parts, engine.who.tenant_id, run.id)
        return [(each.name, each.question) for each in detail.awaited_signals]

    assert await awaited() == []
    await wait(run, "a", "b")
    assert await awaited() == [("a", "a?"), ("b", "b?")]
    await tell(engine, run.id, name="other")  # it looks, and waits again
    assert await awaited() == []


async def test_a_driver_that_has_lost_the_execution_is_given_nothing(engine):
    run = await engine.worker_run()
    await tell(engine, run.id)
    await engine.expire()
    again = await engine.claim("report")

    with pytest.raises(LeaseLostProblem):
        await ask(run)
    assert (await ask(again)).payload == "yes"


async def test_a_driver_that_died_after_asking_leaves_the_signal_to_the_next(engine):
    run = await engine.worker_run()
    await tell(engine, run.id)
    await ask(run)
    await engine.expire()
    again = await engine.claim("report")

    assert await ask(again, "other") is None
    assert (await ask(again)).payload == "yes"


@pytest.mark.parametrize("ending", ["complete", "cancel"])
async def test_what_has_ended_takes_no_signals(engine, ending):
    run = await engine.worker_run()
    if ending == "complete":
        await run.complete()
    else:
        await wait(run)
        await engine.cancel(run.id)

    with pytest.raises(IllegalTransition, match="takes signals"):
        await tell(engine, run.id)


async def test_a_failed_one_does_for_it_may_be_resumed(engine):
    run = await engine.worker_run()
    await run.fail()
    await tell(engine, run.id)
    await engine.requeue(run.id)

    assert (await ask(await engine.claim("report"))).payload == "yes"


async def test_there_is_a_most_of_what_nobody_has_taken(engine, monkeypatch):
    monkeypatch.setattr(driver_signals, "SIGNALS_MAX", 2)
    run = await engine.worker_run()
    for number in range(2):
        await tell(engine, run.id, signal_id=f"sg_{number}")

    with pytest.raises(LimitReached):
        await tell(engine, run.id, signal_id="sg_3")
    await ask(run)
    await tell(engine, run.id, signal_id="sg_3")


async def test_a_key_of_other_workflows_tells_nothing(engine):
    run = await engine.worker_run()
    other = principal(engine.who.tenant_id, workflows=frozenset({"billing"}))

    with pytest.raises(WorkflowNotAllowed):
        await tell(engine, run.id, who=other)


async def test_retention_takes_the_payloads_of_signals_along(engine):
    """Of a taken one, too: the step's record counts its own. The fixture looks for what is left."""
    run = await engine.worker_run()
    await tell(engine, run.id, LONG, signal_id="sg_1")
    await tell(engine, run.id, LONG + "y", signal_id="sg_2")
    given = await ask(run)
    await run.step("ask", given.payload)
    await run.complete()
    engine.clock.advance(seconds=400 * 86_400)

    while await engine.write(retention.sweep_executions):
        pass

    assert set(await engine.read(lambda tx: tx.all(REFERENCES, int))) == {0}
