"""What holds for every document: checking never raises, order does not count, a canonical form is its own."""

import copy

from hypothesis import given, settings
from hypothesis import strategies as st

from omium.spec.canonical import canonical_bytes, canonical_form, spec_digest
from omium.spec.changes import diff_specs
from omium.spec.check import check_spec, load_spec, restore_spec
from omium.spec.compile import compile_spec
from omium.spec.graph import ROOT
from omium.spec.published import spec_json_schema
from omium.spec.schemas import check_value
from tests.spec.whole import GONE, edge, function, put, whole

FIELDS = (
    "id",
    "type",
    "nodes",
    "edges",
    "from",
    "to",
    "body",
    "when",
    "expr",
    "inputs",
    "outputs",
    "properties",
)
WORDS = st.sampled_from((*FIELDS, "$from", "$secret", "a", "map", "x-y", ""))
KINDS = st.sampled_from(["control", "control", "control", "context"])
JOINS = st.sampled_from(["all", "any", "all_fired"])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | WORDS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=4), inner, max_size=5)
    ),
    max_leaves=25,
)


def places(value, pointer=""):
    """Return the pointers of everything in a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = []
    for name, item in items:
        at = f"{pointer}/{str(name).replace('~', '~0').replace('/', '~1')}"
        found += [at, *places(item, at)]
    return found


PLACES = places(whole())


@settings(max_examples=150, deadline=None)
@given(ANYTHING)
def test_checking_never_raises_on_whatever_it_is_given(document):
    checked = check_spec(document)

    assert (checked.spec is None) == bool(checked.problems)


@settings(max_examples=250, deadline=None)
@given(st.sampled_from(PLACES), ANYTHING | st.just(GONE))
def test_a_spec_with_anything_anywhere_is_judged_and_whatever_is_taken_can_be_used(at, value):
    document = whole()
    put(document, at, copy.deepcopy(value))

    checked = check_spec(document)

    for problem in (*checked.problems, *checked.warnings):
        assert problem.pointer == "" or problem.pointer.startswith("/")
        assert problem.detail
        assert problem.code
    if checked.spec is not None:
        assert check_value(spec_json_schema(), document) == []
        compile_spec(checked.spec)
        again = load_spec(canonical_form(checked.spec))
        assert canonical_bytes(again) == canonical_bytes(checked.spec)
        assert restore_spec(document) == checked.spec


@st.composite
def graphs(draw):
    names = [f"n{number}" for number in range(draw(st.integers(1, 7)))]
    ends = st.tuples(st.sampled_from(names), st.sampled_from(names))
    pairs = draw(st.lists(ends, max_size=12, unique=True))
    edges = [edge(*pair, kind=draw(KINDS)) for pair in pairs]
    nodes = [function(name, join=draw(JOINS)) for name in names]
    return {"omium": "0", "name": "g", "nodes": [{**nodes[0], "start": True}, *nodes[1:]], "edges": edges}


def form_of(document):
    """Return the static form in names, without places in the document."""
    graph = compile_spec(load_spec(document))
    edges = [(each.id, each.region, each.leaves, each.is_back) for each in graph.edges]
    regions = {
        name: (region.parent, region.members, region.units_order, dict(region.units))
        for name, region in graph.regions.items()
    }
    return edges, regions, {name: graph.readable(name) for name in graph.nodes}


@settings(max_examples=150, deadline=None)
@given(graphs(), st.randoms(use_true_random=False))
def test_the_order_of_nodes_and_edges_changes_nothing(document, random):
    shuffled = copy.deepcopy(document)
    random.shuffle(shuffled["nodes"])
    random.shuffle(shuffled["edges"])
    before, after = check_spec(document), check_spec(shuffled)

    assert sorted(each.code for each in before.problems) == sorted(each.code for each in after.problems)
    if before.spec is not None:
        assert form_of(document) == form_of(shuffled)
        assert spec_digest(before.spec) == spec_digest(after.spec)
        assert diff_specs(before.spec, after.spec) == []


@settings(max_examples=150, deadline=None)
@given(graphs())
def test_each_region_is_a_tree_of_loops_whose_units_are_in_order(document):
    checked = check_spec(document)
    if checked.spec is None:
        return
    graph = compile_spec(checked.spec)

    for region in graph.regions.values():
        at = {name: place for place, name in enumerate(region.units_order)}
        assert set(at) == set(region.units)
        for unit in region.units.values():
            waited_for = {
                name
                for name, other in region.units.items()
                if set(other.outgoing) & set(unit.control + unit.context)
            }
            assert all(at[name] < at[unit.id] for name in waited_for)
            assert region.id in (ROOT, unit.id) or unit.control or unit.context
        if region.id != ROOT:
            assert region.back_edges
            assert region.members < graph.regions[region.parent].members or region.parent == ROOT
    for each in graph.edges:
        assert each.is_back == (each.kind == "control" and each.region == each.target)
        assert each.source in graph.regions[each.region].members
        assert each.target in graph.regions[each.region].members
        assert not any(each.target in graph.regions[loop].members for loop in each.leaves)
