"""Schedules start imported specs by the same name, in the server's engine."""

from omium.models.schedules import CreateSchedule, CreateTrigger
from omium.server.schedules import firing, planning, triggers
from omium.server.schedules.following import Following
from omium.server.store import fires
from tests.engine.nodes.specs import Nodes, chain


async def test_an_imported_spec_runs_on_its_schedule_and_is_followed(engine, key_file):
    nodes = Nodes(engine)
    await nodes.store(chain("a"))
    command = CreateSchedule(name="s", workflow="flow", cron="0 * * * *", overlap="queue")
    schedule = await engine.write(lambda tx: planning.create_schedule(tx, engine.parts, engine.who, command))
    after = CreateTrigger(name="t", kind="after", workflow="report", after_workflow="flow")
    await engine.write(lambda tx: triggers.create_trigger(tx, engine.parts, key_file, engine.who, after))
    for _ in range(2):
        engine.clock.advance(seconds=3600)
        await engine.write(lambda tx: firing.sweep_due(tx, engine.parts))

    (waiting, fired) = await engine.read(lambda tx: fires.list_fires(tx, schedule.id, (2**62, ""), 10))
    assert (await engine.row(fired.execution_id)).driver == "engine"
    assert waiting.outcome == "waiting"
    assert await engine.write(lambda tx: firing.sweep_waiting(tx, engine.parts)) == 0  # the first one runs
    task = await nodes.claim()
    await nodes.complete(task, "made")
    assert (await nodes.status(fired.execution_id))[0] == "completed"

    assert await engine.write(lambda tx: firing.sweep_waiting(tx, engine.parts)) == 1
    assert (await nodes.claim()).execution_id != fired.execution_id
    following = Following(engine.parts)
    while await engine.write(following.sweep):
        pass
    assert (await engine.claim("report")).grant.input["execution"]["id"] == fired.execution_id


async def test_an_input_that_the_spec_refuses_is_told(engine):
    nodes = Nodes(engine)
    needs = {"type": "object", "required": ["topic"], "properties": {"topic": {"type": "string"}}}
    await nodes.store(chain("a", inputs=needs))
    command = CreateSchedule(name="s", workflow="flow", cron="0 * * * *")
    schedule = await engine.write(lambda tx: planning.create_schedule(tx, engine.parts, engine.who, command))
    engine.clock.advance(seconds=3600)
    await engine.write(lambda tx: firing.sweep_due(tx, engine.parts))
    (fire,) = await engine.read(lambda tx: fires.list_fires(tx, schedule.id, (2**62, ""), 10))
    assert (fire.outcome, fire.execution_id) == ("refused", None)
