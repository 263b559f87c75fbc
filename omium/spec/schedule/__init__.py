"""The scheduler of engine workflows: pure, over the graph of a spec and a mapping of instances.

    keys.py          how activations and instances are written
    state.py         one instance, and its form in a database
    wiring.py        a graph laid out for quick advances
    actions.py       what is told to the scheduler, and what it tells to do
    conditions.py    which edges fire, and what must be known for that
    advance.py       what follows from one ending
    reading.py       which iteration of a node another one reads

    step = begin(graph)
    table = InstanceTable(step.instances)
    for action in step.actions: ...
    actions = advance(graph, table, Ended("write", (), "success", {"write->send": True}))

Knows no execution, no retry, no time, no values: who runs what is ready, and when, is the engine's. The rules
are those of docs/spec.md; one of the tests runs them against an interpreter that shares no line with this.
"""

from omium.spec.schedule.actions import (
    LOOP_LIMIT,
    NO_BRANCH,
    Action,
    Activate,
    EdgeDiscarded,
    Ended,
    Finished,
    IterationBegun,
    LoopEnded,
    LoopSkipped,
    Outcome,
    Skip,
    Unhandled,
)
from omium.spec.schedule.advance import Step, advance, begin, go_round
from omium.spec.schedule.conditions import choose_branch, handles, judge, needed_conditions
from omium.spec.schedule.keys import Vector, activation_key, instance_key, parse_key
from omium.spec.schedule.reading import find_iteration, find_vector
from omium.spec.schedule.state import EdgeState, Instances, InstanceState, InstanceTable, UnitState

__all__ = [
    "LOOP_LIMIT",
    "NO_BRANCH",
    "Action",
    "Activate",
    "EdgeDiscarded",
    "EdgeState",
    "Ended",
    "Finished",
    "InstanceState",
    "InstanceTable",
    "Instances",
    "IterationBegun",
    "LoopEnded",
    "LoopSkipped",
    "Outcome",
    "Skip",
    "Step",
    "Unhandled",
    "UnitState",
    "Vector",
    "activation_key",
    "advance",
    "begin",
    "choose_branch",
    "find_iteration",
    "find_vector",
    "go_round",
    "handles",
    "instance_key",
    "judge",
    "needed_conditions",
    "parse_key",
]
