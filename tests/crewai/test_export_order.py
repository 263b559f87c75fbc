"""CrewAI goes along the edges of an exported document: what ran is compared with them."""

from itertools import pairwise

import pytest
from crewai import LLM, Agent, Crew, Task
from crewai.flow import Flow, and_, listen, or_, router, start
from crewai.tasks.conditional_task import ConditionalTask

from omium.adapters.crew import instrument
from omium.adapters.crew.export import export_workflow
from omium.spec.check import check_spec

pytestmark = pytest.mark.timeout(300)


def make_crew(*tasks):
    """A crew of (name, what is said, options); a `when` makes a task conditional."""
    llm = LLM(model="openai/gpt-4o-mini")
    made = {}
    for name, said, options in tasks:
        agent = Agent(role=name.title(), goal="Say it", backstory="Brief", llm=llm)
        given = {"name": name, "description": f"[[say: {said}]]", "expected_output": "A line", "agent": agent}
        given |= {key: value for key, value in options.items() if key != "when"}
        made[name] = (
            ConditionalTask(condition=options["when"], **given) if "when" in options else Task(**given)
        )
    return Crew(agents=[task.agent for task in made.values()], tasks=list(made.values()))


def list_ways(document, ran):
    """Return for each node that ran which of those before it in the document had run; None for a start."""
    before = {node["id"]: [] for node in document["nodes"]}
    for edge in document["edges"]:
        if edge.get("kind") != "context":
            before[edge["to"]].append(edge["from"])
    starts = {node["id"] for node in document["nodes"] if node.get("start")}
    ways = {}
    for at, id_ in enumerate(ran):
        is_start = not before[id_] or (id_ in starts and id_ not in ran[:at])
        ways[id_] = None if is_start else [each for each in before[id_] if each in ran[:at]]
    return ways


def run(server, subject, **inputs):
    """Run it, and return its document and the nodes in the order in which they began."""
    document = export_workflow(subject, mode="native", name="ordered")
    assert check_spec(document).problems == ()
    instrument(subject, name="ordered").kickoff(inputs or None)
    steps = [step["key"] for step in server.newest()["steps"] if "/" not in step["key"]]
    return document, [key.partition("#")[0] for key in steps]


CREWS = {
    "sequential": ([("a", "1", {}), ("b", "2", {}), ("c", "3", {})], ["a", "b", "c"]),
    "side by side": (
        [
            ("a", "1", {}),
            ("b", "2", {"async_execution": True}),
            ("c", "3", {"async_execution": True}),
            ("d", "4", {}),
        ],
        ["a", "b", "c", "d"],
    ),
    "condition true": (
        [("a", "yes", {}), ("b", "2", {"when": lambda output: output.raw == "yes"}), ("c", "3", {})],
        ["a", "b", "c"],
    ),
    "condition false": (
        [("a", "no", {}), ("b", "2", {"when": lambda output: output.raw == "yes"}), ("c", "3", {})],
        ["a", "c"],
    ),
    "two conditions": (
        [
            ("a", "no", {}),
            ("b", "2", {"when": lambda output: output.raw == "yes"}),
            ("c", "3", {"when": lambda output: not output.raw}),
            ("d", "4", {}),
        ],
        ["a", "c", "d"],
    ),
}


@pytest.mark.parametrize("kind", CREWS)
def test_a_crew_goes_along_the_edges(server, model, kind):
    tasks, expected = CREWS[kind]

    document, ran = run(server, make_crew(*tasks))

    assert sorted(ran) == expected
    assert all(way is None or way for way in list_ways(document, ran).values())
    assert (ran[0], ran[-1]) == (expected[0], expected[-1])


class Joining(Flow):
    """Two starts, a join of both, and one of either."""

    @start()
    def left(self):
        return "left"

    @start()
    def right(self):
        return "right"

    @listen(and_(left, right))
    def both(self):
        return "both"

    @listen(or_(both, "never"))
    def last(self):
        return "last"


class Looping(Flow):
    """A router that leads back twice, then out."""

    @start("again")
    def draft(self):
        self.state["rounds"] = self.state.get("rounds", 0) + 1
        return self.state["rounds"]

    @router(draft)
    def enough(self):
        return "done" if self.state["rounds"] >= 3 else "again"

    @listen("done")
    def publish(self):
        return self.state["rounds"]

    @listen("unheard")
    def elsewhere(self):
        return "never"


def test_a_join_runs_after_both_and_no_event_is_made_up(server):
    document, ran = run(server, Joining)

    assert (sorted(ran[:2]), ran[2:]) == (["left", "right"], ["both", "last"])
    joins = {node["id"]: node.get("join") for node in document["nodes"]}
    assert joins == {"left": None, "right": None, "both": "all_fired", "last": "any"}
    assert list_ways(document, ran)["both"] == ["left", "right"]
    assert [edge for edge in document["edges"] if edge["to"] == "last"] == [{"from": "both", "to": "last"}]


def test_a_loop_goes_back_along_its_edge(server):
    document, ran = run(server, Looping)

    assert ran == ["draft", "enough", "draft", "enough", "draft", "enough", "publish"]
    ways = {(edge["from"], edge["to"]): edge.get("x-events") for edge in document["edges"]}
    assert ways == {
        ("draft", "enough"): None,
        ("enough", "draft"): ["again"],
        ("enough", "publish"): ["done"],
        ("enough", "elsewhere"): ["unheard"],
    }
    assert all((one, other) in ways for one, other in pairwise(ran))
