"""Keys of steps: first come, first served, nodes in the same row, and no slot that nobody has."""

import random
from dataclasses import replace

import pytest

from omium.ids import child_execution_id
from omium.server.engine import retention, step_slots
from omium.server.engine.nodes.sweeps import sweep_nodes
from omium.server.store import slots
from omium.states import Environment
from tests.engine.harness import Run
from tests.engine.locks import LockDatabase
from tests.engine.nodes.specs import Nodes, function, spec

KEY = "provider"


@pytest.fixture
def watched(engine):
    """The engine, whose works are refused when they take a lock out of order."""
    engine.parts = replace(engine.parts, db=LockDatabase(engine.db))
    return engine


async def ask(run, path="call", *, key=KEY, limit=1, attempt=1):
    return (await run.write(type="slot.asked", path=path, key=key, limit=limit, attempt=attempt)).slot


async def give_back(run, path="call", *, key=KEY, attempt=1):
    await run.write(type="slot.returned", path=path, key=key, attempt=attempt)


async def sweep(engine):
    """Do what the server does on its own about slots."""
    await engine.sweep()
    while await engine.write(step_slots.sweep_void) or await engine.write(
        lambda tx: sweep_nodes(tx, engine.parts)
    ):
        pass


async def start(engine, count):
    runs = []
    for _ in range(count):
        runs.append(await engine.start())
        engine.clock.advance(0.001)
    return runs


async def test_as_many_run_at_once_as_the_key_says(engine):
    runs = await start(engine, 4)

    assert [await ask(run, limit=2) for run in runs] == ["held", "held", "waiting", "waiting"]
    await give_back(runs[0])
    assert await ask(runs[3], limit=2) == "waiting"  # the other one has waited longer
    assert await ask(runs[2], limit=2) == "held"


async def test_several_steps_of_one_execution_have_a_slot_each(engine):
    (run,) = await start(engine, 1)

    assert [await ask(run, path, limit=2) for path in ("a", "b", "c")] == ["held", "held", "waiting"]


async def test_asked_and_given_back_twice_is_as_once(engine):
    first, second = await start(engine, 2)
    assert [await ask(first), await ask(first)] == ["held", "held"]
    await give_back(first)
    await give_back(first)

    assert await ask(second) == "held"
    assert await ask(first) == "waiting"


async def test_what_is_said_late_of_an_earlier_try_changes_nothing(engine):
    run, other = await start(engine, 2)
    await ask(run)
    assert await ask(run, attempt=2) == "held"  # the end of the first try is still on its way
    await give_back(run)
    assert await ask(other) == "waiting"
    await give_back(run, attempt=2)
    assert await ask(other) == "held"


async def test_keys_environments_and_tenants_do_not_know_each_other(engine):
    run = await engine.start()
    stranger = await engine.start(who=engine.stranger)
    production = await engine.start(who=replace(engine.who, environment=Environment.PROD))

    assert [await ask(run), await ask(run, "b", key="other")] == ["held", "held"]
    assert [await ask(stranger), await ask(production)] == ["held", "held"]


async def test_who_waits_is_handed_the_slot_in_its_turn(engine):
    first, second, third = await start(engine, 3)
    await ask(first), await ask(second), await ask(third)
    await give_back(first)
    await sweep(engine)

    assert await ask(third) == "waiting"
    assert await ask(second) == "held"


async def test_a_driver_that_is_gone_holds_nothing(engine):
    first, second = await start(engine, 2)
    await ask(first)
    await ask(second)
    engine.clock.advance(engine.parts.policy.lease_s + engine.parts.policy.grace_s - 1)
    await second.heartbeat()
    engine.clock.advance(2)
    await sweep(engine)

    assert (await engine.row(first.id)).status == "failed"
    assert await ask(second) == "held"


async def test_a_driver_that_comes_back_has_its_slot_still(engine):
    run, other = await start(engine, 2)
    await ask(run)
    await run.suspend("operator")
    again = await engine.resume(run.id)

    assert await ask(again) == "held"
    await sweep(engine)
    assert await ask(other) == "waiting"


@pytest.mark.parametrize("ending", ["complete", "fail", "cancel", "pause"])
async def test_whoever_waits_behind_one_that_has_ended_moves_up(engine, ending):
    first, second, third = await start(engine, 3)
    await ask(first), await ask(second), await ask(third)
    if ending == "cancel":
        await engine.cancel(second.id)
        await second.suspend("cancel")
    elif ending == "pause":
        await second.suspend("operator")
    else:
        await getattr(second, ending)()
    await give_back(first)
    await sweep(engine)

    assert await ask(third) == "held"


