"""Replays: what is reused, what runs again, what is blocked, and that the source stays as it is."""

from __future__ import annotations

from dataclasses import replace as changed

import pytest

from omium.errors import (
    EffectBlocked,
    ExecutionExists,
    IllegalTransition,
    InvalidRequest,
    NotFound,
    PlanNeeded,
    PlanStale,
)
from omium.ids import new_id
from omium.jsonvalue import canonical_bytes, digest
from omium.models.replay import DecideEffect, PlanReplay, ReplayExecution
from omium.server.db.tx import Sql
from omium.server.engine import source
from omium.server.engine.decisions import decide_effect
from omium.server.engine.fence import DRIVER_LOST
from omium.server.engine.replay import prepare_replay, start_replay
from omium.server.engine.replay_packing import pack_replay
from omium.server.engine.replay_requests import plan_replay, replay
from omium.server.engine.source import read_source
from omium.server.engine.values import fetch_value
from omium.server.engine.verify import list_problems
from omium.server.seal import KeyFile
from omium.server.store import details, failures, steps
from omium.server.store.events import list_events
from omium.server.store.executions import get_execution
from omium.states import EffectDecision
from tests.engine.harness import Run, principal, process

BIG = "x" * 100_000


@pytest.fixture
def keys(tmp_path):
    return KeyFile.open(tmp_path / "replay.keys")


@pytest.fixture
def again(engine, keys):
    """Start a replay and return the answer."""

    async def start(execution_id, *, who=None, **fields):
        values = {"id": new_id("ex", engine.clock.now_us())} | fields
        return await replay(engine.parts, keys, who or engine.who, execution_id, ReplayExecution(**values))

    return start


@pytest.fixture
def look(engine, keys):
    """Make a plan."""

    async def plan(execution_id, *, who=None, **fields):
        return await plan_replay(engine.parts, keys, who or engine.who, execution_id, PlanReplay(**fields))

    return plan


@pytest.fixture
async def failed(engine):
    """An execution that did three steps, the second inside the third, and failed at the fourth."""
    run = await engine.start("report")
    await run.step("search", output=["a", "b"])
    await run.step("write/draft", output=BIG)
    await run.step("write", output="text")
    await run.checkpoint("state", {"n": 1})
    await run.fail_step("send")
    await run.fail("send")
    return run


async def live(engine, execution_id):
    found = await engine.read(lambda tx: steps.list_live_steps(tx, execution_id, limit=100))
    return {step.path: step for step in found}


def dispositions(plan):
    return {step.path: step.disposition for step in plan.steps}


async def test_a_failed_execution_goes_on_as_a_new_one_from_its_failed_step(engine, failed, again):
    answer = await again(failed.id)

    assert (answer.execution.status, answer.execution.replay_of) == ("queued", failed.id)
    assert answer.execution.lineage_root == failed.id
    assert dispositions(answer.plan) == {
        "search": "reuse",
        "write/draft": "reuse",
        "write": "reuse",
        "send": "rerun",
    }
    records = await live(engine, answer.execution.id)
    assert sorted(records) == ["search", "write", "write/draft"]
    assert {record.reused_from for record in records.values()} == {failed.id}
    assert answer.execution.steps_completed == 0  # by this execution itself


async def test_a_worker_that_claims_the_replay_is_given_the_records_and_the_saved_state(
    engine, failed, again
):
    answer = await again(failed.id)
    run = await engine.claim("report")

    assert run.id == answer.execution.id
    assert {record.path for record in run.grant.records} == {"search", "write", "write/draft"}
    assert run.grant.input == {"topic": "tea"}
    assert run.grant.checkpoints == {"state": {"n": 1}}
    await run.step("send")
    await run.complete("sent")


async def test_a_source_with_more_steps_than_one_transaction_copies_is_refused(
    engine, failed, again, look, monkeypatch
):
    monkeypatch.setattr(source, "STEPS_MAX", 1)
    for ask in (look, again):
        with pytest.raises(InvalidRequest, match="more than 1 steps"):
            await ask(failed.id)


