"""Replays of graphs: what was reused is not run, what was edited takes effect, the source stays."""

import pytest
from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict

import omium
from omium.adapters.langgraph import instrument


class State(TypedDict, total=False):
    topic: str
    date: str
    text: str
    published: str


class Report:
    """A graph of four nodes that notes which of them ran, and fails on a date that is none."""

    def __init__(self, name):
        self.ran = []
        builder = StateGraph(State)
        before = START
        for node in (self.write, self.schedule, self.publish):
            builder.add_node(node.__name__, node)
            builder.add_edge(before, node.__name__)
            before = node.__name__
        self.graph = instrument(builder.compile(), name=name)

    def write(self, state):
        self.ran.append("write")
        return {"text": f"about {state['topic']}"}

    def schedule(self, state):
        self.ran.append("schedule")
        return {"date": "2026-13-01" if state["topic"] == "cats" else "2026-12-01"}

    def publish(self, state):
        self.ran.append("publish")
        month = int(state["date"].split("-")[1])
        if month > 12:
            raise ValueError(f"there is no month {month}")
        return {"published": f"{state['text']} on {state['date']}"}


@pytest.fixture
def failed(server):
    report = Report("report")
    with pytest.raises(ValueError, match="month 13"):
        report.graph.invoke({"topic": "cats"})
    report.ran.clear()
    return report, server.newest()


def key_of(execution, name):
    return next(step["key"] for step in execution["steps"] if step["name"] == name)


def test_a_patched_output_is_taken_and_only_what_follows_runs(server, failed):
    report, source = failed
    schedule, publish = key_of(source, "schedule"), key_of(source, "publish")

    output = omium.replay(
        source["id"], from_step=publish, patch={"outputs": {schedule: {"date": "2026-12-01"}}}
    )

    assert output["published"] == "about cats on 2026-12-01"
    assert report.ran == ["publish"]
    replayed = server.newest()
    assert (replayed["replay_of"], replayed["status"]) == (source["id"], "completed")
    assert server.detail(source["id"])["status"] == "failed"


def test_a_replay_from_a_node_repeats_that_node_and_what_follows(server, failed):
    report, source = failed

    with pytest.raises(ValueError, match="month 13"):
        omium.replay(source["id"], from_step=key_of(source, "schedule"))

    assert report.ran == ["schedule", "publish"]


def test_an_unedited_replay_of_a_completed_graph_runs_nothing(server):
    report = Report("good")
    first = report.graph.invoke({"topic": "dogs"})
    source = server.newest()
    report.ran.clear()

    assert omium.replay(source["id"]) == first
    assert report.ran == []


def test_an_edited_input_runs_everything(server, failed):
    report, source = failed

    output = omium.replay(source["id"], patch={"input": {"input": {"topic": "dogs"}}})

    assert output["published"] == "about dogs on 2026-12-01"
    assert report.ran == ["write", "schedule", "publish"]


def test_a_replay_of_a_replay_goes_on_from_there(server, failed):
    report, source = failed
    publish = key_of(source, "publish")
    with pytest.raises(ValueError, match="month 13"):
        omium.replay(source["id"], from_step=publish)
    second = server.newest()
    report.ran.clear()

    patch = {"outputs": {key_of(second, "schedule"): {"date": "2026-12-24"}}}
    output = omium.replay(second["id"], from_step=key_of(second, "publish"), patch=patch)

    assert output["published"].endswith("2026-12-24")
    assert report.ran == ["publish"]
