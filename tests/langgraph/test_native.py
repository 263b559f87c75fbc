"""A graph on `omium worker graph.py:graph` runs as its stored spec says: real server, real workers."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest
from langgraph.graph import START, StateGraph

import omium
from omium.adapters.langgraph import export_graph
from omium.adapters.native import adopt
from omium.errors import ConfigError
from omium.sdk.registry import PinnedVersion
from tests.sdk.served import TIMEOUT_S, wait_until

GRAPH = """
import operator, os
from pathlib import Path
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph


class State(TypedDict, total=False):
    topic: str
    log: Annotated[list[str], operator.add]


def note(word):
    with open("ran.txt", "a") as file:
        file.write(word + "\\n")


def plan(state):
    note("plan")
    return {"log": ["plan " + state["topic"]]}


def write(state):
    note("write")
    if Path("die.txt").exists():
        Path("die.txt").unlink()
        os.kill(os.getpid(), 9)
    if Path("held.txt").exists():
        open("inside.txt", "w").close()
        while Path("held.txt").exists():
            __import__("time").sleep(0.05)
    if (left := len(list(Path().glob("fail-*")))):
        Path(f"fail-{left}").unlink()
        raise RuntimeError("the model is away")
    return {"log": ["write"]}


builder = StateGraph(State)
builder.add_node("plan", plan)
builder.add_node("write", write)
builder.add_edge(START, "plan")
builder.add_edge("plan", "write")
graph = builder.compile(name="tea")
print("a module that prints when it is imported")
"""
EXPORTED = []
OUTPUT = {"topic": "oolong", "log": ["plan oolong", "write"]}


class Native:
    """The folder of somebody who has a graph, and their command line."""

    def __init__(self, server):
        self.server = server
        self.folder = server.folder
        self.graph = server.write("graph.py", GRAPH)

    def command(self, *arguments):
        return [sys.executable, "-m", "omium", *arguments]

    def environment(self):
        return {**os.environ, "PYTHONPATH": str(Path(omium.__file__).parents[1])}

    def omium(self, *arguments, code=0):
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == code, done.stderr
        return done

    def json(self, *arguments, code=0):
        return json.loads(self.omium(*arguments, "--json", code=code).stdout)

    @contextlib.contextmanager
    def worker(self, target="graph.py:graph", *options):
        told = self.folder / "worker.txt"
        with told.open("a") as out:
            process = subprocess.Popen(
                self.command("worker", target, *options),
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

    def document(self):
        """Return what `omium export` prints; the command is run by the first test that asks."""
        if not EXPORTED:
            EXPORTED.append(self.omium("export", "graph.py:graph").stdout)
        return json.loads(EXPORTED[0])

    def save(self, document):
        return self.server.post("/v1/workflows", {"document": document})

    def imported(self):
        return self.save(self.document())

    def edit(self, change):
        """Save the document that `change` makes of the active one, and return what became of it."""
        document = self.server.get("/v1/workflows/tea/versions/active")["document"]
        change(document)
        return self.save(document)

    def start(self, name="tea"):
        body = {"workflow": name, "driver": "worker", "input": {"topic": "oolong"}, "input_digest": "0" * 64}
        return self.server.post("/v1/executions", body)["id"]

    def ended(self, execution_id):
        def look():
            detail = self.server.detail(execution_id)
            return detail if detail["status"] in ("completed", "failed", "paused", "cancelled") else None

        return wait_until(look)

    def ran(self):
        return Counter((self.folder / "ran.txt").read_text().split())

    def fail(self, times):
        for number in range(times):
            (self.folder / f"fail-{number + 1}").touch()


@pytest.fixture
def native(server):
    return Native(server)


def node_of(document, id_):
    return next(node for node in document["nodes"] if node["id"] == id_)


def give_retry(document, attempts):
    node_of(document, "write")["retry"] = {"max_attempts": attempts, "initial_delay_s": 0, "jitter": False}


def test_an_exported_graph_is_stored_and_run_by_a_worker_of_its_file(native):
    saved = native.json("export", "graph.py:graph", "--import")
    with native.worker():
        done = native.json("run", "tea", "--input", "topic=oolong")

    assert (saved["name"], saved["version"], saved["mode"]) == ("tea", 1, "native")
    assert saved["entrypoint"] == "graph.py:graph"
    assert done["status"] == "completed"
    assert done["output"] == OUTPUT
    assert (done["driver"], done["version"]) == ("worker", 1)
    assert [step["name"] for step in done["steps"]] == ["plan", "write"]


def test_only_the_document_is_on_stdout_and_the_mode_with_its_reasons_on_stderr(native):
    done = native.omium("export", "graph.py")

    assert json.loads(done.stdout)["name"] == "tea"
    assert "a module that prints" in done.stderr
    assert "tea: native mode" in done.stderr
    assert "because: " in done.stderr
    assert json.loads(native.omium("export-langgraph", "graph.py:graph").stdout)["name"] == "tea"
    refused = native.omium("export-crew", "graph.py:graph", code=1)
    assert "is of LangGraph" in refused.stderr


def test_an_export_writes_over_no_file_that_is_no_document(native):
    before = native.graph.read_text()
    told = native.omium("export", "graph.py:graph", "-o", "graph.py", code=2).stderr
    assert "graph.py is no workflow, and is not written over" in told
    assert native.graph.read_text() == before
    for _ in range(2):  # a former export is
        native.omium("export", "graph.py:graph", "-o", "tea.json")
    assert json.loads((native.folder / "tea.json").read_text())["name"] == "tea"


def test_an_edited_retry_holds_from_the_next_run_on(native):
    native.imported()
    native.fail(1)
    with native.worker():
        first = native.ended(native.start())
        saved = native.edit(lambda document: give_retry(document, 3))
        native.fail(2)
        second = native.ended(native.start())

    assert (first["status"], first["version"]) == ("failed", 1)
    assert saved["version"] == 2
    assert (second["status"], second["version"]) == ("completed", 2)
    assert [step["attempt"] for step in second["steps"]] == [1, 3]
    assert native.ran() == {"plan": 2, "write": 4}


def test_a_concurrency_key_bounds_a_node_over_executions_and_workers(native):
    native.imported()
    key = {"key": "models", "limit": 1}
    native.edit(lambda document: node_of(document, "write").update(concurrency=key))
    (native.folder / "held.txt").touch()
    with native.worker(), native.worker():
        former = native.start()
        wait_until((native.folder / "inside.txt").exists)
        latter = [native.start(), native.start()]
        wait_until(lambda: native.ran()["plan"] == 3)
        assert native.ran()["write"] == 1
        (native.folder / "held.txt").unlink()
        done = [native.ended(each) for each in (former, *latter)]

    assert [(each["status"], each["output"]) for each in done] == [("completed", OUTPUT)] * 3
    assert native.ran() == {"plan": 3, "write": 3}


def test_what_a_node_writes_is_judged_by_the_schema_of_its_checkpoint(native):
    native.imported()
    schema = {"type": "object", "properties": {"log": {"items": {"pattern": "oolong"}}}, "required": ["log"]}

    def ask(document):
        for id_ in ("plan", "write"):
            node_of(document, id_)["checkpoint"] = {"payload": schema}
        give_retry(document, 3)

    native.edit(ask)
    with native.worker():
        done = native.ended(native.start())

    assert (done["status"], done["error"]["type"], done["error"]["code"]) == (
        "failed",
        "OutputInvalid",
        "output-schema",
    )
    assert "/log/0: " in done["error"]["message"]
    assert native.ran() == {"plan": 1, "write": 1}


def test_a_killed_worker_is_followed_by_another_and_finished_nodes_ran_once(native):
    native.imported()
    (native.folder / "die.txt").touch()
    with native.worker() as first:
        execution_id = native.start()
        first.wait(TIMEOUT_S)
        assert first.returncode == -signal.SIGKILL
        native.edit(lambda document: give_retry(document, 2))
        with native.worker():
            done = native.ended(execution_id)

    assert (done["status"], done["output"], done["version"]) == ("completed", OUTPUT, 1)
    assert native.ran() == {"plan": 1, "write": 2}


def test_what_runs_keeps_its_version_while_another_one_begins(native):
    native.imported()
    (native.folder / "held.txt").touch()
    with native.worker():
        former = native.start()
        wait_until((native.folder / "inside.txt").exists)
        native.edit(lambda document: give_retry(document, 2))
        latter = native.start()
        native.fail(1)
        wait_until(lambda: native.ran()["write"] == 2)
        (native.folder / "held.txt").unlink()
        ended = {detail["version"]: detail for detail in map(native.ended, (former, latter))}

    # One of the two is the first to find the failure: without a retry it fails, with one it goes on.
    assert ended[2]["status"] == "completed"
    tries = {number: detail["steps"][-1]["attempt"] for number, detail in ended.items()}
    assert (ended[1]["status"], tries[2]) in {("failed", 1), ("completed", 2)}


def test_a_spec_that_names_another_module_imports_nothing(native):
    (native.folder / "elsewhere.py").write_text("open('imported.txt', 'w').close()")
    document = native.document()
    document["runtime"]["entrypoint"] = "elsewhere.py:graph"
    for node in document["nodes"]:
        node["ref"] = {"ref": "elsewhere:write"}
    native.save(document)

    with native.worker():
        done = native.ended(native.start())

    assert done["status"] == "failed"
    assert "/nodes/0/ref" in done["error"]["message"]
    assert not (native.folder / "imported.txt").exists()
    assert not (native.folder / "ran.txt").exists()


def test_an_edit_of_the_graph_itself_is_refused_before_anything_runs(native):
    native.imported()
    native.edit(
        lambda document: (
            document["nodes"].append({"id": "check", "type": "function"}),
            document["edges"].append({"from": "write", "to": "check"}),
        )
    )
    with native.worker():
        done = native.ended(native.start())

    assert done["status"] == "failed"
    assert "the node check is not in the code that is served here" in done["error"]["message"]
    assert "omium export PATH.py:OBJECT --import" in done["error"]["message"]
    assert not (native.folder / "ran.txt").exists()


def test_a_workflow_of_another_name_is_served_by_its_entrypoint(native):
    with native.worker("graph.py"):
        native.save({**native.document(), "name": "chai"})
        done = native.ended(native.start("chai"))

    assert (done["workflow"], done["status"], done["version"]) == ("chai", "completed", 1)


def test_a_replay_on_a_version_runs_again_what_that_version_defines_otherwise(native):
    native.imported()
    with native.worker():
        source = native.ended(native.start())
        native.edit(lambda document: give_retry(document, 2))
        plan = native.server.post(f"/v1/executions/{source['id']}/plan", {"version": 2})
        answer = native.server.post(f"/v1/executions/{source['id']}/replay", {"version": 2})
        done = native.ended(answer["execution"]["id"])
        again = native.ended(native.server.post(f"/v1/executions/{source['id']}/replay")["execution"]["id"])

    assert [(step["name"], step["disposition"]) for step in plan["steps"]] == [
        ("plan", "reuse"),
        ("write", "rerun"),
    ]
    assert plan["steps"][1]["reason"] == "version 2 defines it otherwise"
    assert (plan["version"], done["version"], done["status"]) == (2, 2, "completed")
    assert done["output"] == OUTPUT
    assert (again["version"], again["status"]) == (1, "completed")
    assert native.ran() == {"plan": 1, "write": 2}


def test_of_a_file_what_cannot_be_served_under_its_name_is_left_out_and_said(server, caplog):
    module = ModuleType("mine")
    exec(
        "import omium\n"
        + GRAPH
        + "other = builder.compile(name='tea')\nchai = builder.compile(name='chai')\n"
        + "@omium.workflow(name='chai')\ndef make_chai(): return 1\n",
        vars(module),
    )

    adopted = adopt("mine.py", module, module)

    assert sorted(adopted) == ["tea"]
    assert [record.getMessage() for record in caplog.records] == [
        f"mine.py:{name} is not served. Something else in mine.py is called {called}; "
        f"serve this alone: mine.py:{name}"
        for name, called in (("other", "tea"), ("chai", "chai"))
    ]
    assert adopted["tea"].versions.entrypoints >= {"mine.py:graph"}
    assert sorted(adopt("mine.py:chai", module, module.chai)) == ["chai"]
    assert sorted(adopt("mine.py:make", module, lambda: module.other)) == ["tea"]
    assert adopt("mine.py:make_chai", module, module.make_chai) == {}


def test_a_refused_edit_is_named_by_its_place_in_what_an_export_prints():
    """A stored document is sorted by ids; nobody sees it like that."""
    module = ModuleType("tea")
    builder = StateGraph(dict).add_node("zest", lambda state: state).add_node("add", lambda state: state)
    module.graph = builder.add_edge(START, "zest").add_edge("zest", "add").compile(name="tea")
    (served,) = adopt("tea.py:graph", module, module.graph).values()
    document = export_graph(module.graph, entrypoint="tea.py:graph")
    document["nodes"].sort(key=lambda node: node["id"])
    node_of(document, "zest")["defer"] = True

    with pytest.raises(ConfigError, match="/nodes/0/defer cannot be edited"):
        served.versions.make(PinnedVersion("tea", 2, "digest", document))
