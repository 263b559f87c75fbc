"""How an execution's page says why it stands."""

import pytest

from omium.models.approval import AwaitedSignal
from omium.models.execution import ExecutionDetail, RunnerAnswer, Usage
from omium.models.slot import Slot
from omium.states import Driver, ExecutionStatus
from omium.tui.execution_words import describe, next_words

SLOT = Slot.model_construct(key="provider:openai", limit=4)


def waiting(reason, slot=None):
    return ExecutionDetail.model_construct(
        status=ExecutionStatus.WAITING,
        reason=reason,
        awaited_slot=slot,
        workflow="report",
        environment="dev",
        driver=Driver.WORKER,
        runner=RunnerAnswer.model_construct(),
        usage=Usage(),
        cancelling=False,
        silent=False,
        error=None,
        version=None,
        started_at_us=None,
        created_at_us=1,
        ended_at_us=None,
        steps_completed=0,
        attempt=1,
        interruptions=0,
        wake_at_us=None,
    )


@pytest.mark.parametrize(
    ("reason", "slot", "told"),
    [
        ("slot", SLOT, "It waits for a slot of provider:openai (4 at once)."),
        ("slot", None, "It waits for others of its kind to end."),  # of a server that is older
        ("timer", None, "It waits for a time."),
        ("something new", None, "It waits for something new."),
    ],
)
def test_an_execution_that_waits_says_for_what(reason, slot, told):
    _, why, *_ = describe(waiting(reason, slot))

    assert str(why) == told


@pytest.mark.parametrize(
    ("driver", "then"),
    [(Driver.WORKER, "Next: S tells it."), (Driver.LOCAL, "Next: S tells it; then u goes on.")],
)
def test_an_execution_that_waits_for_signals_says_what_they_ask_and_which_key_tells_it(driver, then):
    signals = [AwaitedSignal(name="paid"), AwaitedSignal(name="approve", question="May we?")]
    detail = waiting("signal").model_copy(update={"awaited_signals": signals, "driver": driver})

    _, why, *_ = describe(detail)
    assert str(why) == "It waits for the signal paid or the signal approve: May we?"
    assert next_words(detail) == then


def test_an_execution_whose_trace_was_refused_spans_says_that_it_is_incomplete():
    detail = waiting("timer").model_copy(update={"driver": Driver.OBSERVED, "refused_spans": 1_200})

    assert "Incomplete: 1,200 spans refused, because a trace holds at most 5,000." in [
        str(line) for line in describe(detail)
    ]
