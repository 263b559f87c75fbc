"""An agent that makes the same tool call again and again is stopped; one that goes on is not."""

import pytest

import omium
from omium.errors import AgentCircling
from tests.sdk.edge import Edge, entered


def note_all(calls, *asked):
    for tool, arguments in asked:
        calls.note(tool, arguments)


def test_the_same_call_five_times_among_the_last_seven_is_too_often():
    calls = omium.ToolCalls()
    note_all(calls, *[("search", {"q": 1, "page": 2})] * 4, ("read", None), ("read", {"at": 1}))

    with pytest.raises(AgentCircling, match="search with the same arguments 5 times") as stopped:
        calls.note("search", {"page": 2, "q": 1})
    assert stopped.value.tool == "search"


def test_calls_that_differ_go_on_for_ever():
    calls = omium.ToolCalls(repeats=2)

    note_all(calls, *[("search", {"page": page}) for page in range(100)])
    note_all(calls, *[(f"tool-{number}", object) for number in range(100)])


def test_a_call_comes_back_after_others_without_being_a_circle():
    calls = omium.ToolCalls(repeats=3)
    others = [("read", number) for number in range(5)]

    note_all(calls, *(("search", 1), *others) * 10)


@pytest.mark.parametrize("repeats", [0, 1, 101])
def test_a_number_that_would_stop_every_agent_or_none_is_refused(repeats):
    with pytest.raises(ValueError, match="repeats is 2 to 100"):
        omium.ToolCalls(repeats=repeats)


def test_a_step_whose_agent_goes_in_circles_is_not_tried_again():
    tried = []

    @omium.step(retry=5)
    def work():
        tried.append(1)
        calls = omium.ToolCalls(repeats=2)
        note_all(calls, ("search", 1), ("search", 1))

    edge = Edge()
    with entered(edge.driving()), pytest.raises(omium.AgentCircling):
        work()

    assert (len(tried), edge.types_of()) == (1, ["step.attempt_failed"])
