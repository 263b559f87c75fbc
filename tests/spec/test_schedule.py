"""The scheduler as readable specification: joins, skips, endings and failures (semantics 1.3 to 1.5, 1.7)."""

from __future__ import annotations

import pytest

from omium.spec.schedule import (
    Activate,
    EdgeState,
    Ended,
    Finished,
    InstanceState,
    InstanceTable,
    Skip,
    Unhandled,
    UnitState,
    activation_key,
    advance,
    begin,
    choose_branch,
    instance_key,
    needed_conditions,
    parse_key,
)
from tests.spec.graphs import Play, edge_states, graph, unit_states


def test_a_line_runs_one_node_after_the_other_and_finishes() -> None:
    play = Play(graph("a -> b", "b -> c"))

    assert play.activated == ["a"]
    assert play.end("a") == ["b"]
    assert play.end("b") == ["c"]
    assert not play.is_finished
    assert play.end("c") == []
    assert play.news == [Finished()]


def test_nodes_without_incoming_control_edges_start_unless_others_are_said_to() -> None:
    assert Play(graph("a -> c", "b -> c")).activated == ["a", "b"]
    assert Play(graph("a -> b", "b -> a", b="start")).activated == ["b"]


def test_all_waits_for_every_edge_and_needs_one_that_fired() -> None:
    play = Play(graph("a -> c when yes", "b -> c"))

    assert play.end("a", c=False) == []
    assert play.end("b") == ["c"]


def test_all_skips_when_no_edge_fired() -> None:
    play = Play(graph("a -> b when yes", "b -> c", "c -> d"))

    assert play.end("a", b=False) == []
    assert play.news == [Skip("b", ()), Skip("c", ()), Skip("d", ()), Finished()]


def test_all_fired_skips_when_one_edge_is_dead() -> None:
    play = Play(graph("a -> c when yes", "b -> c", c="all_fired"))

    play.end("b")
    play.end("a", c=False)
    assert play.news == [Skip("c", ()), Finished()]


def test_any_takes_the_first_that_fires_and_remembers_it() -> None:
    play = Play(graph("a -> c", "b -> c", c="any"))

    assert play.end("b") == ["c"]
    assert play.news == [Activate("c", (), "b->c")]
    assert play.end("a") == [], "a later arrival only marks its edge"
    assert play.end("c") == []
    assert play.is_finished


def test_any_lets_the_losers_run_and_the_graph_waits_for_them() -> None:
    play = Play(graph("a -> c", "b -> c", c="any"))

    play.end("b")
    play.end("c")
    assert not play.is_finished
    play.end("a")
    assert play.is_finished


def test_any_skips_when_all_edges_are_dead() -> None:
    play = Play(graph("a -> c when yes", "b -> c when yes", c="any"))

    play.end("a", c=False)
    play.end("b", c=False)
    assert play.news == [Skip("c", ()), Finished()]


def test_context_is_waited_for_and_activates_nothing() -> None:
    play = Play(graph("a -> c", "b ~> c", b="start", a="start"))

    assert play.end("a") == [], "the context edge is still open"
    assert play.end("b") == ["c"]


def test_a_dead_context_edge_is_resolved_too() -> None:
    play = Play(graph("a -> c", "b ~> c on failure", b="start", a="start"))

    play.end("b")
    assert play.end("a") == ["c"]


def test_any_with_context_keeps_its_winner_until_the_context_is_there() -> None:
    play = Play(graph("a -> d", "b -> d", "c ~> d", a="start", b="start", c="start", d="any"))

    play.end("b")
    play.end("a")
    assert play.end("c") == ["d"]
    assert play.news[0] == Activate("d", (), "b->d")


def test_a_failure_that_an_edge_takes_up_is_handled_and_the_others_are_dead() -> None:
    play = Play(graph("a -> b", "a -> c on failure", "a -> d on always"))

    assert play.end("a", "failure", "boom") == ["c", "d"]
    assert Skip("b", ()) in play.news


def test_an_unhandled_failure_leaves_its_edges_open_and_may_end_again() -> None:
    play = Play(graph("a -> b", "a ~> c on failure", "s -> c", a="start", s="start"))

    assert play.end("a", "failure", "boom") == [], "a context edge handles nothing"
    assert play.news == [Unhandled("a", (), "boom")]
    assert play.end("s") == []
    assert play.end("a", "failure", "again") == []
    assert play.news == [Unhandled("a", (), "again")]
    assert play.end("a") == ["b", "c"]


def test_a_failure_edge_whose_condition_does_not_hold_handles_nothing() -> None:
    play = Play(graph("a -> b on failure when yes"))

    play.end("a", "failure", "boom", b=False)
    assert play.news == [Unhandled("a", (), "boom")]