async def test_an_unedited_replay_of_a_completed_execution_re_runs_nothing(engine, again, look):
    run = await engine.start("report")
    await run.step("search")
    await run.effect("pay")
    await run.complete("done")

    plan = await look(run.id)
    assert (plan.reuse, plan.rerun, plan.blocked, plan.exact) == (2, 0, 0, True)
    answer = await again(run.id)
    assert set(await live(engine, answer.execution.id)) == {"search", "pay"}
    again_run = await engine.claim("report")
    assert {record.path for record in again_run.grant.records} == {"search", "pay"}


async def test_the_source_stays_as_it_is_but_for_its_log_and_its_failures(engine, failed, again):
    before = await engine.row(failed.id)
    records = await live(engine, failed.id)
    answer = await again(failed.id, reason="try again")

    after = await engine.row(failed.id)
    assert after.last_seq == before.last_seq + 1
    assert (after.status, after.generation, after.epoch) == (before.status, before.generation, before.epoch)
    assert await live(engine, failed.id) == records
    (event,) = await engine.read(
        lambda tx: list_events(tx, engine.who.tenant_id, failed.id, before.last_seq, 10)
    )
    assert event.type == "execution.replayed"
    found = await engine.read(lambda tx: failures.list_of_execution(tx, failed.id))
    assert {(each.status, each.disposed_reason) for each in found} == {
        ("replayed", f"replayed as {answer.execution.id}")
    }


REFERENCES = Sql("SELECT refs FROM payloads ORDER BY address")


async def test_a_reused_record_is_a_row_that_points_at_the_same_payload(engine, failed, again):
    before = await engine.read(lambda tx: tx.all(REFERENCES, int))
    answer = await again(failed.id)

    assert sum(await engine.read(lambda tx: tx.all(REFERENCES, int))) == sum(before) + 1
    source, copy = await live(engine, failed.id), await live(engine, answer.execution.id)
    assert source["write/draft"].output == copy["write/draft"].output


async def test_from_a_step_everything_inside_and_after_it_runs_again(failed, look):
    plan = await look(failed.id, from_step="write")
    assert dispositions(plan) == {
        "search": "reuse",
        "write/draft": "rerun",
        "write": "rerun",
        "send": "rerun",
    }
    assert plan.steps[2].reason == "the replay begins here"


async def test_from_the_start_everything_runs_again(failed, look):
    plan = await look(failed.id, from_step="")
    assert (plan.reuse, plan.rerun) == (0, 4)


async def test_an_edited_output_counts_as_completed_and_what_came_after_runs_again(engine, failed, again):
    edits = [{"target": "output", "path": "search", "value": ["c"]}]
    answer = await again(failed.id, edits=edits)

    records = await live(engine, answer.execution.id)
    assert list(records) == ["search"]
    assert (records["search"].output, records["search"].edited_by) == (b'["c"]', "key_test")
    assert records["search"].output_digest == digest(canonical_bytes(["c"]))
    events = await engine.read(lambda tx: list_events(tx, engine.who.tenant_id, answer.execution.id, 0, 10))
    assert [event.type for event in events] == ["execution.started", "step.patched"]


async def test_a_failed_step_can_be_given_an_output(engine, failed, again):
    answer = await again(failed.id, edits=[{"target": "output", "path": "send", "value": "by hand"}])

    records = await live(engine, answer.execution.id)
    assert (records["send"].status, records["send"].output, records["send"].error) == (
        "completed",
        b'"by hand"',
        None,
    )
    assert set(records) == {"search", "write", "write/draft", "send"}


async def test_an_edit_of_an_effect_that_has_no_record_is_refused_by_name(engine, again, look):
    """It was confirmed by hand and not run since: the effect is done, and no step holds its output."""
    run = await engine.start("report")
    key = (await run.intend("pay")).effect_key
    await run.end_effect("pay", key, "unknown")
    await run.suspend("effect")
    decision = DecideEffect(decision=EffectDecision.CONFIRM)
    packed = engine.parts.vault.pack(engine.who.tenant_id, "by hand")
    await engine.write(lambda tx: decide_effect(tx, engine.who, run.id, key, decision, packed))

    edits = [{"target": "output", "path": "pay", "value": "edited"}]
    for ask in (look, again):
        with pytest.raises(InvalidRequest, match="no record of 'pay'"):
            await ask(run.id, edits=edits)


