"""A crew and a flow on `omium worker crew.py` run as their stored specs say: a real server, a real worker."""

import contextlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import omium
from tests.sdk.served import TIMEOUT_S, wait_until

CREW = """
from crewai import LLM, Agent, Crew, Task
from crewai.flow.flow import Flow, listen, router, start
from crewai.tools import tool
from pydantic import BaseModel


@tool("count words")
def count_words(text: str) -> int:
    "Counts words."
    return len(text.split())


llm = LLM(model="openai/gpt-4o-mini")
finder = Agent(role="Finder", goal="Find", backstory="Reads.", llm=llm, tools=[count_words])
writer = Agent(role="Writer of {topic}", goal="Write", backstory="Writes.", llm=llm)
find = Task(name="find", description="Find {topic}. [[say: Tea is old.]]", expected_output="a", agent=finder)
write = Task(name="write", description="Write. [[say: A text.]]", expected_output="b", agent=writer)
crew = Crew(name="papers", agents=[finder, writer], tasks=[find, write])
letter = Task(name="to", description="Write. [[say: Dear {customer}.]]", expected_output="c", agent=writer)
letters = Crew(name="letters", agents=[writer], tasks=[letter])
print("a module that prints when it is imported")


class State(BaseModel):
    rounds: int = 0


class Judging(Flow[State]):
    @start()
    def judge(self):
        return self.state.rounds

    @router(judge)
    def decide(self):
        return "many" if self.state.rounds > 2 else "few"

    @listen("many")
    def shorten(self):
        return "shortened"

    @listen("few")
    def lengthen(self):
        return "lengthened"
"""


class Native:
    """The folder of somebody who has a crew, and their command line."""

    def __init__(self, server):
        self.server, self.folder = server, server.folder
        server.write("crew.py", CREW)

    def omium(self, *arguments):
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "omium", *arguments],
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done

    def environment(self):
        return {**os.environ, "PYTHONPATH": str(Path(omium.__file__).parents[1])}

    def export(self, target):
        return json.loads(self.omium("export", target, "--import", "--json").stdout)

    @contextlib.contextmanager
    def worker(self, target):
        with (self.folder / "worker.txt").open("a") as out:
            process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-m", "omium", "worker", target],
                cwd=self.folder,
                env=self.environment(),
                stdout=out,
                stderr=out,
            )
            try:
                yield process
            finally:
                process.kill()
                process.wait(TIMEOUT_S)

    def start(self, name, **inputs):
        body = {"workflow": name, "driver": "worker", "input": inputs, "input_digest": "0" * 64}
        return self.server.post("/v1/executions", body)["id"]

    def run(self, name, **inputs):
        return self.ended(self.start(name, **inputs))

    def ended(self, execution):
        def look():
            detail = self.server.detail(execution)
            return detail if detail["status"] in ("completed", "failed", "paused", "cancelled") else None

        ended = wait_until(look)
        assert ended["status"] == "completed", ended["error"]
        return ended


@pytest.fixture
def native(server, model):
    return Native(server)


def find_node(document, id_):
    return next(node for node in document["nodes"] if node["id"] == id_)


def test_what_was_imported_runs_on_a_worker_in_crewais_own_order_and_as_edited(native, server, model):
    saved, flow = native.export("crew.py:crew"), native.export("crew.py:Judging")
    assert [(each["name"], each["mode"]) for each in (saved, flow)] == [
        ("papers", "native"),
        ("Judging", "native"),
    ]
    with native.worker("crew.py"):
        first = native.run("papers", topic="tea")
        document = server.get("/v1/workflows/papers/versions/1")["document"]
        find_node(document, "write")["parameters"]["description"] = "Sing. [[say: A song.]]"
        find_node(document, "write")["retry"] = {"max_attempts": 4}
        document["agents"]["writer-of-topic"]["role"] = "Singer of {topic}"
        edited = server.post("/v1/workflows", {"document": document})
        second = native.run("papers", topic="tea")
        few, many = native.run("Judging"), native.run("Judging", rounds=3)

    assert (first["version"], edited["version"], second["version"]) == (1, 2, 2)
    assert model.asked == ["Tea is old.", "A text.", "Tea is old.", "A song."]
    keys = [[step["key"] for step in each["steps"]] for each in (first, second, few, many)]
    assert keys[0] == keys[1] == ["find", "find/model", "write", "write/model"]
    assert keys[2:] == [["judge", "decide", "lengthen"], ["judge", "decide", "shorten"]]
    assert [each["output"] for each in (few, many)] == ["lengthened", "shortened"]


def test_executions_of_one_crew_on_one_worker_have_their_own_inputs(native, model):
    native.omium("export", "crew.py:letters", "--import", "--mode", "native")
    customers = ["Alice", "Bob", "Carol", "Dave", "Erin", "Frank"]
    with native.worker("crew.py:letters"):
        started = [native.start("letters", topic="tea", customer=customer) for customer in customers]
        done = [native.ended(each) for each in started]

    said = [re.findall(r'"raw": "([^"]+)"', json.dumps(each["output"]))[0] for each in done]
    assert said == [f"Dear {customer}." for customer in customers]


OWN = """
from crew import Judging, letters
from omium.adapters.crew import instrument

own_letters = instrument(letters, name="own-letters")
own_judging = instrument(Judging, name="own-judging")
"""


def test_a_crew_and_a_flow_that_were_instrumented_take_their_inputs_as_imported_ones_do(
    native, server, model
):
    server.write("own.py", OWN)
    with native.worker("own.py"):
        said = {"topic": "tea", "customer": "Ann"}
        for way in (said, {"inputs": said, "way": "kickoff"}):
            assert "Dear Ann." in json.dumps(native.run("own-letters", **way)["output"])
        for way in ({"rounds": 3}, {"inputs": {"rounds": 3}}):
            assert native.run("own-judging", **way)["output"] == "shortened"


def test_an_export_in_engine_mode_says_that_the_server_needs_a_provider_of_its_models(native, server):
    server.write("plain.py", PLAIN)

    told = native.omium("export", "plain.py:plain").stderr

    assert "plain: engine mode" in told
    assert "the server needs the provider openai, for gpt-4o-mini: omium providers --help" in told


PLAIN = """
from crewai import LLM, Agent, Crew, Task

llm = LLM(model="openai/gpt-4o-mini")
writer = Agent(role="Writer", goal="Write", backstory="Writes.", llm=llm)
task = Task(name="write", description="Write of {topic}.", expected_output="A text", agent=writer)
plain = Crew(name="plain", agents=[writer], tasks=[task])
"""