def test_an_activation_that_a_person_skips_fires_nothing() -> None:
    play = Play(graph("a -> b on always", "a -> c on failure"))

    play.end("a", "failure")
    play = Play(graph("a -> b on always", "a -> c"))
    play.end("a", "skipped")
    assert set(play.news) == {Skip("b", ()), Skip("c", ()), Finished()}


def test_an_activation_ends_once() -> None:
    play = Play(graph("a -> b"))
    play.end("a")

    with pytest.raises(ValueError, match="a is not active"):
        play.end("a")
    with pytest.raises(ValueError, match="b#2"):
        parse_key("b#2", 0)


def test_a_refused_ending_changes_nothing() -> None:
    play = Play(graph("a -> b when yes"))
    before = {key: state.to_bytes() for key, state in play.table.items()}

    with pytest.raises(KeyError):
        play.end("a")
    assert {key: state.to_bytes() for key, state in play.table.items()} == before


def test_a_decision_takes_the_first_branch_that_holds() -> None:
    # written in another order than that of the names
    of = graph("d -> z when one", "d -> b when two", "d -> c default", d="decision")
    play = Play(of)

    assert [edge.target for edge in needed_conditions(of, "d", "success")] == ["z", "b"]
    assert play.end("d", z=True) == ["z"], "what comes after the first that holds need not be known"
    assert Skip("b", ()) in play.news
    assert Skip("c", ()) in play.news


def test_a_decision_takes_its_default_when_nothing_holds() -> None:
    of = graph("d -> b when one", "d -> c default", d="decision")

    assert Play(of).end("d", b=False) == ["c"]
    taken = choose_branch(of, "d", {"d->b": False})
    assert taken is not None
    assert taken.target == "c"


def test_a_decision_without_a_branch_fails() -> None:
    play = Play(graph("d -> b when one", d="decision"))

    play.end("d", b=False)
    assert play.news == [Unhandled("d", (), "no-branch")]


def test_a_failure_edge_handles_a_decision_without_a_branch() -> None:
    play = Play(graph("d -> b when one", "d -> c on failure", d="decision"))

    assert play.end("d", b=False) == ["c"]


def test_only_conditions_of_edges_that_the_outcome_asks_are_needed() -> None:
    of = graph("a -> b when x", "a -> c on failure when y", "a -> d on always when z", "a -> e")

    assert [edge.target for edge in needed_conditions(of, "a", "success")] == ["b", "d"]
    assert [edge.target for edge in needed_conditions(of, "a", "failure")] == ["c", "d"]
    assert needed_conditions(of, "a", "skipped") == []


def test_keys_say_iterations_only_if_they_say_something() -> None:
    assert activation_key("write", ()) == "write"
    assert activation_key("write", (1, 1)) == "write"
    assert activation_key("write", (2, 1)) == "write#2.1"
    assert instance_key("", ()) == ""
    assert instance_key("draft", (1,)) == "draft#1"
    assert parse_key("write", 2) == ("write", (1, 1))
    assert parse_key("write#2.1", 2) == ("write", (2, 1))


def test_the_state_of_an_instance_is_about_a_byte_per_edge_and_unit() -> None:
    of = graph("s -> a", *(f"a -> n{number}" for number in range(500)))
    state = begin(of).instances[""]

    kept = state.to_bytes()
    assert len(kept) < 1.1 * (len(of.edges) + len(of.nodes))
    assert InstanceState.from_bytes(kept) == state


def test_a_state_that_is_cut_off_or_of_another_form_is_refused() -> None:
    kept = begin(graph("a -> b")).instances[""].to_bytes()

    with pytest.raises(ValueError, match="cut off"):
        InstanceState.from_bytes(kept[:-1])
    with pytest.raises(ValueError, match="form"):
        InstanceState.from_bytes(b"\x09" + kept[1:])
    with pytest.raises(ValueError, match="form"):
        InstanceState.from_bytes(b"")


def test_an_instance_says_how_its_edges_and_units_stand() -> None:
    play = Play(graph("a -> b", "a -> c on failure"))
    play.end("a")

    state = play.table[""]
    assert edge_states(play.graph, "", state) == {"a->b": EdgeState.FIRED, "a->c": EdgeState.DEAD}
    assert unit_states(play.graph, "", state) == {
        "a": UnitState.DONE,
        "b": UnitState.ACTIVE,
        "c": UnitState.SKIPPED,
    }


class _Counting(InstanceTable):
    touched: int = 0

    def get(self, key: str) -> InstanceState | None:  # type: ignore[override]
        self.touched += 1
        return dict.get(self, key)

    def put(self, key: str, state: InstanceState) -> None:
        self.touched += 1
        super().put(key, state)


def test_an_advance_reads_and_writes_its_own_instance_only() -> None:
    of = graph(*(f"n{number} -> n{number + 1}" for number in range(300)))
    table = _Counting(begin(of).instances)
    for number in range(301):
        table.touched = 0
        advance(of, table, Ended(f"n{number}", (), "success"))
        assert table.touched == 2