async def test_an_edit_says_nothing_about_an_effect_that_nobody_knows_of(engine, again, look):
    run = await engine.start("report")
    await run.intend("pay")
    await run.fail()

    edits = [{"target": "output", "path": "pay", "value": "edited"}]
    for ask in (look, again):
        with pytest.raises(InvalidRequest, match="effect 'pay' happened"):
            await ask(run.id, edits=edits)


@pytest.mark.parametrize("decision", ["redo", "confirm"])
async def test_an_effect_is_either_edited_or_decided(engine, paid, look, decision):
    edits = [{"target": "output", "path": "pay", "value": "edited"}]
    with pytest.raises(InvalidRequest, match="effect 'pay' is decided and edited"):
        await look(paid.id, edits=edits, decisions=[{"path": "pay", "decision": decision}])


async def test_an_edit_takes_the_place_of_an_effect_that_did_not_happen(engine, again):
    run = await engine.start("report")
    key = (await run.intend("pay")).effect_key
    await run.end_effect("pay", key, "not_applied")
    await run.fail("pay")
    answer = await again(run.id, edits=[{"target": "output", "path": "pay", "value": "by hand"}])

    records = await engine.steps(answer.execution.id)
    assert (records["pay"].status, records["pay"].output) == ("completed", b'"by hand"')
    assert await list_problems(engine.db) == []


async def test_an_edited_input_is_digested_again_and_everything_runs_again(engine, failed, again):
    answer = await again(failed.id, edits=[{"target": "input", "path": "topic", "value": "coffee"}])

    assert await live(engine, answer.execution.id) == {}
    found = await engine.read(lambda tx: details.get_details(tx, answer.execution.id))
    old = await engine.read(lambda tx: details.get_details(tx, failed.id))
    assert found.input == b'{"topic":"coffee"}'
    assert found.input_digest != old.input_digest
    run = await engine.claim("report")
    assert run.grant.input == {"topic": "coffee"}


async def test_an_edited_state_is_what_a_driver_sees_and_what_came_after_runs_again(engine, again):
    run = await engine.start("report")
    await run.step("search")
    await run.checkpoint("state", {"n": 1})
    await run.step("write")
    await run.fail()
    answer = await again(run.id, edits=[{"target": "state", "path": "state", "value": {"n": 7}}])

    assert list(await live(engine, answer.execution.id)) == ["search"]
    again_run = await engine.claim("report")
    assert again_run.grant.checkpoints == {"state": {"n": 7}}


async def test_incremental_reuses_what_may_have_the_same_inputs(engine, look):
    run = await engine.start("report")
    await run.step("search")
    await run.step("think", comparable="partial")
    await run.step("write")
    await run.fail()

    assert dispositions(await look(run.id, mode="incremental")) == dict.fromkeys(
        ("search", "think", "write"), "reuse"
    )
    plan = await look(run.id, mode="incremental", force=["search"])
    assert dispositions(plan) == {"search": "rerun", "think": "rerun", "write": "reuse"}
    assert "as long as its inputs" in plan.steps[2].reason


@pytest.mark.parametrize(
    "wrong",
    [
        {"from_step": "nothing"},
        {"force": ["nothing"]},
        {"edits": [{"target": "output", "path": "nothing", "value": 1}]},
        {"edits": [{"target": "state", "path": "nothing", "value": 1}]},
        {"edits": [{"target": "output", "path": "search", "value": n} for n in (1, 2)]},
        {"decisions": [{"path": "search", "decision": "skip"}]},
    ],
)
async def test_what_is_not_in_the_source_is_refused(failed, look, wrong):
    with pytest.raises(InvalidRequest):
        await look(failed.id, **wrong)


