"""A pipeline that is exported, stored, edited, and run by a worker in Sematic's own order."""

import contextlib
import json
import signal

import omium
from tests.sdk.served import TIMEOUT_S, wait_until

PIPELINE = """
from pathlib import Path
from typing import List
import sematic


def ran(name):
    with Path("ran.txt").open("a") as file:
        file.write(name + "\\n")


@sematic.func
def load(count: int) -> List[int]:
    ran("load")
    return list(range(count))


@sematic.func
def square(number: int) -> int:
    ran(f"square-{number}")
    if number == 1 and not Path("seen").exists():
        Path("seen").touch()
        raise ConnectionError("away")
    return number * number


@sematic.func
def add(numbers: List[int]) -> int:
    ran("add")
    return sum(numbers)


@sematic.func
def total(numbers: List[int]) -> int:
    ran("total")
    return add([square(number) for number in numbers])


@sematic.func
def pipeline(count: int) -> int:
    return total(load(count))


example = pipeline(3)
print("a module may print")
"""


def command(server, *arguments):
    code, out, err = server.run("-m", "omium", *arguments)
    assert code == 0, err
    return out


def ran(server):
    names = (server.folder / "ran.txt").read_text().split()
    (server.folder / "ran.txt").unlink()
    return names


@contextlib.contextmanager
def serving(server, target):
    worker = server.start("-m", "omium", "worker", target)
    try:
        yield
    finally:
        worker.send_signal(signal.SIGTERM)
        _, err = worker.communicate(timeout=TIMEOUT_S)
    assert worker.returncode == 0, err


def finish(server, **inputs):
    execution_id = omium.run_workflow("pipeline", inputs, wait=False)
    wait_until(lambda: server.detail(execution_id)["status"] in ("completed", "failed"))
    return server.detail(execution_id)


def test_a_stored_pipeline_runs_in_sematics_order_with_the_policies_of_its_version(server):
    server.write("flow.py", PIPELINE)
    own = "import flow, sematic; print(sematic.SilentRunner().run(flow.example))"
    (server.folder / "seen").touch()
    _, out, _ = server.run(server.write("own.py", own))
    order = ran(server)
    command(server, "export-sematic", "flow.py:example", "--trace", "-o", "flow.json", "--name", "pipeline")
    assert ran(server) == order

    document = json.loads((server.folder / "flow.json").read_text())
    document["runtime"]["entrypoint"] = "flow.py:pipeline"
    (square,) = (node for node in document["nodes"][1]["body"]["nodes"] if node["id"] == "square-2")
    (server.folder / "flow.json").write_text(json.dumps(document))
    command(server, "workflows", "import", "flow.json")
    with serving(server, "flow.py:pipeline"):
        (server.folder / "seen").unlink()
        failed = finish(server, count=3)
        ran(server)
        (server.folder / "seen").unlink()
        square["retry"] = {"max_attempts": 2, "initial_delay_s": 0, "jitter": False}
        (server.folder / "flow.json").write_text(json.dumps(document))
        command(server, "workflows", "import", "flow.json")
        done = finish(server, count=3)

    assert failed["status"] == "failed"
    assert (done["status"], done["output"]) == ("completed", int(out.split()[-1]))
    assert server.steps(done["id"])["total/square-2"]["attempt"] == 2
    assert order == ["load", "total", "square-0", "square-1", "square-2", "add"]
    # Sematic lets others go first before it tries a function again.
    assert ran(server) == ["load", "total", "square-0", "square-1", "square-2", "square-1", "add"]
