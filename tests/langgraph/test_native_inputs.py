"""A worker of a graph that nobody imported takes the inputs that it takes of an imported one."""

import pytest

from tests.langgraph.test_native import GRAPH, OUTPUT, Native
from tests.sdk.served import wait_until

OWN = (
    GRAPH.replace("print(", "# ")
    + """
from omium.adapters.langgraph import instrument
own = instrument(graph, name="own")
"""
)
CALL = OWN + "\nif __name__ == '__main__':\n    own.invoke({'topic': 'oolong'})\n"
FORMS = [
    {"topic": "oolong"},
    {"input": {"topic": "oolong"}},
    {"input": {"topic": "oolong"}, "thread_id": None},
]


@pytest.fixture
def native(server):
    made = Native(server)
    made.graph.write_text(OWN)
    return made


def test_an_instrumented_graph_takes_its_inputs_by_name_and_as_its_own_calls_record_them(native):
    with native.worker("graph.py:own"):
        for form in FORMS:
            body = {"workflow": "own", "driver": "worker", "input": form, "input_digest": "0" * 64}
            done = native.ended(native.server.post("/v1/executions", body)["id"])
            assert (done["status"], done["output"]) == ("completed", OUTPUT), (form, done["error"])
    here = native.json("run", "graph.py:own", "--input", "topic=oolong")
    assert (here["status"], here["output"]) == ("completed", OUTPUT)


def test_what_the_users_own_script_began_goes_on_on_a_worker(native):
    native.graph.write_text(CALL)
    native.fail(1)
    assert native.server.run(native.graph.name)[0] == 1
    begun = native.server.newest()
    assert begun["status"] == "failed"

    native.omium("worker", "graph.py:own", "--once", "--execution", begun["id"])

    done = native.server.detail(begun["id"])
    assert (done["status"], done["output"], done["input"]["input"]) == (
        "completed",
        OUTPUT,
        {"topic": "oolong"},
    )
    assert native.ran() == {"plan": 1, "write": 2}


def test_a_worker_says_at_its_start_that_the_server_runs_what_is_stored_in_engine_mode(native):
    node = {"id": "a", "type": "wait", "parameters": {"seconds": 1}}
    native.save({"omium": "0", "name": "tea", "nodes": [node], "edges": []})
    told = native.folder / "worker.txt"

    with native.worker("graph.py:graph"):
        wait_until(lambda: "Serving tea" in told.read_text() and "engine mode" in told.read_text())

    assert "tea is stored in engine mode: the server runs it, and this worker is never" in told.read_text()
    assert "omium export graph.py:graph --mode native --import" in told.read_text()
