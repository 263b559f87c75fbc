"""Loops as the scheduler runs them (semantics 1.6), and which iteration is read (1.9)."""

from __future__ import annotations

import pytest

from omium.spec.schedule import (
    Activate,
    EdgeDiscarded,
    Finished,
    IterationBegun,
    LoopEnded,
    LoopSkipped,
    Skip,
    Unhandled,
    UnitState,
    find_iteration,
    find_vector,
    go_round,
)
from tests.spec.graphs import Play, graph, unit_states

REVIEW = ("plan -> draft", "draft -> review", "review -> draft when again", "review -> send when good")


def test_a_loop_goes_round_while_its_back_edge_fires() -> None:
    play = Play(graph(*REVIEW))

    play.end("plan")
    assert play.news == [IterationBegun("draft", (1,)), Activate("draft", (1,))]
    assert play.end("draft") == ["review"]
    assert play.end("review", draft=True, send=False) == ["draft#2"]
    assert play.end("draft#2") == ["review#2"]
    assert play.end("review#2", draft=False, send=True) == ["send"]
    assert LoopEnded("draft", (2,)) in play.news
    play.end("send")
    assert play.is_finished


def test_an_edge_out_of_a_loop_waits_until_the_iteration_is_quiescent() -> None:
    play = Play(graph("a -> h", "h -> x", "h -> out", "x -> h when again"))

    play.end("a")
    assert play.end("h") == ["x"], "out waits for x"
    assert play.end("x", h=False) == ["out"]


def test_an_exit_that_fired_beside_a_back_edge_is_discarded() -> None:
    play = Play(graph("a -> h", "h -> x", "h -> out", "x -> h when again"))
    play.end("a")
    play.end("h")

    play.end("x", h=True)
    assert play.news == [
        EdgeDiscarded("h->out", "h", (1,)),
        IterationBegun("h", (2,)),
        Activate("h", (2,)),
    ]
    play.end("h#2")
    assert play.end("x#2", h=False) == ["out"]


def test_a_failure_that_leaves_the_loop_ends_it_even_beside_a_back_edge() -> None:
    play = Play(graph("a -> h", "h -> x", "x -> h on always", "x -> rescue on failure"))
    play.end("a")
    play.end("h")

    assert play.end("x", "failure") == ["rescue"]
    assert LoopEnded("h", (1,)) in play.news


def test_a_loop_at_its_limit_fails_and_goes_on_when_the_limit_is_raised() -> None:
    of = graph("a -> h", "h -> h when again", "h -> out when done", loops={"h": 2})
    play = Play(of)
    play.end("a")
    play.end("h", h=True, out=False)

    play.end("h#2", h=True, out=False)
    assert play.news == [Unhandled("h", (2,), "loop-limit")]
    with pytest.raises(ValueError, match="limit"):
        go_round(of, play.table, "h", (1,), {"h": 3})
    assert go_round(of, play.table, "h", (2,), {"h": 2}) == [Unhandled("h", (2,), "loop-limit")]
    assert go_round(of, play.table, "h", (2,), {"h": 3})[-1] == Activate("h", (3,))
    play.limits = {"h": 3}
    play.end("h#3", h=True, out=False)
    assert play.news == [Unhandled("h", (3,), "loop-limit")]


def test_a_loop_that_nothing_enters_is_skipped_as_one() -> None:
    play = Play(graph("a -> h when yes", "h -> x", "x -> h when again", "x -> out", "h -> end"))

    play.end("a", h=False)
    assert play.news[0] == LoopSkipped("h", ())
    assert {Skip("out", ()), Skip("end", ()), Finished()} == set(play.news[1:])


def test_context_into_any_member_is_waited_for_before_the_loop_begins() -> None:
    play = Play(graph("a -> h", "h -> x", "x -> h when again", "facts ~> x", a="start", facts="start"))

    assert play.end("a") == []
    assert play.end("facts") == ["h"]


