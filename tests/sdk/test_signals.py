"""Signals in user code: asked for by a step, recorded as its output, and waited for without a process."""

import asyncio
import contextvars
import threading

import pytest

import omium
from omium.errors import ConfigError, Suspended, Waits
from omium.jsonvalue import encode
from omium.sdk import runner
from omium.sdk.calls import Call
from omium.sdk.registry import find_workflow
from omium.states import WaitingReason
from tests.sdk.edge import Edge


@pytest.fixture
def edge():
    return Edge()


def drive(edge, function, **options):
    workflow = find_workflow(omium.workflow(name="w")(function))
    return runner.drive(edge.session(), edge.driving(**options), workflow, Call(function))


def approve():
    return omium.wait_for_signal("approved", "May we publish?")


def test_what_a_signal_brings_is_returned_and_recorded(edge):
    edge.signals = [{"by": "Ann"}]

    assert drive(edge, approve) == {"by": "Ann"}

    assert edge.types_of() == ["signal.asked", "step.completed", "execution.completed"]
    assert edge.writes[0] == {"type": "signal.asked", "path": "signal-approved", "name": "approved"}
    (recorded,) = edge.of("step.completed")
    assert recorded["output"] == {"by": "Ann"}
    assert recorded["input"] == {"name": "approved", "question": "May we publish?"}


def test_values_come_back_as_they_were_sent(edge):
    edge.signals = [encode((1, 2))]

    assert drive(edge, approve) == (1, 2)


@pytest.mark.parametrize("on_worker", [True, False])
def test_where_none_has_come_the_execution_is_handed_back_at_once(edge, on_worker):
    with pytest.raises(Waits) as caught:
        drive(edge, approve, on_worker=on_worker)

    assert edge.types_of() == ["signal.asked", "signal.asked", "execution.waits"]
    waits = edge.writes[-1]
    assert (waits["reason"], waits["wake_at_us"]) == ("signal", None)
    assert waits["signals"] == [{"name": "approved", "question": "May we publish?"}]
    assert "omium signal" in str(caught.value)
    assert "approved --data" in str(caught.value)


def test_a_step_around_it_is_not_what_runs(edge):
    @omium.step
    def publish():
        return approve()

    with pytest.raises(Waits):
        drive(edge, publish, on_worker=True)

    assert edge.of("step.attempt_failed") == []


def test_inside_of_an_effect_nobody_waits(edge):
    @omium.step(effect=True)
    def publish():
        return approve()

    with pytest.raises(
        Suspended, match="unknown after ConfigError"
    ):  # a person looks at it, now and not later
        drive(edge, publish, on_worker=True)
    assert "inside of publish, which is an effect" in str(edge.of("effect.ended")[0]["error"])


def test_a_step_that_is_tried_again_asks_again(edge):
    """What it asks about may be another by then: an answer is for the try that it was given to."""
    edge.signals = ["yes", "no"]
    tries = []

    @omium.step(retry=omium.RetryPolicy(max_attempts=2, initial_delay_s=0, jitter=False))
    def publish():
        tries.append(approve())
        if len(tries) == 1:
            raise OSError

    drive(edge, publish, on_worker=True)

    assert tries == ["yes", "no"]
    assert [each["path"] for each in edge.of("signal.asked")] == [
        "publish/signal-approved",
        "publish/signal-approved@0.2",
    ]


def test_a_long_question_is_shown_as_it_begins(edge):
    with pytest.raises(Waits):
        drive(edge, lambda: omium.wait_for_signal("approved", "x" * 10_000), on_worker=True)

    shown = edge.writes[-1]["signals"][0]["question"]
    assert (len(shown) < 4_100, shown[-23:]) == (True, "… 6,000 more characters")


def test_nobody_leaves_while_something_is_being_recorded(edge):
    driving = edge.driving(on_worker=True)
    writing = driving.write({"type": "step.completed"})
    next(writing)

    driving.leave_if_idle("ask", WaitingReason.SIGNAL, "a signal")
    writing.close()
    with pytest.raises(Waits):
        driving.leave_if_idle("ask", WaitingReason.SIGNAL, "a signal")


def test_async_code_waits_the_same_way(edge):
    async def flow():
        return await omium.await_for_signal("approved")

    edge.signals = ["yes"]
    assert drive(edge, flow) == "yes"


async def test_what_runs_beside_it_ends_first_and_another_signal_is_named_too(edge):
    asked = []

    @omium.step
    async def slow():
        while len(edge.of("signal.asked")) < 4:  # noqa: ASYNC110  # what is asked is all that one sees
            await asyncio.sleep(0)
        asked.append(len(edge.of("signal.asked")))

    async def flow():
        await asyncio.gather(slow(), *(omium.await_for_signal(name) for name in ("a", "b")))

    workflow = find_workflow(omium.workflow(name="w")(flow))
    with pytest.raises(Waits):
        await runner.adrive(edge.session(), edge.driving(on_worker=True), workflow, Call(flow))

    assert asked[0] >= 4
    assert [each["name"] for each in edge.of("execution.waits")[0]["signals"]] == ["a", "b"]
    assert len(edge.of("step.completed")) == 1


def test_a_signal_that_comes_while_something_else_runs_is_taken_in_place(edge):
    edge.signals = [None, None, "yes"]
    begun, done, told = threading.Event(), threading.Event(), []

    @omium.step
    def slow():
        begun.set()
        done.wait(10)

    def flow():
        beside = threading.Thread(target=contextvars.copy_context().run, args=(slow,))
        beside.start()
        begun.wait(10)
        told.append(approve())
        done.set()
        beside.join()

    drive(edge, flow, on_worker=True)
    assert told == ["yes"]


def test_outside_an_execution_there_is_nothing_to_wait_for():
    with pytest.raises(ConfigError, match="no execution here"):
        approve()
