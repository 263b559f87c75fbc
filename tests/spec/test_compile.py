"""The static form: loops inside loops, edges that leave several, what may be read where."""

import itertools

import pytest

from omium.spec.check import load_spec
from omium.spec.compile import NotAGraph, compile_spec
from omium.spec.document import Body
from tests.spec.whole import edge, flow, function, whole


def graph_of(*pairs, **members):
    return compile_spec(load_spec(flow(*pairs, **members)))


def nested():
    """A loop b in which c, d loop; d leaves both, back to b and out to e."""
    return graph_of("ab", "bc", "cd", "dc", "db", "de")


def test_a_loop_inside_a_loop_is_a_unit_of_it():
    regions = nested().regions

    assert {
        name: (region.parent, region.depth, sorted(region.members)) for name, region in regions.items()
    } == {
        "": (None, 0, ["a", "b", "c", "d", "e"]),
        "b": ("", 1, ["b", "c", "d"]),
        "c": ("b", 2, ["c", "d"]),
    }
    assert [region.units_order for region in regions.values()] == [("a", "b", "e"), ("b", "c"), ("c", "d")]
    assert regions["b"].units["c"].is_loop
    assert not regions["c"].units["c"].is_loop


def test_an_edge_knows_its_region_and_the_loops_that_it_leaves():
    edges = {each.id: (each.region, each.leaves, each.is_back) for each in nested().edges}

    assert edges == {
        "a->b": ("", (), False),
        "b->c": ("b", (), False),
        "c->d": ("c", (), False),
        "d->b": ("b", ("c",), True),
        "d->c": ("c", (), True),
        "d->e": ("", ("c", "b"), False),
    }


def test_vectors_follow_the_loops_from_the_outside_in():
    assert nested().loops_of("d") == ("b", "c")
    assert nested().loops_of("e") == ()


def test_two_back_edges_are_one_loop_and_a_node_may_be_its_own():
    regions = graph_of("ab", "bb", "bc", "cb").regions

    assert list(regions) == ["", "b"]
    assert len(regions["b"].back_edges) == 2


def test_what_a_node_may_read_depends_on_its_join():
    diamond = ("ab", "ac", "bd", "cd")

    assert graph_of(*diamond).readable("d") == {"a", "b", "c"}
    assert graph_of(*diamond, nodes=[function("d", join="all_fired")]).readable("d") == {"a", "b", "c"}
    assert graph_of(*diamond, nodes=[function("d", join="any")]).readable("d") == {"a"}
    context = edge("b", "d", kind="context")
    assert graph_of("ab", "ac", "cd", context, nodes=[function("d", join="any")]).readable("d") == {
        "a",
        "b",
        "c",
    }


def test_a_node_that_may_begin_by_itself_reads_nothing_for_certain_under_any():
    starts = [function("a", start=True), function("b", start=True, join="any")]

    assert graph_of("ab", nodes=starts).readable("b") == frozenset()
    assert graph_of("bc", nodes=[function("b", join="any")]).readable("b") == frozenset()


def test_inside_a_loop_all_that_it_began_with_can_be_read_and_outside_what_led_there():
    graph = nested()

    assert graph.readable("b") == {"a"}
    assert graph.readable("c") == {"a", "b"}
    assert graph.readable("e") == {"a", "b", "c", "d"}


def test_context_from_outside_is_waited_for_by_the_loop_as_a_whole():
    graph = graph_of("ab", "bc", "cb", "ax", edge("x", "c", kind="context"))

    assert graph.regions[""].units["b"].context == (graph.edges[-1].index,)
    assert graph.readable("b") == {"a", "x"}


def test_edges_of_a_decision_stay_in_the_order_of_its_choice():
    choice = [edge("d", "z", when={"expr": "true"}), edge("d", "a", when={"expr": "true"})]
    graph = graph_of(*choice, nodes=[{"id": "d", "type": "decision"}])

    assert [graph.edges[at].target for at in graph.nodes["d"].outgoing] == ["z", "a"]


def test_second_edges_between_two_nodes_are_numbered_whatever_their_order():
    two = [edge("a", "b", on="success"), edge("a", "b", on="failure")]

    ids = [{(each.id, each.on) for each in graph_of(*order).edges} for order in (two, two[::-1])]

    assert ids[0] == ids[1] == {("a->b", "failure"), ("a->b#2", "success")}


def test_a_body_is_a_graph_of_its_own():
    body = compile_spec(load_spec(whole())).nodes["each"].body

    assert list(body.nodes) == ["sum"]


def test_a_spec_that_has_no_graph_says_why():
    body = Body.model_validate(
        {"nodes": [function("a"), function("b")], "edges": [edge("a", "b"), edge("b", "a")]}
    )

    with pytest.raises(NotAGraph, match="No node can begin"):
        compile_spec(body)


def test_a_chain_of_two_thousand_nodes_and_one_great_loop_need_no_deep_stack():
    names = [f"n{number:04}" for number in range(2_000)]
    pairs = [edge(*pair) for pair in itertools.pairwise(names)]
    document = {"omium": "0", "name": "long", "nodes": [function(name) for name in names], "edges": pairs}

    assert compile_spec(load_spec(document)).regions[""].units_order == tuple(names)

    document["edges"].append(edge(names[-1], names[1]))
    assert compile_spec(load_spec(document)).regions["n0001"].units_order == tuple(names[1:])
