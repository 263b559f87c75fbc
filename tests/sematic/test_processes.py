"""Pipelines in processes that people start, interrupt and stop: scripts, `omium run`, `omium worker`."""

import shutil
import signal
from collections import Counter
from pathlib import Path

import omium
from tests.sdk.served import TIMEOUT_S, wait_until
from tests.sematic import nested

HANGING = """
import os, time
from pathlib import Path
import sematic
from omium.adapters.sematic import instrument


@sematic.func
def load(number: int) -> int:
    with Path("ran.txt").open("a") as file:
        file.write("load\\n")
    return number


@sematic.func
def hang(number: int) -> int:
    with Path("ran.txt").open("a") as file:
        file.write("hang\\n")
    while not Path("go").exists():
        time.sleep(0.05)
    return number


@sematic.func
def hanging(number: int) -> int:
    return hang(load(number))


durable = instrument(hanging, name="{name}")

if __name__ == "__main__":
    print(durable.run(7))
"""


def ran(server):
    path = server.folder / "ran.txt"
    return path.read_text().split() if path.exists() else []


def serve(server, target):
    return server.start("-m", "omium", "worker", target, "--concurrency", "2")


def stop(process):
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0, err


def interrupted(server, name, number):
    script = server.write(f"{name}.py", HANGING.replace("{name}", name))
    process = server.start(script)
    wait_until(lambda: "hang" in ran(server))

    process.send_signal(number)
    _, err = process.communicate(timeout=TIMEOUT_S)

    assert process.returncode not in (0, None)
    assert "CancellationError" not in err
    (server.folder / "go").touch()
    execution = server.newest()
    source = f"import {name}, omium; print(omium.resume({execution['id']!r}))"
    code, out, err = server.run(server.write("go_on.py", source))
    assert (code, out) == (0, "7\n"), err
    assert ran(server) == ["load", "hang", "hang"]


def test_a_pipeline_interrupted_by_a_person_goes_on_later(server):
    interrupted(server, "interrupted", signal.SIGINT)


def test_a_pipeline_whose_process_is_told_to_end_goes_on_later(server):
    interrupted(server, "ended", signal.SIGTERM)


def test_a_worker_serves_a_pipeline_and_another_goes_on_where_it_was_killed(server):
    script = server.write("served.py", HANGING.replace("{name}", "served"))
    first = serve(server, f"{script}:durable")
    execution_id = omium.run_workflow("served", {"number": 4}, wait=False)
    wait_until(lambda: "hang" in ran(server))
    first.kill()
    first.communicate(timeout=TIMEOUT_S)
    (server.folder / "go").touch()

    second = serve(server, f"{script}:durable")
    wait_until(lambda: server.detail(execution_id)["status"] == "completed")

    assert server.detail(execution_id)["output"] == 4
    assert ran(server) == ["load", "hang", "hang"]
    stop(second)


def test_a_worker_runs_two_pipelines_at_once(server):
    script = shutil.copy(Path(nested.__file__), server.folder)
    process = serve(server, f"{script}:durable")

    ids = [omium.run_workflow("nested", {"count": count}, wait=False) for count in (2, 3)]
    wait_until(lambda: all(server.detail(each)["status"] == "completed" for each in ids))

    assert [server.detail(each)["output"]["$:dataclass"][1]["total"] for each in ids] == [0.25, 1.25]
    assert Counter(ran(server))["total"] == 2
    stop(process)


def test_omium_run_runs_a_pipeline_of_a_file(server):
    script = server.write("filed.py", HANGING.replace("{name}", "filed"))
    (server.folder / "go").touch()

    code, out, err = server.run("-m", "omium", "run", f"{script}:durable", "--input", "number=5", "--quiet")

    assert (code, out.strip()) == (0, "5"), err
    assert server.newest()["workflow"] == "filed"
