"""Effects: announced before they happen, never guessed, never called twice (semantics 2.7)."""

import pytest

from omium.errors import EffectBlocked, EffectUnresolved, LeaseLostProblem, LimitReached, StepConflict
from omium.models.replay import DecideEffect
from omium.server.db.tx import Sql
from omium.server.engine.decisions import decide_effect
from omium.server.engine.effects import effect_key
from omium.server.engine.fold import find_differences, fold_events
from omium.server.engine.verify import list_problems
from omium.server.store.events import list_events
from omium.states import EffectDecision


async def decide(engine, run, key, decision, output=None):
    packed = engine.parts.vault.pack(engine.who.tenant_id, output)
    command = DecideEffect(decision=EffectDecision(decision))
    return await engine.write(
        lambda tx: decide_effect(tx, engine.who, run.id, key, command, packed if output else None)
    )


async def test_an_effect_is_announced_done_and_recorded_as_a_step(engine):
    run = await engine.start()
    answer = await run.intend("pay")
    assert (answer.may_call, answer.effect_key) == (True, effect_key(run.id, "pay", 0))
    assert (await engine.effects(run.id))["pay"].state == "intended"

    await run.end_effect("pay", answer.effect_key, output="receipt")

    assert (await engine.effects(run.id))["pay"].state == "done"
    step = (await engine.steps(run.id))["pay"]
    assert (step.kind, step.status, step.output, step.effect_key) == (
        "effect",
        "completed",
        b'"receipt"',
        answer.effect_key,
    )
    assert (await engine.event_types(run.id))[1:] == ["effect.intended", "effect.done"]
    assert (await engine.row(run.id)).steps_completed == 1


async def test_every_report_of_an_effect_may_be_sent_twice(engine):
    run = await engine.start()
    for _ in range(2):
        answer = await run.intend("pay")
        assert answer.may_call
    first = await run.end_effect("pay", answer.effect_key, output="receipt")
    again = await run.end_effect("pay", answer.effect_key, output="receipt")

    assert (first.seq, first.effect.state) == (again.seq, again.effect.state)
    assert len(await engine.events(run.id)) == 3
    with pytest.raises(StepConflict):
        await run.end_effect("pay", answer.effect_key, output="another")
    with pytest.raises(StepConflict):
        await run.end_effect("pay", "0" * 64, output="receipt")


async def test_a_done_effect_is_answered_and_never_called_again(engine):
    run = await engine.start()
    await run.effect("pay", output="receipt")
    answer = await run.intend("pay", attempt=2)
    assert (answer.may_call, answer.state, answer.output) == (False, "done", "receipt")


async def test_a_done_effect_with_another_input_is_blocked(engine):
    run = await engine.start()
    await run.effect("pay", output="receipt", input=10)
    with pytest.raises(EffectBlocked):
        await run.intend("pay", attempt=2, input=99)


async def test_what_certainly_did_not_happen_is_tried_again_with_the_same_key(engine):
    run = await engine.start()
    first = await run.intend("pay")
    error = {"type": "EffectNotApplied", "message": "refused"}
    for _ in range(2):  # a repeat changes nothing
        await run.end_effect("pay", first.effect_key, "not_applied", error=error, delay_us=1000)
    assert (await engine.steps(run.id))["pay"].status == "retrying"

    second = await run.intend("pay", attempt=2)
    assert (second.may_call, second.effect_key) == (True, first.effect_key)
    await run.end_effect("pay", second.effect_key, output="receipt", attempt=2)
    step = (await engine.steps(run.id))["pay"]
    assert (step.status, step.attempt) == ("completed", 2)


async def test_an_unknown_outcome_waits_for_a_person(engine):
    run = await engine.start()
    key = (await run.intend("pay")).effect_key
    error = {"type": "TimeoutError", "message": "no answer"}
    await run.end_effect("pay", key, "unknown", error=error)

    assert not (await run.intend("pay", attempt=2)).may_call
    await run.suspend("effect")
    row = await engine.row(run.id)
    assert (row.status, row.reason) == ("paused", "effect")
    assert await engine.inbox(run.id) == [("effect-unknown", "pay", "open")]
    for resume in (engine.resume, engine.requeue):
        with pytest.raises(EffectUnresolved):
            await resume(run.id)


