"""The claims of semantics 1.10 for the reference engine itself: nothing is stuck, every schedule agrees."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference.scope import FIRED, IDLE, READY, RUNNING, Done, Scope
from tests.reference.specs import Script, Shape, random_workflow, workflows
from tests.reference.static import Static
from tests.reference_engine import Reference

TOPIC = {"topic": "tea"}
SCHEDULES = 5


def winners_of(run):
    """Return who won each `any` join, to tell it to another schedule."""
    return {
        (prefix, region, vector, unit): edge
        for prefix, scope in run.scopes.items()
        for (region, vector), instance in scope.instances.items()
        for unit, edge in instance.winners.items()
    }


def facts(run):
    """Return what was recorded: of each activation that ended its inputs, its end and what it gave."""
    return {
        path: (each.inputs, each.trigger, each.state, each.output)
        for path, each in run.activations.items()
        if each.state not in (READY, RUNNING)
    }


def find_disagreements(spec, catalog, seed):
    """Run several schedules with the winners of the first; return what differs between any two."""
    script = Script(seed)
    first = Reference(spec, TOPIC, script, catalog=catalog).run(random.Random(seed))
    if first.status == "running":
        return ["stuck"]
    found = []
    for number in range(SCHEDULES):
        other = Reference(spec, TOPIC, script, catalog=catalog, winners=winners_of(first))
        other.run(random.Random(number))
        ours, theirs = facts(first), facts(other)
        if first.status == "completed":
            same = (other.status, other.output, theirs, other.edges) == (
                first.status,
                first.output,
                ours,
                first.edges,
            ) and sorted(other.discarded) == sorted(first.discarded)
            found += [] if same or has_failed_fast(first) else [f"schedule {number}"]
            found += [] if other.output == first.output else [f"output {number}"]
        else:
            shared = ours.keys() & theirs.keys()
            found += [path for path in shared if ours[path] != theirs[path]]
    return found


def has_failed_fast(run):
    """Whether a map gave up: which items it had begun by then is a matter of the schedule."""
    return any(scope.failing and prefix for prefix, scope in run.scopes.items())


@settings(max_examples=60, deadline=None)
@given(workflows(), st.integers(0, 10**9))
def test_every_schedule_of_the_reference_agrees_and_none_is_stuck(workflow, seed):
    assert find_disagreements(*workflow, seed) == []


def test_random_workflows_have_loops_in_loops_maps_and_every_join():
    runs = [
        Reference(spec, TOPIC, Script(seed), catalog=catalog).run(random.Random(seed))
        for seed in range(200)
        for spec, catalog in [random_workflow(random.Random(seed))]
    ]

    def count(holds):
        return sum(any(holds(scope) for scope in run.scopes.values()) for run in runs)

    kinds = lambda scope: {(n["type"], n.get("join")) for n in scope.static.nodes.values()}  # noqa: E731
    assert sum(run.status == "completed" for run in runs) > 80
    assert sum(run.status == "failed" for run in runs) > 40
    assert count(lambda s: any(len(vector) == 2 for _, vector in s.instances)) > 15
    assert count(lambda s: any(number > 1 for _, vector in s.instances for number in vector)) > 40
    for kind in ("map", "subworkflow", "wait", "decision"):
        assert count(lambda s, kind=kind: any(kind == found for found, _ in kinds(s))) > 10
    for join in ("all", "all_fired", "any"):
        assert count(lambda s, join=join: any(join == found for _, found in kinds(s))) > 20
    assert sum(bool(run.discarded) for run in runs) > 3


def plant_eager_join(monkeypatch):
    """Activate at the first edge that fires, as `any` does, and note no winner."""
    decide = Scope._decide

    def decide_early(self, region, vector, unit):
        control, _ = self._incoming(region, vector, unit)
        return READY if FIRED in control else decide(self, region, vector, unit)

    monkeypatch.setattr(Scope, "_decide", decide_early)


def plant_exits_at_once(monkeypatch):
    """Deliver an edge out of a loop when its source ends, in place of when the loop does."""
    deliver = Scope._deliver

    def deliver_now(self, edge, region, vector, state):
        while self.static.region_of(edge) != region:
            region, vector = self.static.regions[region].parent, vector[:-1]
        if self.instances[region, vector].edges[edge.id] != "open":
            raise AssertionError(f"{edge.id} is resolved twice")
        deliver(self, edge, region, vector, state)

    monkeypatch.setattr(Scope, "_deliver", deliver_now)


def plant_context_is_not_awaited(monkeypatch):
    """Forget X."""
    incoming = Scope._incoming
    monkeypatch.setattr(Scope, "_incoming", lambda *about: (incoming(*about)[0], []))


def plant_any_skips_at_a_dead_edge(monkeypatch):
    """Skip an `any` join when an edge dies, though another one may fire."""
    decide = Scope._decide

    def give_up(self, region, vector, unit):
        decided = decide(self, region, vector, unit)
        control, _ = self._incoming(region, vector, unit)
        is_any = self.static.join(unit) == "any"
        return "skipped" if decided == IDLE and is_any and "dead" in control else decided

    monkeypatch.setattr(Scope, "_decide", give_up)


@pytest.mark.parametrize(
    "plant",
    [plant_eager_join, plant_exits_at_once, plant_context_is_not_awaited, plant_any_skips_at_a_dead_edge],
)
def test_a_planted_mistake_makes_schedules_disagree(plant, monkeypatch):
    plant(monkeypatch)
    for seed in range(400):
        spec, catalog = random_workflow(random.Random(seed), Shape(compounds=False, frail=0, units_max=6))
        try:
            if find_disagreements(spec, catalog, seed):
                return
        except AssertionError:
            return
    pytest.fail("no schedule disagreed")


def test_a_loop_goes_round_reads_its_previous_iteration_and_discards_its_exits():
    spec = {
        "nodes": [
            {
                "id": name,
                "type": "function",
                "inputs": {"before": {"$from": "nodes.b.previous.output.value", "default": 0}},
            }
            for name in ("a", "b")
        ]
        + [{"id": "c", "type": "function", "inputs": {"last": {"$from": "nodes.b.output.value"}}}],
        "edges": [
            {"id": "ab", "from": "a", "to": "b"},
            {"id": "back", "from": "b", "to": "a", "when": {"expr": "output.go.a"}},
            {"id": "out", "from": "b", "to": "c"},
        ],
        "outputs": {"c": {"$from": "nodes.c.output.value"}},
    }
    spec["nodes"][0]["start"] = True
    for node in (spec["nodes"][1],):
        node.pop("inputs")

    class Twice:
        def act(self, path, node, inputs):
            return Done({"value": path, "go": {"a": path != "b#3"}})

        def holds(self, expression, value):
            return value["output"]["go"]["a"]

    run = Reference(spec, {}, Twice()).run(random.Random(0))

    assert run.order == ["a", "b", "a#2", "b#2", "a#3", "b#3", "c"]
    assert [run.activations[path].inputs for path in ("a", "a#2", "a#3", "c")] == [
        {"before": 0},
        {"before": "b"},
        {"before": "b#2"},
        {"last": "b#3"},
    ]
    assert run.discarded == [("", (1,), "out"), ("", (2,), "out")]
    assert run.output == {"c": "c"}


def test_what_may_be_read_is_what_must_have_ended():
    spec = {
        "nodes": [{"id": name} for name in "abcd"],
        "edges": [
            {"from": "a", "to": "b"},
            {"from": "a", "to": "c"},
            {"from": "b", "to": "d"},
            {"from": "c", "to": "d"},
        ],
    }
    assert Static(spec).readable("d") == {"a", "b", "c"}
    spec["nodes"][3]["join"] = "any"
    assert Static(spec).readable("d") == {"a"}
