"""The product's static form beside the naive one: who is valid, which regions there are, what may be read."""

import random

import pytest

from omium.spec import compile as compiling
from omium.spec.check import check_spec, load_spec
from omium.spec.compile import NotAGraph, compile_spec
from tests.reference.specs import Shape, random_workflow, tangle
from tests.reference.static import Static

TANGLES, WORKFLOWS = 800, 120
LARGE = Shape(units_max=7, depth_max=3, compounds=False)


def find_differences(spec):
    """Return how the two analyses of one document differ."""
    naive, checked = Static(spec), check_spec(spec)
    codes = {problem.code for problem in checked.problems}
    if naive.problems:
        return [] if set(naive.problems) & codes else [f"{naive.problems} told as {codes}"]
    if checked.spec is None:
        return [f"told as {codes}"]
    graph = compile_spec(load_spec(spec))
    found = []
    for region in naive.regions.values():
        ours = graph.regions.get(region.id)
        if ours is None or (ours.parent, ours.members) != (region.parent, region.members):
            found.append(f"region {region.id!r}")
            continue
        found += [f"units of {region.id!r}"] * (sorted(ours.units) != naive.units(region.id))
        back = {graph.edges[index].id for index in ours.back_edges}
        found += [f"back edges of {region.id!r}"] * (back != region.back_edges)
        for name, unit in ours.units.items():
            edges = {e.id: e for e in naive.incoming(region.id, name)} if name != region.id else {}
            waited = {graph.edges[index].id for index in (*unit.control, *unit.context)}
            found += [f"what {name} waits for"] * (waited != set(edges))
            found += [f"whether {name} starts"] * (unit.is_start != naive.is_started(region.id, name))
    found += ["number of regions"] * (len(graph.regions) != len(naive.regions))
    for edge in graph.edges:
        same = (edge.region, edge.leaves) == (
            naive.region_of(naive.edge[edge.id]),
            naive.left_by(naive.edge[edge.id]),
        )
        found += [f"where {edge.id} leads"] * (not same)
    found += [f"what {name} reads" for name in naive.nodes if graph.readable(name) != naive.readable(name)]
    return found


def test_any_edges_between_some_nodes_are_judged_alike():
    judged = {True: 0, False: 0}
    for seed in range(TANGLES):
        spec = tangle(random.Random(seed))
        assert find_differences(spec) == [], (seed, spec)
        judged[not Static(spec).problems] += 1
    assert min(judged.values()) > TANGLES / 5


def test_loops_in_loops_are_found_alike():
    for seed in range(WORKFLOWS):
        spec, _ = random_workflow(random.Random(seed), LARGE)
        assert find_differences(spec) == [], seed


def test_a_document_that_reads_only_what_it_may_is_valid():
    for seed in range(WORKFLOWS):
        spec, catalog = random_workflow(random.Random(seed))
        assert [check_spec(each).problems for each in (spec, *catalog.values())] == [()] * (
            len(catalog) + 1
        ), seed


def test_a_document_that_reads_what_it_may_not_is_refused_there():
    for seed in range(WORKFLOWS):
        chance = random.Random(seed)
        spec, _ = random_workflow(chance, LARGE)
        naive = Static(spec)
        at = chance.randrange(len(spec["nodes"]))
        reader = spec["nodes"][at]
        forbidden = sorted(set(naive.nodes) - naive.readable(reader["id"]))
        read = {"$from": f"nodes.{chance.choice(forbidden)}.output", "default": 0}
        reader.setdefault("inputs", {})["more"] = read
        pointers = [problem.pointer for problem in check_spec(spec).problems]
        assert any(pointer.startswith(f"/nodes/{at}/inputs/more") for pointer in pointers), (seed, pointers)


def plant_any_reads_all(monkeypatch):
    """Let an `any` join read what only one of its edges promises."""
    monkeypatch.setattr(
        compiling, "find_readable", lambda nodes, *about: {n: (1 << len(nodes)) - 1 for n in nodes}
    )


def plant_starts_enter_no_loop(monkeypatch):
    """Look for a loop's entries among edges only."""
    find_loop = compiling._Draft.find_loop

    def forget_starts(self, region, loop, depth):
        kept, self.starts = self.starts, frozenset()
        try:
            find_loop(self, region, loop, depth)
        finally:
            self.starts = kept

    monkeypatch.setattr(compiling._Draft, "find_loop", forget_starts)


@pytest.mark.parametrize("plant", [plant_any_reads_all, plant_starts_enter_no_loop])
def test_a_planted_mistake_is_seen(plant, monkeypatch):
    plant(monkeypatch)
    for seed in range(TANGLES):
        try:
            if find_differences(tangle(random.Random(seed))):
                return
        except NotAGraph:
            return
    pytest.fail("the mistake was not seen")
