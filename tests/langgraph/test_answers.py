"""Interrupted graphs at a worker: asked of people, answered with `omium signal`, each answer used once."""

import json
from collections import Counter

import pytest

GRAPH = """
import operator
import os
from pathlib import Path
from typing import Annotated

from langgraph.graph import START, StateGraph
from langgraph.types import interrupt
from typing_extensions import TypedDict


class State(TypedDict, total=False):
    said: Annotated[list[str], operator.add]


def note(name):
    with open("ran.txt", "a") as file:
        print(name, file=file)


def left(state):
    return {"said": ["left " + interrupt({"left": "which?"})]}


def right(state):
    note("right")
    return {"said": ["right"]}


def twice(state):
    first = interrupt("first?")
    if Path("die.txt").exists():
        Path("die.txt").unlink()
        os._exit(9)
    second = interrupt("second?")
    note("twice")
    return {"said": [f"twice {first} {second}"]}


def inner(state):
    note("before")
    return {"said": ["inner " + interrupt("inside?")]}


team = StateGraph(State).add_node(inner).add_edge(START, "inner").compile()
builder = StateGraph(State).add_node(left).add_node(right).add_node(twice).add_node("team", team)
builder.add_edge(START, "left").add_edge(START, "right").add_edge(["left", "right"], "twice")
graph = builder.add_edge("twice", "team").compile(name="asking")
"""


PARALLEL = """
import operator
from pathlib import Path
from typing import Annotated

from langgraph.graph import START, StateGraph
from langgraph.types import Send, interrupt
from typing_extensions import TypedDict


class State(TypedDict, total=False):
    said: Annotated[list[str], operator.add]
    number: int


def check(state):
    answer = interrupt(f"number {state['number']}?")
    with open("ran.txt", "a") as file:
        print(f"{state['number']}-{answer}", file=file)
    if answer == "two" and not Path("failed.txt").exists():
        Path("failed.txt").touch()
        raise ConnectionError("the model is away")
    return {"said": [f"{state['number']} {answer}"]}


builder = StateGraph(State).add_node(check)
builder.add_conditional_edges(START, lambda _: [Send("check", {"number": at}) for at in (1, 2)], ["check"])
graph = builder.compile(name="asking")
"""


class Asking:
    """A folder with the graph, and the command line."""

    def __init__(self, server, graph=GRAPH):
        self.server, self.folder, self.omium = server, server.folder, server.omium
        server.write("asking.py", graph)
        started = self.omium("run", "asking", "--inputs", "{}", "--no-wait", "--json")
        self.id = json.loads(started.stdout)["id"]

    def work(self, codes=(0, 1)):
        """Let a worker do what there is, and return the execution as it stands then."""
        self.omium("worker", "asking.py:graph", "--once", codes=codes)
        return self.server.detail(self.id)

    def asked(self):
        return [(each["name"], each["question"]) for each in self.server.detail(self.id)["awaited_signals"]]

    def answer(self, node, text):
        return self.omium("signal", self.id, node, "--data", json.dumps(text)).stderr

    def ran(self):
        return Counter((self.folder / "ran.txt").read_text().split())


@pytest.fixture
def asking(server):
    return Asking(server)


def test_each_question_is_asked_answered_and_never_asked_again(asking):
    waiting = asking.work()
    assert (waiting["status"], waiting["reason"]) == ("waiting", "signal")
    assert asking.asked() == [("left", {"left": "which?"})]
    told = asking.omium("executions", "show", asking.id)
    assert "the signal left" in told.stdout
    assert f"omium signal {asking.id} left --data" in told.stderr
    assert "which?" in told.stderr

    asking.answer("left", "tea")
    asking.work()
    assert asking.asked() == [("twice", "first?")]
    asking.answer("twice", "1")
    asking.work()
    assert asking.asked() == [("twice", "second?")]
    asking.answer("twice", "2")
    asking.work()
    assert asking.asked() == [("inner", "inside?")]
    asking.answer("inner", "in")
    done = asking.work(codes=(0,))

    assert done["status"] == "completed"
    # A subgraph gives all that it was given once more.
    assert set(done["output"]["said"]) == {"inner in", "left tea", "right", "twice 1 2"}
    assert asking.ran() == {"right": 1, "twice": 1, "before": 2}  # before its question a node runs twice


def test_answers_that_come_before_their_questions_are_kept(asking):
    for node, text in [("inner", "in"), ("twice", "1"), ("twice", "2"), ("left", "tea")]:
        assert "keeps it until" in asking.answer(node, text)

    for _ in range(5):  # it begins, and goes on four times
        detail = asking.work()

    assert detail["status"] == "completed"
    assert "twice 1 2" in detail["output"]["said"]


def test_a_worker_that_dies_with_an_answer_leaves_it_to_the_same_question(asking):
    for node, text in [("left", "tea"), ("twice", "1"), ("twice", "2"), ("inner", "in")]:
        asking.answer(node, text)
    asking.work()
    asking.work()
    (asking.folder / "die.txt").touch()
    asking.work(codes=(9,))

    asking.omium("worker", "asking.py:graph", "--once", "--execution", asking.id, codes=(0, 1))
    for _ in range(2):
        detail = asking.work()

    assert detail["status"] == "completed"
    assert "twice 1 2" in detail["output"]["said"]
    assert asking.ran()["twice"] == 1


def test_a_resume_without_an_answer_runs_nothing_and_waits_on(asking):
    asking.work()
    asking.omium("resume", asking.id, codes=(0, 1))
    detail = asking.work()

    assert (detail["status"], detail["reason"]) == ("waiting", "signal")
    assert asking.asked() == [("left", {"left": "which?"})]
    assert asking.ran() == {"right": 1}


def test_of_nodes_that_ask_beside_each_other_each_has_its_own_answer_and_one_that_fails_keeps_it(server):
    asking = Asking(server, PARALLEL)
    asking.work()
    assert asking.asked() == [("check", "number 1?"), ("check", "number 2?")]

    asking.answer("check", "one")
    asking.work()
    assert asking.asked() == [("check", "number 2?")]  # LangGraph keeps the other interrupt beside its answer
    asking.answer("check", "two")
    assert asking.work()["status"] == "failed"
    asking.omium("resume", asking.id)
    done = asking.work()

    assert done["status"] == "completed", done["awaited_signals"]
    assert done["output"]["said"] == ["1 one", "2 two"]
    assert asking.ran() == {"1-one": 1, "2-two": 2}
