"""How an execution's steps are listed, and its effects that are no steps yet."""

import pytest

from omium.cli.detail import (
    answer_words,
    find_without_step,
    in_order,
    tell_refused,
    tell_signals,
    tell_slot,
    tell_wake,
)
from omium.cli.serving import worker_line
from omium.models.approval import AwaitedSignal
from omium.models.execution import CodeVersion, ExecutionDetail, RunnerAnswer, Step
from omium.models.replay import EffectView
from omium.models.slot import Slot
from omium.states import Driver, Runner


def step(key, started_us, seq):
    fields = {"key": key, "started_at_us": started_us, "ended_at_us": started_us, "completed_seq": seq}
    return Step.model_construct(**fields)


@pytest.mark.parametrize(
    ("steps", "listed"),
    [
        ([("b", 1, 1), ("a", 2, 2)], ["b", "a"]),
        ([("a", 1, 3), ("b", 1, 2), ("c", 1, None)], ["b", "a", "c"]),
        ([("a", 1, 4), ("a/x", 1, 1), ("b", 1, 3), ("b/y", 1, 2)], ["b", "b/y", "a", "a/x"]),
    ],
)
def test_steps_that_start_together_are_listed_as_they_ended_each_below_its_own(steps, listed):
    assert [each.key for each in in_order([step(*each) for each in steps])] == listed


def effect(key, state, *, redo=0, decided_by=None):
    fields = {"key": key, "state": state, "redo": redo, "decided_by": decided_by, "intended_at_us": redo}
    return EffectView.model_construct(**fields)


@pytest.mark.parametrize(
    ("effects", "more_steps", "listed"),
    [
        ([effect("done", "done")], None, []),
        ([effect("pay", "unknown")], "more", [("pay", "unknown")]),
        ([effect("pay", "done", decided_by="me")], None, [("pay", "done")]),
        ([effect("pay", "done", decided_by="me")], "more", []),  # its step may be on the next page
        (
            [
                effect("pay", "unknown", decided_by="me"),
                effect("pay", "not_applied", redo=1, decided_by="me"),
            ],
            None,
            [("pay", "not_applied")],
        ),
    ],
)
def test_an_effect_is_listed_by_itself_until_its_step_is_recorded(effects, more_steps, listed):
    recorded = Step.model_construct(key="done", superseded_seq=None)
    detail = ExecutionDetail.model_construct(steps=[recorded], steps_next=more_steps)

    assert [(each.key, each.state) for each in find_without_step(detail, effects)] == listed


@pytest.mark.parametrize(
    ("reason", "wake_at_us", "told"),
    [
        ("timer", 90_000_000, "in 2 min"),
        ("slot", 90_000_000, "when its turn has come, in 2 min at the latest"),
        ("signal", None, None),
    ],
)
def test_one_that_waits_for_a_slot_is_not_said_to_sleep(reason, wake_at_us, told):
    detail = ExecutionDetail.model_construct(reason=reason, wake_at_us=wake_at_us)

    assert tell_wake(detail, 1) == told


@pytest.mark.parametrize(
    ("spans", "told"),
    [
        (0, None),
        (1, "1 span refused, because a trace holds at most 5,000"),
        (1_200, "1,200 spans refused, because a trace holds at most 5,000"),
    ],
)
def test_an_execution_whose_trace_was_refused_spans_says_that_it_is_incomplete(spans, told):
    assert tell_refused(ExecutionDetail.model_construct(refused_spans=spans)) == told


def test_an_execution_that_waits_for_a_slot_names_the_key_and_the_command_that_lists_who_has_it():
    slot = Slot.model_construct(key="provider: a b", limit=4)

    assert tell_slot(slot) == "a slot of provider: a b (4 at once): omium slots 'provider: a b'"
    assert tell_slot(None) is None


@pytest.mark.parametrize(
    ("command", "cwd", "code", "line"),
    [
        ([], None, None, "omium worker PATH.py:report"),
        (["omium", "worker", "my crew.py:crew"], None, None, "omium worker 'my crew.py:crew'"),
        (["python", "a.py"], "/app", "/app/a.py:report", "cd /app && omium worker /app/a.py:report"),
        ([], None, "agents:report", "omium worker agents:report"),
    ],
)
def test_a_worker_is_named_by_the_code_that_is_known(command, cwd, code, line):
    detail = ExecutionDetail.model_construct(
        workflow="report",
        runner=RunnerAnswer(runner=Runner.NONE, command=command, cwd=cwd),
        code=None if code is None else CodeVersion.model_construct(entrypoint=code, cwd=cwd),
    )

    assert worker_line(detail) == line


def test_what_waits_for_signals_names_each_once_and_says_how_to_send_it():
    asked = [
        AwaitedSignal(name="a b", question="May we?"),
        AwaitedSignal(name="a b"),
        AwaitedSignal(name="paid"),
    ]
    detail = ExecutionDetail.model_construct(id="ex_1", driver=Driver.LOCAL, awaited_signals=asked)

    assert tell_signals(asked) == "the signal a b or paid"
    assert tell_signals([]) is None
    assert answer_words(detail).splitlines() == [
        "a b asks: May we?",
        "Answer: omium signal ex_1 'a b' --data JSON",
        "Answer: omium signal ex_1 paid --data JSON",
        "Then:   omium resume ex_1",
    ]
