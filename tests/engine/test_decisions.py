"""Effects whose outcome nobody knows: one person decides, once."""

from dataclasses import replace

import pytest

from omium.clock import ManualClock
from omium.errors import AlreadyDecided, NotFound
from omium.jsonvalue import digest
from omium.models.replay import DecideEffect
from omium.server.db.open import open_database
from omium.server.engine.decisions import decide_effect
from omium.server.engine.failures import record_occurrence
from omium.server.engine.values import PackedValue
from omium.server.store import effects, failures
from omium.server.store.executions import lock_execution
from omium.states import EventType, ExecutionStatus
from tests.engine.rows import make_rows

OUTPUT = PackedValue(b'"receipt"', digest(b'"receipt"'), 9)


@pytest.fixture
async def rows(database_url):
    clock = ManualClock()
    db = await open_database(database_url, clock=clock)
    yield await make_rows(db, clock)
    await db.close()


@pytest.fixture
async def stuck(rows):
    """An execution paused for an effect, with its inbox item and another failure."""
    row = await rows.start()
    key = await rows.effect(row, "pay", state="unknown")

    def items(tx):
        locked = lock_execution(tx, rows.tenant_id, row.id)
        for seq, (kind, path) in enumerate((("effect-unknown", "pay"), ("error", "pay"), ("error", "write"))):
            record_occurrence(tx, locked, kind=kind, path=path, seq=100 + seq, error={"type": kind})

    await rows.write(items)
    row = await rows.move(row, ExecutionStatus.PAUSED, EventType.EXECUTION_PAUSED, reason="effect")
    return row, key


async def decide(rows, stuck, decision, output=OUTPUT, **more):
    row, key = stuck
    command = DecideEffect(decision=decision, reason="looked it up")
    principal = replace(rows.principal, **more)
    return await rows.write(lambda tx: decide_effect(tx, principal, row.id, key, command, output))


@pytest.mark.parametrize(("decision", "state"), [("confirm", "done"), ("skip", "skipped")])
async def test_confirm_and_skip_record_the_output_and_close_the_inbox_item(rows, stuck, decision, state):
    effect = await decide(rows, stuck, decision)

    assert (effect.state, effect.output, effect.decided_by) == (state, b'"receipt"', "key_test")
    assert (effect.done_seq is not None) == (state == "done")
    found = await rows.db.read(lambda tx: failures.list_of_execution(tx, stuck[0].id))
    assert {(each.path, each.status) for each in found} == {
        ("pay", "resolved"),
        ("pay", "open"),
        ("write", "open"),
    }


async def test_redo_allows_one_call_under_a_new_key_and_keeps_what_is_known_of_the_old_one(rows, stuck):
    effect = await decide(rows, stuck, "redo", None)

    assert (effect.state, effect.redo) == ("not_applied", 1)
    assert effect.effect_key != stuck[1]
    old = await rows.db.read(lambda tx: effects.find_effect(tx, rows.tenant_id, stuck[1]))
    assert (old.state, old.decided_by) == ("unknown", "key_test")
    assert await rows.db.read(lambda tx: effects.list_unresolved(tx, stuck[0].id)) == []


@pytest.mark.parametrize("second", ["confirm", "redo", "skip"])
@pytest.mark.parametrize("first", ["confirm", "redo", "skip"])
async def test_the_second_decision_is_told_that_there_is_nothing_to_decide(rows, stuck, first, second):
    await decide(rows, stuck, first)
    before = await rows.get(stuck[0].id)
    with pytest.raises(AlreadyDecided):
        await decide(rows, stuck, second)

    assert await rows.get(stuck[0].id) == before


@pytest.mark.parametrize("state", ["done", "not_applied", "skipped"])
async def test_what_is_known_needs_no_decision(rows, state):
    row = await rows.start()
    key = await rows.effect(row, "pay", state=state)
    with pytest.raises(AlreadyDecided):
        await decide(rows, (row, key), "skip")


async def test_an_effect_that_is_being_called_is_not_decided_under_its_drivers_hands(rows):
    row = await rows.start()
    key = await rows.effect(row, "pay", state="intended")
    with pytest.raises(AlreadyDecided):
        await decide(rows, (row, key), "confirm")

    await rows.move(row, ExecutionStatus.FAILED, EventType.EXECUTION_FAILED)
    assert (await decide(rows, (row, key), "confirm")).state == "done"


async def test_another_tenants_or_executions_effect_is_not_found(rows, stuck):
    other = await rows.start()
    with pytest.raises(NotFound):
        await decide(rows, (other, stuck[1]), "skip")
    with pytest.raises(NotFound):
        await decide(rows, stuck, "skip", tenant_id="tn_other")


async def test_a_replay_in_the_same_lineage_may_decide_for_its_source(rows, stuck):
    replay = await rows.start(lineage_root=stuck[0].lineage_root, replay_of=stuck[0].id)
    effect = await decide(rows, (replay, stuck[1]), "confirm")

    assert (effect.state, effect.done_seq) == ("done", None)