@pytest.mark.parametrize("decision", ["confirm", "skip"])
async def test_a_decision_lets_it_go_on_without_a_call(engine, decision):
    run = await engine.start()
    key = (await run.intend("pay")).effect_key
    await run.end_effect("pay", key, "unknown")
    await run.suspend("effect")
    await decide(engine, run, key, decision, output="by hand")

    again = await engine.resume(run.id)
    answer = await again.intend("pay", attempt=2)
    assert (answer.may_call, answer.output) == (False, "by hand")
    assert (await engine.steps(run.id))["pay"].output == b'"by hand"'


async def test_a_redo_has_a_new_key(engine):
    run = await engine.start()
    key = (await run.intend("pay")).effect_key
    await run.end_effect("pay", key, "unknown")
    await run.suspend("effect")
    await decide(engine, run, key, "redo")

    again = await engine.resume(run.id)
    answer = await again.intend("pay", attempt=2)
    assert (answer.may_call, answer.effect_key) == (True, effect_key(run.id, "pay", 1))


async def test_an_answered_effect_gives_up_the_input_of_its_earlier_try(engine):
    run = await engine.start()
    key = (await run.intend("pay", input="x" * 100_000)).effect_key
    await run.end_effect("pay", key, "not_applied", input="x" * 100_000, delay_us=1)
    await run.intend("pay", input="x" * 100_000, attempt=2)
    await run.end_effect("pay", key, "unknown", input="x" * 100_000, attempt=2)
    await run.suspend("effect")
    await decide(engine, run, key, "confirm", output="by hand")
    again = await engine.resume(run.id)
    await again.intend("pay", input="x" * 100_000, attempt=3)

    references = await engine.read(lambda tx: tx.all(Sql("SELECT refs FROM payloads"), int))
    assert references == [2], "the effect's row and the step's row"


async def test_a_late_done_of_an_earlier_call_leaves_every_value_counted(engine):
    run = await engine.start()
    big = "x" * 100_000
    key = (await run.intend("pay", mode="idempotent", input=big)).effect_key
    for attempt in (1, 2):
        await run.end_effect("pay", key, "unknown", input=big, attempt=attempt, delay_us=1)
        await run.intend("pay", mode="idempotent", input=big, attempt=attempt + 1)
    await run.end_effect("pay", key, output="receipt", input=big, attempt=2)

    references = await engine.read(lambda tx: tx.all(Sql("SELECT refs FROM payloads"), int))
    assert references == [3], "the effect, the result, and the try that the result came after"
    assert await list_problems(engine.db) == []


async def test_a_redo_whose_outcome_is_unknown_too_asks_a_person_again(engine):
    run = await engine.start()
    key = (await run.intend("pay")).effect_key
    await run.end_effect("pay", key, "unknown")
    await run.suspend("effect")
    await decide(engine, run, key, "redo")
    again = await engine.resume(run.id)
    second = (await again.intend("pay", attempt=2)).effect_key
    await again.end_effect("pay", second, "unknown", attempt=2)
    await again.suspend("effect")

    with pytest.raises(EffectUnresolved):
        await engine.resume(run.id)
    await decide(engine, run, second, "confirm", output="by hand")
    last = await engine.resume(run.id)
    assert (await last.intend("pay", attempt=3)).output == "by hand"


async def test_a_driver_lost_between_intent_and_result_leaves_a_question(engine):
    run = await engine.worker_run()
    await run.intend("pay")
    await engine.expire()

    row = await engine.row(run.id)
    assert (row.status, row.reason, row.interruptions) == ("paused", "effect", 1)
    assert await engine.inbox(run.id) == [("effect-unknown", "pay", "open")]


async def test_an_effect_whose_receiver_honours_keys_is_simply_called_again(engine):
    run = await engine.worker_run()
    first = await run.intend("pay", mode="idempotent")
    await engine.expire()
    assert (await engine.row(run.id)).status == "queued"

    again = await engine.claim()
    second = await again.intend("pay", mode="idempotent")
    assert (second.may_call, second.effect_key) == (True, first.effect_key)


async def test_an_idempotent_effect_may_be_tried_after_an_unknown_outcome(engine):
    run = await engine.start()
    key = (await run.intend("pay", mode="idempotent")).effect_key
    for _ in range(2):
        await run.end_effect("pay", key, "unknown", delay_us=5)
    assert (await run.intend("pay", mode="idempotent", attempt=2)).may_call
    await run.end_effect("pay", key, output="receipt", attempt=2)
    assert (await engine.effects(run.id))["pay"].state == "done"


