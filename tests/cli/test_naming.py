"""What a person types for a step or an id finds the one that is meant, or says what there is."""

import pytest

from omium.cli.ending import WrongUse, describe, exit_code
from omium.cli.ids import _find
from omium.cli.steps import choose_key
from omium.errors import (
    ConfigError,
    ConnectionLost,
    EffectUnresolved,
    InvalidRequest,
    NotFound,
    Unauthenticated,
)
from omium.ids import new_id

GRAPH = {
    "plan": "plan",
    "plan#2": "plan",
    "research:4b114dcf2f28": "research",
    "research:4b114dcf2f28/search": "search",
    "write:99aa0b1c2d3e": "write",
    "review:11": "review",
    "review:22": "review",
}


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("plan", "plan"),
        ("plan#2", "plan#2"),
        ("research", "research:4b114dcf2f28"),
        ("research:4b11", "research:4b114dcf2f28"),
        ("write:99aa0b1c2d3e", "write:99aa0b1c2d3e"),
        ("wri", "write:99aa0b1c2d3e"),
        ("search", "research:4b114dcf2f28/search"),
        ("research:4b114dcf2f28/se", "research:4b114dcf2f28/search"),
        ("review:2", "review:22"),
    ],
)
def test_a_step_is_found_by_key_name_or_beginning(typed, meant):
    assert choose_key(GRAPH, typed, "a step") == meant


def test_a_name_of_several_steps_lists_their_keys():
    with pytest.raises(WrongUse, match=r"'review' fits 2 steps: review:11, review:22\. Give the key of one"):
        choose_key(GRAPH, "review", "a step")


@pytest.mark.parametrize("typed", ["nothing", ""])
def test_a_name_of_no_step_lists_what_there_is(typed):
    with pytest.raises(WrongUse, match="not a step; there are: plan, plan#2"):
        choose_key(GRAPH, typed, "a step")
    with pytest.raises(WrongUse, match="not a step: there is none"):
        choose_key({}, typed, "a step")


class Row:
    def __init__(self, row_id):
        self.id = row_id


# Told apart by their ends; by chance one would now and then end in what no id here is to end in.
NEWEST = [Row(new_id("ex", 1_790_000_000_000_000)[:-2] + f"{number}a") for number in range(5)]


def find(typed, rows=NEWEST):
    return _find(typed, "ex", lambda: rows, "omium executions list", "execution")


def test_a_whole_id_is_taken_without_looking():
    assert find(NEWEST[0].id, rows=None) == NEWEST[0].id


@pytest.mark.parametrize(
    "shorten", [lambda i: f"ex_…{i[-7:]}", lambda i: i[-8:], lambda i: i[:-2], str.strip]
)
def test_a_part_that_one_id_has_is_enough(shorten):
    assert find(shorten(NEWEST[3].id)) == NEWEST[3].id


def test_last_is_the_newest():
    assert find("last") == NEWEST[0].id
    with pytest.raises(WrongUse, match="no execution yet"):
        find("last", [])


def test_a_part_of_several_ids_lists_them():
    with pytest.raises(WrongUse, match="is a part of 5 ids"):
        find(NEWEST[0].id[:9])


def test_a_part_of_no_id_says_so_and_an_own_id_is_left_to_the_server():
    with pytest.raises(WrongUse, match="no execution 'ex_…zzzzzz' among the newest"):
        find("ex_…zzzzzz")
    assert find("order-2026-17") == "order-2026-17"
    with pytest.raises(WrongUse, match="too short"):
        find("zz")


def test_errors_end_with_the_next_command_and_their_code():
    assert describe(Unauthenticated()).endswith("store another one: omium init")
    assert describe(ConfigError("Run `omium init`.")) == "Run `omium init`."
    assert describe(ConnectionLost("It went away.")).endswith("omium doctor")
    fault = {"pointer": "/queue", "detail": "is empty"}
    assert describe(InvalidRequest("/queue: is empty", errors=[fault])) == "/queue: is empty"
    said = InvalidRequest("The queue is empty.", errors=[fault])
    assert describe(said) == "The queue is empty."
    assert describe(NotFound("There is no secret named a.")) == "There is no secret named a."
    no_step = describe(NotFound("ex_01mcc5rm00ngqz8ctbd9ygs3xh has no step a."))
    assert no_step.endswith("See what there is: omium executions show ex_01mcc5rm00ngqz8ctbd9ygs3xh")
    named = describe(EffectUnresolved("Unknown in ex_01mcc5rm00ngqz8ctbd9ygs3xh."))
    assert "omium decide ex_01mcc5rm00ngqz8ctbd9ygs3xh STEP" in named
    invalid = InvalidRequest("Wrong.", errors=[{"pointer": "/limit", "detail": "too large"}])
    assert describe(invalid) == "Wrong. /limit: too large"
    assert [exit_code(each) for each in (WrongUse("x"), ConfigError("x"))] == [2, 1]


def test_an_error_from_the_server_cannot_command_the_terminal():
    assert describe(ConnectionLost("\x1b]0;owned\x07 \u202eevil")).startswith("]0;owned evil")