async def test_a_running_source_is_refused(engine, look, again):
    run = await engine.start("report")
    for request in (look, again):
        with pytest.raises(IllegalTransition):
            await request(run.id)


async def test_a_strangers_source_is_not_found(failed, look, again):
    stranger = principal("tn_other")
    for request in (look, again):
        with pytest.raises(NotFound):
            await request(failed.id, who=stranger)


# ---- effects


@pytest.fixture
async def paid(engine):
    run = await engine.start("report")
    await run.step("search")
    await run.effect("pay", compensate="refund")
    await run.step("write")
    await run.fail("write")
    return run


@pytest.fixture
async def unsure(engine):
    """An execution whose effect nobody knows."""
    run = await engine.start("report")
    answer = await run.intend("pay")
    await run.end_effect(
        "pay", answer.effect_key, state="unknown", error={"type": "TimeoutError", "message": ""}
    )
    await run.suspend("effect")
    return run


async def test_a_done_effect_after_the_point_is_not_called_again(engine, paid, look, again):
    plan = await look(paid.id, from_step="search")
    assert dispositions(plan) == {"search": "rerun", "pay": "reuse", "write": "rerun"}

    await again(paid.id, from_step="search")
    run = await engine.claim("report")
    answer = await run.intend("pay")
    assert (answer.may_call, answer.state, answer.output) == (False, "done", "sent")


async def test_a_done_effect_with_other_inputs_is_blocked_when_it_runs(engine, paid, again):
    await again(paid.id, from_step="")
    run = await engine.claim("report")
    with pytest.raises(EffectBlocked):
        await run.intend("pay", input="another amount")


async def test_an_unknown_effect_blocks_until_it_is_decided(unsure, look, again):
    plan = await look(unsure.id)
    assert dispositions(plan) == {"pay": "blocked"}
    with pytest.raises(PlanNeeded) as refused:
        await again(unsure.id)
    assert refused.value.members["steps"] == ["pay"]

    decided = await look(unsure.id, decisions=[{"path": "pay", "decision": "confirm", "output": "ok"}])
    assert dispositions(decided) == {"pay": "reuse"}


async def test_a_decision_in_a_replay_is_one_for_the_lineage(engine, unsure, again):
    answer = await again(unsure.id, decisions=[{"path": "pay", "decision": "confirm", "output": "ok"}])
    run = await engine.claim("report")
    recorded = await run.intend("pay")

    assert run.id == answer.execution.id
    assert (recorded.may_call, recorded.state, recorded.output) == (False, "done", "ok")
    found = await engine.read(lambda tx: failures.list_of_execution(tx, unsure.id))
    assert {each.status for each in found} == {"resolved"}


async def test_an_undecided_effect_stays_in_the_inbox(unsure, engine, look, again):
    plan = await look(unsure.id)
    await again(unsure.id, plan_token=plan.token)

    found = await engine.read(lambda tx: failures.list_of_execution(tx, unsure.id))
    assert {each.status for each in found} == {"open"}


async def test_to_do_an_effect_again_takes_a_decision_and_the_token_of_its_plan(engine, paid, look, again):
    decisions = [{"path": "pay", "decision": "redo"}]
    with pytest.raises(PlanNeeded):
        await again(paid.id, decisions=decisions)

    plan = await look(paid.id, decisions=decisions)
    assert dispositions(plan) == {"search": "reuse", "pay": "rerun", "write": "rerun"}
    await again(paid.id, decisions=decisions, plan_token=plan.token)
    run = await engine.claim("report")
    answer = await run.intend("pay")
    assert answer.may_call
    old = (await engine.effects(paid.id))["pay"]
    assert answer.effect_key != old.effect_key
    assert old.state == "done"


# ---- tokens and repeats