async def test_one_that_has_left_keeps_its_place_and_is_woken_for_its_turn(engine):
    holder = await engine.start()
    await ask(holder)
    waiting = await engine.worker_run("left")
    assert await ask(waiting) == "waiting"
    engine.clock.advance(0.001)
    (late,) = await start(engine, 1)
    assert await ask(late) == "waiting"
    await waiting.wait("slot", engine.clock.now_us() + 600_000_000)
    await sweep(engine)
    assert (await engine.row(waiting.id)).status == "waiting"

    await give_back(holder)
    await sweep(engine)

    assert (await engine.row(waiting.id)).status == "queued"
    again = await engine.claim("left")
    await sweep(engine)
    assert await ask(late) == "waiting"
    assert await ask(again) == "held"
    await give_back(again)
    assert await ask(late) == "held"


async def test_what_was_handed_to_one_step_is_for_whichever_comes_first_when_it_goes_on(engine):
    holder = await engine.start()
    await ask(holder)
    waiting = await engine.worker_run("left")
    assert [await ask(waiting, "a"), await ask(waiting, "b")] == ["waiting", "waiting"]
    await waiting.wait("slot", engine.clock.now_us() + 600_000_000)
    await give_back(holder)
    await sweep(engine)
    again = await engine.claim("left")

    assert await ask(again, "b") == "held"
    assert await ask(again, "a") == "waiting"
    await give_back(again, "b")
    assert await ask(again, "a") == "held"


async def test_a_slot_handed_over_to_a_step_that_waits_beside_is_its_own(engine):
    (run,) = await start(engine, 1)
    assert [await ask(run, path) for path in ("a", "b", "c")] == ["held", "waiting", "waiting"]
    await give_back(run, "a")
    await sweep(engine)

    assert await ask(run, "c") == "waiting"
    assert await ask(run, "b") == "held"


async def test_what_was_handed_over_and_is_not_taken_goes_to_the_next(engine):
    holder = await engine.start()
    await ask(holder)
    waiting = await engine.worker_run("left")
    await ask(waiting)
    await waiting.wait("slot", engine.clock.now_us() + 600_000_000)
    (late,) = await start(engine, 1)
    await ask(late)
    await give_back(holder)
    await sweep(engine)
    for _ in range(3):  # nobody serves what was woken
        engine.clock.advance(21)
        await late.heartbeat()
        await sweep(engine)

    assert await ask(late) == "held"


async def test_a_server_that_starts_keeps_what_was_handed_over(engine):
    first, second = await start(engine, 2)
    await ask(first), await ask(second)
    await give_back(first)
    await sweep(engine)
    engine.clock.advance(50)
    await engine.write(step_slots.restart_slots)
    engine.clock.advance(20)
    await second.heartbeat()
    await sweep(engine)
    await ask(first)

    assert await ask(second) == "held"


async def test_steps_inside_share_a_slot_of_the_same_key(engine):
    run, other = await start(engine, 2)
    assert await ask(run, "crew") == "held"
    assert await ask(run, "crew/task") == "held"
    await give_back(run, "crew/task")
    assert await ask(other) == "waiting"
    assert await ask(run, "crew-two") == "waiting"  # beside it, not inside


async def test_who_has_a_slot_does_not_wait_for_another(engine):
    run, other = await start(engine, 2)
    await ask(run, "crew")
    await ask(other, key="search")

    assert await ask(run, "crew/find", key="search") == "taken"
    await give_back(other, key="search")
    assert await ask(run, "crew/find", key="search") == "held"
    assert await ask(run, "crew/find/inner", key=KEY) == "held"  # of the crew


async def test_a_child_counts_as_inside_of_the_step_that_started_it(engine):
    run, other = await start(engine, 2)
    await ask(run, "crew")
    await ask(other, key="search")
    child = await engine.start(
        "child", id=child_execution_id(run.id, "crew/call"), parent_id=run.id, parent_path="crew/call"
    )

    assert await ask(child, key=KEY) == "held"
    assert await ask(child, key="search") == "taken"


async def test_what_is_removed_takes_no_slot_along(engine):
    run, other = await start(engine, 2)
    await ask(run)
    await run.complete()
    row = await engine.row(run.id)
    await engine.write(lambda tx: retention.remove_portion(tx, row))

    assert await ask(other) == "held"


async def test_nodes_of_a_child_share_the_slot_of_the_step_that_started_it(engine):
    nodes = Nodes(engine)
    run, other = await start(engine, 2)
    await ask(run, "crew")
    await ask(other, key="search")
    keyed = [
        function(name) | {"concurrency": {"key": key, "limit": 1}}
        for name, key in (("a", KEY), ("b", "search"))
    ]
    child = await nodes.start(
        spec(keyed), id=child_execution_id(run.id, "crew/call"), parent_id=run.id, parent_path="crew/call"
    )

    (task,) = await nodes.claim_all()
    assert task.path == "a"
    await nodes.complete(task, 1)
    await give_back(other, key="search")
    await sweep(engine)
    await nodes.complete(await nodes.claim(), 1)
    assert await nodes.status(child) == ("completed", None)
    assert await ask(other) == "waiting"  # the step has its slot still


