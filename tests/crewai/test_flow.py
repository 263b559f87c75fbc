"""An instrumented flow in this process: what it records, fails with, and goes on with."""

import io
from concurrent.futures import ThreadPoolExecutor

import pytest
from crewai.flow import Flow, human_feedback, listen, or_, router, start
from pydantic import BaseModel

import omium
from omium.adapters.crew import TaskPolicy, instrument
from omium.errors import ConfigError, OutputInvalid

pytestmark = pytest.mark.timeout(300)


class Numbers(BaseModel):
    n: int = 0
    seen: list[str] = []


def make_flow(ran, state):
    class Counting(Flow[state]):
        @start()
        def first(self):
            ran.append("first")
            self.write("n", 1)
            return 1

        @listen(first)
        def second(self, n):
            ran.append("second")
            self.write("n", self.read("n") + 10)
            if ran.count("second") == 1:
                raise ValueError("once")
            return n + self.read("n")

        def read(self, name):
            return self.state[name] if state is dict else getattr(self.state, name)

        def write(self, name, value):
            if state is dict:
                self.state[name] = value
            else:
                setattr(self.state, name, value)

    return Counting


@pytest.mark.parametrize("state", [dict, Numbers])
@pytest.mark.parametrize("as_class", [True, False])
def test_a_flow_that_failed_goes_on_with_its_state(server, state, as_class):
    ran = []
    made = make_flow(ran, state)
    flow = instrument(made if as_class else made(), name="numbers")
    with pytest.raises(ValueError, match="once"):
        flow.kickoff()
    id_ = flow.subject.state.id if state is Numbers else flow.subject.state["id"]

    assert omium.resume(server.newest()["id"]) == 12
    assert ran == ["first", "second", "second"]
    assert (flow.subject.state.id if state is Numbers else flow.subject.state["id"]) == id_


class Loop(Flow[Numbers]):
    @start()
    def begin(self):
        return "begun"

    @listen(or_(begin, "again"))
    def work(self):
        self.state.n += 1
        self.state.seen.append(f"try {self.state.n}")

    @router(work)
    def decide(self):
        return "again" if self.state.n < 3 else "done"

    @listen("done")
    async def finish(self):
        return self.state.seen


def test_a_loop_is_replayed_from_its_records_in_the_order_it_went(server):
    flow = instrument(Loop, name="loop")

    assert flow.kickoff() == ["try 1", "try 2", "try 3"]
    keys = sorted(step["key"] for step in server.newest()["steps"])
    assert keys == ["begin", "decide", "decide#2", "decide#3", "finish", "work", "work#2", "work#3"]
    output = omium.replay(server.newest()["id"], from_step="finish")
    assert output == ["try 1", "try 2", "try 3"]


async def test_a_flow_can_be_awaited(server):
    assert await instrument(Loop, name="loop").akickoff() == ["try 1", "try 2", "try 3"]


def test_runs_of_a_class_do_not_meet(server):
    flow = instrument(Loop, name="loop")

    with ThreadPoolExecutor(3) as pool:
        outputs = list(pool.map(lambda _: flow.kickoff(), range(3)))

    assert outputs == [["try 1", "try 2", "try 3"]] * 3


def test_feedback_is_not_asked_for_again(server, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("shorter\n"))
    tries = []

    class Reviewed(Flow):
        @start()
        @human_feedback(message="Is it good?")
        def draft(self):
            return "a draft"

        @listen(draft)
        def publish(self, feedback):
            tries.append(1)
            if len(tries) == 1:
                raise ValueError("once")
            return f"{feedback.output}, made {feedback.feedback}, {self.last_human_feedback.feedback}"

    flow = instrument(Reviewed, name="reviewed")
    with pytest.raises(ValueError, match="once"):
        flow.kickoff()

    assert omium.resume(server.newest()["id"]) == "a draft, made shorter, shorter"


def test_a_methods_policy_tries_again(server):
    flow = instrument(make_flow([], dict), name="tried", nodes={"second": TaskPolicy(retry=2)})

    assert flow.kickoff() in (12, 22)
    assert {step["key"]: step["attempt"] for step in server.newest()["steps"]} == {"first": 1, "second": 2}


@pytest.mark.parametrize(("type_", "ends"), [("integer", "completed"), ("string", "failed")])
def test_what_a_method_returned_is_judged_by_its_schema(server, type_, ends):
    policy = TaskPolicy(output_schema={"type": type_}, retry=2)
    flow = instrument(
        make_flow([], dict), name="judged", nodes={"first": policy, "second": TaskPolicy(retry=2)}
    )

    if ends == "completed":
        flow.kickoff()
    else:
        with pytest.raises(OutputInvalid, match=r"step first returned .* 1 is not of type"):
            flow.kickoff()
    assert server.newest()["status"] == ends


def test_another_flow_is_left_alone(server):
    instrument(Loop, name="loop")

    assert Loop().kickoff() == ["try 1", "try 2", "try 3"]
    assert server.get("/v1/executions?limit=1")["items"] == []


def test_what_streams_is_refused(server):
    class Streaming(Loop):
        stream = True

    with pytest.raises(ConfigError, match="stream=False"):
        instrument(Streaming(), name="streaming")
    with pytest.raises(ConfigError, match="stream=False"):
        instrument(Streaming, name="streaming").kickoff()