async def test_a_token_is_void_after_any_change(engine, unsure, look, again):
    plan = await look(unsure.id)
    edits = [{"target": "input", "path": "", "value": {}}]
    for wrong in (
        {"edits": edits},
        {"mode": "incremental"},
        {"plan_token": plan.token[:-1] + ("0" if plan.token[-1] != "0" else "1")},
        {"plan_token": "nonsense"},
        {"who": changed(engine.who, id="key_other")},
    ):
        with pytest.raises(PlanStale):
            await again(unsure.id, **({"plan_token": plan.token} | wrong))

    first = await again(unsure.id, plan_token=plan.token, reason="words are free")
    assert first.execution.status == "queued"
    with pytest.raises(PlanStale):  # the replay is itself an event of the source
        await again(unsure.id, plan_token=plan.token)


async def test_a_token_is_good_for_an_hour(engine, unsure, look, again):
    plan = await look(unsure.id)
    engine.clock.advance(seconds=3601)
    with pytest.raises(PlanStale):
        await again(unsure.id, plan_token=plan.token)


async def test_the_same_request_is_one_replay(engine, failed, keys):
    command = ReplayExecution(reason="once")

    async def send(key="k1", given=command):
        answer = await replay(engine.parts, keys, engine.who, failed.id, given, idempotency_key=key)
        return answer.execution.id

    first = await send()
    assert await send() == first
    assert await send("k2") != first
    with pytest.raises(ExecutionExists):
        await send("k1", ReplayExecution(reason="another"))


async def test_without_an_id_or_a_key_it_could_not_be_repeated(failed, engine, keys):
    with pytest.raises(InvalidRequest):
        await replay(engine.parts, keys, engine.who, failed.id, ReplayExecution())


async def test_the_caller_may_drive_the_replay_itself(engine, failed, again):
    fields = {"process": process(pid=7), "lease_token": "t" * 32, "id": new_id("ex", 1)}
    answer = await again(failed.id, **fields)
    same = await again(failed.id, **fields)

    assert answer.grant is not None
    assert (answer.execution.status, answer.execution.driver) == ("running", "local")
    assert same.grant is not None
    assert same.grant.epoch == answer.grant.epoch == 1
    run = Run(engine, answer.grant, engine.who)
    await run.step("send")
    await run.complete()
    assert (await engine.row(run.id)).status == "completed"


async def test_the_answer_says_who_would_run_it(engine, failed, look):
    assert (await look(failed.id)).runner == "none"
    await engine.ask("report")
    assert (await look(failed.id)).runner == "worker"


async def test_a_replay_of_a_replay_shares_its_lineage_and_its_records(engine, failed, again):
    first = await again(failed.id)
    run = await engine.claim("report")
    await run.fail("send")
    second = await again(first.execution.id)

    assert second.execution.lineage_root == failed.id
    assert second.execution.replay_of == first.execution.id
    assert {record.reused_from for record in (await live(engine, second.execution.id)).values()} == {
        failed.id
    }


async def test_a_source_that_went_on_after_it_was_read_is_read_again(engine, failed, key_file):
    def read(tx):
        row = get_execution(tx, engine.who.tenant_id, failed.id)
        source = read_source(tx, row)
        return source, fetch_value(tx, row.tenant_id, source.details.input)

    source, recorded = await engine.read(read)
    command = ReplayExecution(id=new_id("ex", 5))
    packed = pack_replay(engine.parts.vault, engine.who, failed.id, command, recorded, None)
    prepared = prepare_replay(packed, source)
    run = await engine.resume(failed.id)
    await run.step("send", attempt=2)
    await run.fail("after")

    replayed = await engine.write(lambda tx: start_replay(tx, engine.parts, key_file, packed, prepared))
    assert "send" in await live(engine, replayed.row.id)


async def test_a_lost_driver_counts_as_replayed_too(engine, again):
    run = await engine.start("report")
    engine.clock.advance(seconds=60)
    await engine.sweep()
    assert (await engine.row(run.id)).reason == DRIVER_LOST

    await again(run.id)
    found = await engine.read(lambda tx: failures.list_of_execution(tx, run.id))
    assert [each.status for each in found] == ["replayed"]