async def test_nodes_of_the_engine_and_steps_wait_in_one_row(engine):
    nodes = Nodes(engine)
    document = spec([function(name) | {"concurrency": {"key": KEY, "limit": 1}} for name in ("a", "b")])
    first, second = await start(engine, 2)
    assert await ask(first) == "held"
    run = await nodes.start(document)
    assert await nodes.claim_all() == []  # both wait for the step
    engine.clock.advance(0.001)
    assert await ask(second) == "waiting"

    await give_back(first)
    for _ in range(2):
        await sweep(engine)
        assert await ask(second) == "waiting"  # nodes that waited before it come first
        (task,) = await nodes.claim_all()
        await nodes.complete(task, 1)
    await sweep(engine)

    assert await nodes.status(run) == ("completed", None)
    assert await ask(second) == "held"
    await nodes.start("flow")
    assert await nodes.claim_all() == []
    await give_back(second)
    await sweep(engine)
    assert len(await nodes.claim_all()) == 1


async def test_a_node_does_not_overtake_a_step_that_waits(engine):
    nodes = Nodes(engine)
    first, second = await start(engine, 2)
    await ask(first), await ask(second)
    await give_back(first)
    engine.clock.advance(0.001)
    run = await nodes.start(spec([function("a") | {"concurrency": {"key": KEY, "limit": 1}}]))

    assert await nodes.claim_all() == []  # the slot is free, and not the node's
    assert await ask(second) == "held"
    await give_back(second)
    await sweep(engine)
    await nodes.complete(await nodes.claim(), 1)
    assert await nodes.status(run) == ("completed", None)


async def test_who_waits_behind_one_with_a_lower_limit_is_woken_when_that_one_goes(engine):
    holder, strict = await start(engine, 2)
    await ask(holder, limit=1), await ask(strict, limit=1)
    waiting = await engine.worker_run("left")
    assert await ask(waiting, limit=5) == "waiting"
    await waiting.wait("slot", engine.clock.now_us() + 600_000_000)
    await sweep(engine)
    await give_back(strict)
    await sweep(engine)

    assert (await engine.row(waiting.id)).status == "queued"


async def test_a_step_that_may_not_wait_any_more_is_in_nobodys_way(engine):
    run, other, third = await start(engine, 3)
    await ask(other, key="search")
    assert await ask(run, "crew/find", key="search") == "waiting"
    await ask(run, "crew")
    assert await ask(run, "crew/find", key="search") == "taken"
    assert await ask(third, key="search") == "waiting"
    await give_back(other, key="search")
    assert await ask(third, key="search") == "held"


async def test_keys_are_locked_in_one_order(watched):
    run = await watched.start()
    asked = [{"type": "slot.asked", "path": key, "key": key, "limit": 1} for key in ("b", "a")]
    group = await run.send(*asked, watched.completed("step"))

    assert [each.slot for each in group.results] == ["held", "held", None]
    back = [{"type": "slot.returned", "path": key, "key": key} for key in ("b", "a")]
    await run.send({"type": "failure.captured", "id": "f1", "error": {"type": "E", "message": "m"}}, *back)
    await sweep(watched)


@pytest.mark.parametrize("seed", range(8))
async def test_whatever_happens_the_limit_holds_and_nobody_is_forgotten(engine, seed):
    chance = random.Random(seed)
    limit = chance.randint(1, 3)
    held: dict[str, Run] = {}
    waiting: dict[str, Run] = {}
    for _ in range(60):
        engine.clock.advance(0.001)
        match chance.choice(["start", "start", "ask", "ask", "back", "die", "leave", "end", "sweep"]):
            case "start":
                run = await engine.worker_run()
                (held if await ask(run, limit=limit) == "held" else waiting)[run.id] = run
            case "ask" if waiting:
                run = chance.choice([*waiting.values()])
                if await ask(run, limit=limit) == "held":
                    held[run.id] = waiting.pop(run.id)
            case "back" if held:
                run = held.pop(chance.choice([*held]))
                await give_back(run)
                await run.complete()
            case "die" if held:
                held.pop(chance.choice([*held]))
                for run in (*held.values(), *waiting.values()):
                    engine.clock.advance(0.001)
                    await run.heartbeat()
            case "leave" if waiting:
                run = waiting.pop(chance.choice([*waiting]))
                await run.wait("slot", engine.clock.now_us() + 600_000_000)
            case "end" if waiting:
                await waiting.pop(chance.choice([*waiting])).complete()
            case "sweep":
                await sweep(engine)
        assert len(held) <= limit
    for run in held.values():
        await run.complete()  # without a word about its slot
    for run in waiting.values():
        await run.complete()
    for _ in range(200):  # those that have died, and those that have left, one after the other
        engine.clock.advance(61)
        await sweep(engine)
        for grant in (await engine.ask(max_executions=20)).grants:
            run = Run(engine, grant, engine.who)
            state = await ask(run, limit=limit)
            if state == "held":
                await give_back(run)
                await run.complete()
            else:
                await run.wait("slot", engine.clock.now_us() + 600_000_000)
    assert await engine.write(lambda tx: slots.list_freed(tx, 10)) == []
    fresh = await start(engine, limit)
    assert [await ask(run, limit=limit) for run in fresh] == ["held"] * limit
