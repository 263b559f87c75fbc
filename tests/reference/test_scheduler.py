"""The product's scheduler beside the reference: one order of endings, one story."""

import importlib
import random
from dataclasses import fields

import pytest

from omium.spec.schedule import conditions, reading
from omium.spec.schedule.state import EdgeState
from tests.reference.scheduled import Scheduled, tell
from tests.reference.specs import Script, Shape, random_workflow
from tests.reference_engine import Reference

advancing = importlib.import_module("omium.spec.schedule.advance")  # the package has a function of that name
TOPIC = {"topic": "tea"}
SEEDS = 350
SHAPES = (Shape(compounds=False), Shape(compounds=False, units_max=6, depth_max=3, risk=0.3))


def find_differences(seed, shape):
    """Run the scheduler, give its order and its winners to the reference; return what they disagree on."""
    spec, _ = random_workflow(random.Random(seed), shape)
    script = Script(seed)
    run = Scheduled(spec, TOPIC, script, random.Random(seed)).run()
    log = iter(run.log)
    reference = Reference(spec, TOPIC, script, winners=run.winners)
    reference.run(random.Random(), pick=lambda _choices: next(log))
    ours, theirs = run.story, tell(reference)
    found = [f"{f.name}" for f in fields(ours) if getattr(ours, f.name) != getattr(theirs, f.name)]
    return found + ["an edge fired before the winner"] * bool(reference.overtaken)


def test_the_scheduler_and_the_reference_tell_one_story():
    for seed in range(SEEDS):
        assert find_differences(seed, SHAPES[seed % 2]) == [], seed


def plant_last_wins(monkeypatch):
    """Let the last edge that fires win."""
    deliver = advancing._Walk._deliver

    def deliver_and_overwrite(self, edge, region, vector, edge_state):
        slot = region.slot_at[edge.index]
        if slot < len(region.target_at) and edge_state is EdgeState.FIRED:
            self._touch(region.id, vector).winners.pop(region.target_at[slot], None)
        deliver(self, edge, region, vector, edge_state)

    monkeypatch.setattr(advancing._Walk, "_deliver", deliver_and_overwrite)


def plant_failing_exit_goes_round(monkeypatch):
    """Go round again though an exit edge of a failure has fired."""

    class Calm:
        def __init__(self, edge):
            self._edge = edge

        def __getattr__(self, name):
            return "success" if name == "on" else getattr(self._edge, name)

    conclude = advancing._Walk._conclude

    def conclude_calmly(self, region, vector):
        kept = region.slots
        object.__setattr__(region, "slots", tuple(Calm(edge) for edge in kept))
        try:
            conclude(self, region, vector)
        finally:
            object.__setattr__(region, "slots", kept)

    monkeypatch.setattr(advancing._Walk, "_conclude", conclude_calmly)


def plant_all_fired_is_all(monkeypatch):
    """Take `all_fired` for `all`."""
    decide = advancing._decide

    def decide_as_all(unit, edges, is_won):
        decided = decide(unit, edges, is_won)
        has_fired = edges.find(EdgeState.FIRED, unit.first, unit.context) >= 0
        is_partly = decided is advancing.UnitState.SKIPPED and unit.join == "all_fired" and has_fired
        return advancing.UnitState.ACTIVE if is_partly else decided

    monkeypatch.setattr(advancing, "_decide", decide_as_all)


def plant_always_is_success(monkeypatch):
    """Take `always` for `success`."""
    monkeypatch.setattr(
        conditions,
        "_is_asked",
        lambda edge, outcome: edge.on == outcome or (edge.on == "always" and outcome == "success"),
    )


def plant_first_iteration_is_read(monkeypatch):
    """Read the first iteration of a loop that has ended."""
    find = reading.find_iteration
    monkeypatch.setattr(reading, "find_iteration", lambda *about: find(*about) and 1)


@pytest.mark.parametrize(
    "plant",
    [
        plant_last_wins,
        plant_failing_exit_goes_round,
        plant_all_fired_is_all,
        plant_always_is_success,
        plant_first_iteration_is_read,
    ],
)
def test_a_planted_mistake_is_told_apart(plant, monkeypatch):
    plant(monkeypatch)
    for seed in range(2_000):
        try:
            if find_differences(seed, SHAPES[seed % 2]):
                return
        except (AssertionError, KeyError, ValueError, StopIteration):
            return
    pytest.fail("the mistake was not seen")
