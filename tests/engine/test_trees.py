"""Trees of any size: each page is a small transaction, and a process that dies between two loses nothing."""

import asyncio

import pytest

from omium.errors import IllegalTransition
from omium.models.execution import CancelExecution
from omium.models.replay import RollbackExecution
from omium.server.engine import cancel, claims
from omium.server.engine.rollback import ChildrenFirst, leave_some, roll_back
from tests.engine.harness import process

CHILDREN = 5


@pytest.fixture
async def tree(engine):
    """A parent that waits, with children in the queue, the first of which has one of its own."""
    parent = await engine.start("tree")
    ids = []
    for index in range(CHILDREN):
        engine.clock.advance(1)
        ids.append(await engine.queue("child", parent_id=parent.id, parent_path=f"c{index}", id=None))
    child = await engine.claim("child", execution_id=ids[0])
    await engine.queue("below", parent_id=child.id, parent_path="d", id=None)
    await child.wait("signal")
    await parent.wait("signal")
    return parent, ids


async def ask(engine, execution_id):
    """Ask, and die before anything else."""
    await engine.write(lambda tx: cancel.request_cancel(tx, engine.who, execution_id, CancelExecution()))


async def count_cancelled(engine, ids):
    return [(await engine.row(each)).status for each in ids].count("cancelled")


async def test_a_cancel_reaches_the_whole_tree_page_by_page_also_after_a_crash(engine, tree):
    parent, ids = tree
    await ask(engine, parent.id)
    assert (await engine.row(parent.id)).status == "cancelled"
    assert await count_cancelled(engine, ids) == 0
    engine.clock.advance(1)  # of two cancels of the same moment, either may come first
    counts = []
    while await engine.write(lambda tx: cancel.sweep_trees(tx, limit=2)):  # as a server that starts then does
        counts.append(await count_cancelled(engine, ids))
    assert counts[:3] == [2, 4, 5]
    assert await engine.write(cancel.sweep_trees) == 0
    for each in ids:
        assert (await engine.event_types(each)).count("cancel.requested") == 1
    assert (await engine.ask("below")).grants == [], "a child's child is cancelled, too"


async def test_a_cancel_that_is_asked_for_twice_goes_on_once(engine, tree):
    parent, ids = tree
    for _ in range(2):
        await ask(engine, parent.id)
        await engine.write(lambda tx: cancel.sweep_trees(tx, limit=2))
    await cancel.reach_children(engine.db)
    assert await count_cancelled(engine, ids) == CHILDREN
    assert [(await engine.event_types(each)).count("execution.cancelled") for each in ids] == [1] * CHILDREN


async def test_a_driver_that_stops_first_does_not_leave_its_children_behind(engine):
    parent = await engine.start("tree")
    child = await engine.queue("child", parent_id=parent.id, parent_path="c", id=None)
    await ask(engine, parent.id)
    await parent.suspend("cancel")
    await engine.sweep()
    assert (await engine.row(child)).status == "cancelled"


async def test_many_servers_ask_each_child_once(engine, tree):
    parent, ids = tree
    await ask(engine, parent.id)
    for _ in range(CHILDREN):
        await asyncio.gather(*(engine.write(lambda tx: cancel.sweep_trees(tx, limit=1)) for _ in range(3)))
    await engine.sweep()
    assert await count_cancelled(engine, ids) == CHILDREN
    assert [(await engine.event_types(each)).count("cancel.requested") for each in ids] == [1] * CHILDREN


async def back(engine, execution_id, children_max=2, left=()):
    command = RollbackExecution(to_seq=1)
    return await engine.write(
        lambda tx: roll_back(tx, engine.who, execution_id, command, left=left, children_max=children_max)
    )


async def leave(engine, execution_id):
    command = RollbackExecution(to_seq=1)
    return await engine.write(lambda tx: leave_some(tx, engine.who, execution_id, command, children_max=2))


async def test_a_rollback_leaves_many_children_before_it_and_goes_on_after_a_crash(engine, tree):
    parent, ids = tree
    before = await engine.row(parent.id)
    with pytest.raises(ChildrenFirst):
        await back(engine, parent.id)
    left = await leave(engine, parent.id)
    assert left == ids[:2]
    assert await engine.row(parent.id) == before, "it has not gone back, and may be asked again"
    with pytest.raises(ChildrenFirst):  # the process died here; somebody asks again
        await back(engine, parent.id)
    left += await leave(engine, parent.id)
    row, plan = await back(engine, parent.id, left=left)
    assert (row.status, row.generation) == ("paused", 2)
    assert sorted(plan.cancelled_children) == sorted(ids)
    assert await count_cancelled(engine, ids) == CHILDREN
    assert (await engine.ask("below")).grants == []


async def test_a_page_refuses_what_the_rollback_refuses(engine, tree):
    parent, ids = tree
    await engine.claim("child", execution_id=ids[3])
    with pytest.raises(IllegalTransition):
        await leave(engine, parent.id)
    assert await count_cancelled(engine, ids) == 0


async def test_what_runs_deep_below_refuses_before_the_first_page_has_left_anything(engine, tree):
    parent, ids = tree
    grandchild = await engine.queue("grandchild", parent_id=ids[-1], parent_path="g", id=None)
    await engine.claim("grandchild", execution_id=grandchild)
    with pytest.raises(IllegalTransition, match=grandchild):
        await leave(engine, parent.id)
    assert await count_cancelled(engine, ids) == 0


async def test_what_a_gone_worker_held_is_freed_one_by_one_also_after_a_crash(engine):
    for _ in range(CHILDREN):
        await engine.queue()
    held = (await engine.ask(worker="before", process=process(pid=1), max_executions=CHILDREN)).grants
    after = process(pid=2)
    assert await engine.write(lambda tx: claims.free_one(tx, engine.who, after, "before"))
    statuses = [(await engine.row(each.execution.id)).status for each in held]
    assert sorted(statuses) == ["queued"] + ["running"] * (CHILDREN - 1)

    asked = await engine.ask(worker="after", process=after, gone_workers=["before"], max_executions=CHILDREN)
    assert len(asked.grants) == CHILDREN
    assert not await engine.write(lambda tx: claims.free_one(tx, engine.who, after, "before"))
    for each in held:
        assert (await engine.row(each.execution.id)).interruptions == 1