def test_context_from_outside_stays_resolved_in_every_iteration() -> None:
    play = Play(graph("a -> h", "h -> x", "x -> h when again", "facts ~> x", a="start", facts="start"))
    play.end("facts")
    play.end("a")
    play.end("h")
    play.end("x", h=True)

    assert play.end("h#2") == ["x#2"]


def test_a_loop_in_a_loop_begins_anew_in_each_iteration() -> None:
    of = graph("a -> o", "o -> i", "i -> i when again", "i -> e", "e -> o when more", "e -> out when done")
    play = Play(of)
    play.end("a")
    assert play.end("o") == ["i"]
    assert play.end("i", i=True) == ["i#1.2"]
    assert play.end("i#1.2", i=False) == ["e"]
    assert play.end("e", o=True, out=False) == ["o#2"]
    assert play.end("o#2") == ["i#2.1"]
    assert play.end("i#2.1", i=False) == ["e#2"]
    assert play.end("e#2", o=False, out=True) == ["out"]
    assert [action.vector for action in play.actions if isinstance(action, LoopEnded)] == [
        (1, 2),
        (2, 1),
        (2,),
    ]


def test_an_edge_that_leaves_two_loops_is_kept_in_each() -> None:
    of = graph("a -> o", "o -> i", "i -> i when again", "i -> o when more", "i -> out when done")
    play = Play(of)
    play.end("a")
    play.end("o")
    assert play.end("i", i=True, o=False, out=True) == ["i#1.2"]
    assert EdgeDiscarded("i->out", "i", (1, 1)) in play.news
    assert play.end("i#1.2", i=False, o=True, out=True) == ["o#2"]
    assert EdgeDiscarded("i->out", "o", (1,)) in play.news
    play.end("o#2")
    assert play.end("i#2.1", i=False, o=False, out=True) == ["out"]


def test_an_unhandled_failure_in_a_loop_keeps_the_iteration_open() -> None:
    play = Play(graph(*REVIEW))
    play.end("plan")
    play.end("draft", "failure", "boom")

    assert play.news == [Unhandled("draft", (1,), "boom")]
    assert play.end("draft") == ["review"]


def test_a_reader_outside_of_a_loop_reads_the_last_iteration() -> None:
    play = Play(graph(*REVIEW))
    assert find_vector(play.graph, play.table, "draft", ("send", ())) is None
    play.end("plan")
    play.end("draft")
    play.end("review", draft=True, send=False)

    assert find_vector(play.graph, play.table, "draft", None) == (2,)
    assert find_vector(play.graph, play.table, "draft", ("review", (1,))) == (1,)
    assert find_vector(play.graph, play.table, "plan", ("review", (1,))) == ()
    assert find_iteration(play.graph, play.table, "draft", ()) == 2


def test_previous_is_the_iteration_before_and_absent_in_the_first() -> None:
    play = Play(graph(*REVIEW))
    play.end("plan")
    play.end("draft")
    assert find_vector(play.graph, play.table, "review", ("draft", (1,)), previous=True) is None
    play.end("review", draft=True, send=False)
    found = find_vector(play.graph, play.table, "review", ("draft", (2,)), previous=True)
    assert found == (1,)
    assert unit_states(play.graph, "draft", play.table["draft#1"])["review"] is UnitState.DONE


def test_what_nothing_can_read_any_more_is_forgotten() -> None:
    of = graph("a -> o", "o -> i", "i -> i when again", "i -> e", "e -> o", loops={"o": 50})
    play = Play(of)
    play.end("a")
    sizes = []
    for count in range(1, 40):
        suffix = "" if count == 1 else f"#{count}"
        play.end("o" + suffix)
        play.end(f"i#{count}.1", i=True)
        play.end(f"i#{count}.2", i=True)
        play.end(f"i#{count}.3", i=False)
        play.end("e" + suffix)
        sizes.append(len(play.table))
    assert max(sizes[3:]) == min(sizes[3:])
    assert find_vector(of, play.table, "i", ("o", (40,)), previous=True) == (39, 3)
