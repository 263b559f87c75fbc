"""An instrumented flow in this process: what it records, fails with, and goes on with."""

import pytest
from crewai.flow import Flow, listen, start

import omium
from omium.adapters.crew import instrument


def make_flow(ran):
    class Numbers(Flow):
        @start()
        def first(self):
            ran.append("first")
            self.state["n"] = self.state.get("n", 0) + 1
            return 1

        @listen(first)
        def second(self, n):
            ran.append("second")
            self.state["n"] += 10
            if ran.count("second") == 1:
                raise ValueError("once")
            return n + self.state["n"]

    return Numbers


def test_a_flow_that_failed_goes_on_with_its_state(server):
    ran = []
    flow = instrument(make_flow(ran), name="numbers")
    with pytest.raises(ValueError, match="once"):
        flow.kickoff()

    assert omium.resume(server.newest()["id"]) == 12
    assert ran == ["first", "second", "second"]