async def test_a_late_result_is_heard_and_changes_the_effect_only(engine):
    await engine.queue()
    run = await engine.claim()
    key = (await run.intend("pay")).effect_key
    await engine.expire()

    for _ in range(2):
        late = await run.end_effect("pay", key, output="receipt")
        assert late.effect.state == "done"

    row = await engine.row(run.id)
    assert (row.status, row.steps_completed) == ("paused", 0)
    assert await engine.steps(run.id) == {}
    assert (await engine.event_types(run.id))[-1] == "effect.reported_late"
    assert (await engine.event_types(run.id)).count("effect.reported_late") == 1
    assert await engine.inbox(run.id) == [("effect-unknown", "pay", "resolved")]

    again = await engine.resume(run.id)
    answer = await again.intend("pay")
    assert (answer.may_call, answer.output) == (False, "receipt")


async def test_a_late_result_after_the_end_is_heard_too(engine):
    run = await engine.start()
    key = (await run.intend("pay")).effect_key
    await run.complete()
    assert (await engine.effects(run.id))["pay"].state == "unknown"
    await run.end_effect("pay", key, output="receipt")
    assert (await engine.effects(run.id))["pay"].state == "done"
    assert (await engine.row(run.id)).status == "completed"


async def test_a_late_result_beside_a_redo_is_a_duplicate_in_the_inbox(engine):
    run = await engine.start()
    key = (await run.intend("pay")).effect_key
    await run.end_effect("pay", key, "unknown")
    await run.suspend("effect")
    await decide(engine, run, key, "redo")
    again = await engine.resume(run.id)
    await again.effect("pay", output="second", attempt=2)

    await run.end_effect("pay", key, output="first")

    assert "effect.duplicated" in await engine.event_types(run.id)
    assert ("effect-duplicated", "pay", "open") in await engine.inbox(run.id)


async def test_a_late_result_takes_the_place_of_a_redo_that_has_not_begun(engine):
    run = await engine.start()
    key = (await run.intend("pay")).effect_key
    await run.end_effect("pay", key, "unknown")
    await run.suspend("effect")
    await decide(engine, run, key, "redo")
    await run.end_effect("pay", key, output="first")

    again = await engine.resume(run.id)
    answer = await again.intend("pay", attempt=2)
    assert (answer.may_call, answer.output) == (False, "first")
    assert "effect.duplicated" not in await engine.event_types(run.id)


async def test_a_stranger_cannot_report_an_effect(engine):
    run = await engine.start()
    other = await engine.start()
    key = (await run.intend("pay")).effect_key
    with pytest.raises(StepConflict):
        await other.end_effect("pay", key, output="forged")
    await other.complete()
    with pytest.raises(LeaseLostProblem):
        await other.end_effect("pay", key, output="forged")


async def test_no_effect_begins_beyond_the_limit_of_steps(engine):
    run = await engine.start(limits={"max_steps": 1})
    answer = await run.send(engine.completed("search"))
    assert answer.suspend == "limit"
    with pytest.raises(LimitReached):
        await run.intend("pay")
    await run.suspend("limit")
    with pytest.raises(LimitReached):
        await engine.resume(run.id)
    again = await engine.resume(run.id, max_steps=5)
    assert (await again.intend("pay")).may_call


async def test_numbers_that_are_given_back_leave_no_gap(engine):
    run = await engine.start()
    await run.intend("pay")
    await run.intend("pay")
    await run.step("next")
    assert [event.seq for event in await engine.events(run.id)] == [1, 2, 3]


async def test_a_late_report_says_whose_it_was_and_the_log_still_tells_the_row(engine):
    run = await engine.worker_run()
    key = (await run.intend("pay", mode="idempotent")).effect_key
    await engine.expire()
    await engine.claim()
    await run.end_effect("pay", key, output="receipt")

    said = (await engine.events(run.id))[-1]
    assert (said.type, said.data["reported_by_epoch"]) == ("effect.reported_late", 1)
    row = await engine.row(run.id)
    logged = await engine.read(lambda tx: list_events(tx, row.tenant_id, run.id, 0, 100))
    assert find_differences(row, fold_events(logged)) == []
