import asyncio
import threading

import pytest

import omium
from omium.errors import (
    ConnectionLost,
    EffectBlocked,
    EffectNotApplied,
    EffectUnavailable,
    LimitReached,
    Suspended,
)
from omium.states import Durability
from tests.sdk.edge import Edge, entered, record

NOW = omium.RetryPolicy(max_attempts=3, initial_delay_s=0)


@pytest.fixture
def edge():
    return Edge()


def make_effect(results, **options):
    """Return an effect that does the next of `results`: raises it, or returns it."""

    @omium.step(name="pay", **{"effect": True, **options})
    def pay(amount):
        result = results.pop(0)
        if isinstance(result, BaseException):
            raise result
        return result

    return pay


def states(edge):
    return [write["state"] for write in edge.of("effect.ended")]


def test_an_effect_is_announced_before_it_is_called_and_reported_after(edge):
    seen = []

    @omium.step(effect=True, compensate="refund")
    def pay(amount):
        seen.append((edge.types_of(), omium.effect_key()))
        return "receipt"

    with entered(edge.driving()):
        assert pay(5) == "receipt"

    assert seen == [(["effect.intended"], "key-of-pay")]
    assert edge.types_of() == ["effect.intended", "effect.ended"]
    intent, end = edge.writes
    assert (intent["mode"], intent["compensate"], intent["kind"]) == ("once", "refund", "effect")
    assert (end["state"], end["output"], end["effect_key"]) == ("done", "receipt", "key-of-pay")
    assert omium.effect_key() is None


def test_an_exception_is_as_unknown_as_a_crash(edge):
    with entered(edge.driving()), pytest.raises(Suspended) as caught:
        make_effect([ConnectionError("reset")], retry=NOW)(5)

    assert isinstance(caught.value.__cause__, ConnectionError)
    assert caught.value.reason == "effect"
    assert states(edge) == ["unknown"]


def test_a_timeout_is_unknown(edge):
    release = threading.Event()
    pay = omium.step(name="pay", effect=True, timeout_s=0.02)(lambda: release.wait(20))

    with entered(edge.driving()), pytest.raises(Suspended):
        pay()

    assert states(edge) == ["unknown"]
    release.set()


def test_what_says_that_it_was_not_applied_is_tried_again(edge):
    with entered(edge.driving()):
        assert make_effect([EffectNotApplied("declined"), "receipt"], retry=NOW)(5) == "receipt"

    assert edge.types_of() == ["effect.intended", "effect.ended"] * 2
    assert states(edge) == ["not_applied", "done"]
    assert [write["attempt"] for write in edge.of("effect.intended")] == [1, 2]


def test_what_was_not_applied_to_the_end_fails_the_step(edge):
    with entered(edge.driving()), pytest.raises(EffectNotApplied):
        make_effect([EffectNotApplied("declined")])(5)

    assert states(edge) == ["not_applied"]
    assert edge.writes[-1]["delay_us"] is None


def test_an_exception_that_the_policy_lists_was_not_applied(edge):
    policy = omium.RetryPolicy(max_attempts=2, initial_delay_s=0, retry_on=(ConnectionRefusedError,))

    with entered(edge.driving()):
        make_effect([ConnectionRefusedError(), "receipt"], retry=policy)(5)

    assert states(edge) == ["not_applied", "done"]


def test_an_idempotent_effect_is_tried_again_with_the_same_key(edge):
    with entered(edge.driving()):
        make_effect([OSError("lost"), "receipt"], effect="idempotent", retry=NOW)(5)

    assert states(edge) == ["unknown", "done"]
    assert {write["effect_key"] for write in edge.of("effect.ended")} == {"key-of-pay"}


def test_an_idempotent_effect_that_never_succeeds_is_unknown_in_the_end(edge):
    with entered(edge.driving()), pytest.raises(Suspended):
        make_effect([OSError()] * 3, effect="idempotent", retry=NOW)(5)

    assert states(edge) == ["unknown"] * 3
    assert edge.writes[-1]["delay_us"] is None


def test_an_effect_that_was_done_meanwhile_is_not_called(edge):
    edge.effects["pay"] = {"state": "done", "may_call": False, "has_output": True, "output": "receipt"}

    with entered(edge.driving()):
        assert make_effect([])(5) == "receipt"

    assert edge.types_of() == ["effect.intended"]


def test_an_effect_whose_outcome_is_unknown_suspends_the_branch(edge):
    edge.effects["pay"] = {"state": "unknown", "may_call": False}

    with entered(edge.driving()), pytest.raises(Suspended, match="confirm, redo or skip"):
        make_effect([])(5)


@pytest.mark.parametrize(
    ("problem", "reason"), [(EffectBlocked("no"), "effect"), (LimitReached("no"), "limit")]
)
def test_an_intent_that_is_refused_suspends_the_branch(edge, problem, reason):
    edge.refusals["effect.intended"] = problem

    with entered(edge.driving()), pytest.raises(Suspended) as caught:
        make_effect([])(5)

    assert caught.value.reason == reason


def test_an_effect_that_was_done_with_another_input_is_not_called(edge):
    done = record("pay", "another", "receipt", kind="effect", effect_state="done")

    with entered(edge.driving([done])), pytest.raises(Suspended, match="already with another input"):
        make_effect([])(5)


def test_a_relaxed_effect_is_not_called_while_the_server_is_away(edge):
    edge.refusals["effect.intended"] = ConnectionLost("away")

    with entered(edge.driving(durability=Durability.RELAXED)), pytest.raises(EffectUnavailable):
        make_effect([])(5)


async def test_an_effect_that_is_cancelled_between_intent_and_result_is_unknown(edge):
    began = asyncio.Event()

    @omium.step(effect=True)
    async def pay():
        began.set()
        await asyncio.sleep(20)

    async def main():
        with entered(edge.driving()):
            await pay()

    task = asyncio.create_task(main())
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert states(edge) == ["unknown"]


def test_an_interrupt_during_an_effect_is_reported_and_goes_on(edge):
    with entered(edge.driving()), pytest.raises(KeyboardInterrupt):
        make_effect([KeyboardInterrupt()])(5)

    assert states(edge) == ["unknown"]


def test_a_result_that_cannot_be_recorded_leaves_the_effect_to_a_person(edge):
    with entered(edge.driving()), pytest.raises(Suspended):
        make_effect([threading.Lock()])(5)

    assert states(edge) == ["unknown"]


@pytest.mark.parametrize("options", [{"record": False}, {"effect": "twice"}])
def test_an_effect_that_makes_no_sense_is_refused_where_it_is_declared(options):
    with pytest.raises(omium.OmiumError):
        omium.step(**{"effect": True, **options})(lambda: 1)


def test_only_an_effect_can_be_compensated():
    with pytest.raises(omium.OmiumError, match="effect=True"):
        omium.step(compensate="undo")(lambda: 1)
