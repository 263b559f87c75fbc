"""A graph that is killed in any node goes on there: what had finished runs once.

The short form kills in each node, and in parallel branches, sends, a subgraph and a loop through each way to
call a graph. The whole matrix, each node through each way: `make crash-matrix`.
"""

import itertools
import shutil
from collections import Counter
from pathlib import Path

import pytest

from tests.langgraph import branching

SCRIPT = Path(branching.__file__)
WAYS = ["invoke", "ainvoke", "stream", "astream"]
WHOLE = [*itertools.product(branching.NODES, WAYS)]
SHORT = [
    *((node, WAYS[number % len(WAYS)]) for number, node in enumerate(branching.NODES)),
    # With those above: invoke, ainvoke and stream for each part that LangGraph resumes in its own way.
    ("left", "invoke"),
    ("worker:0", "ainvoke"),
    ("worker:1", "stream"),
    ("inner_first", "invoke"),
    ("draft:1", "ainvoke"),
    ("draft", "stream"),
]


def pytest_generate_tests(metafunc):
    if "way_of_death" in metafunc.fixturenames:
        cases = WHOLE if metafunc.config.option.torture else SHORT
        metafunc.parametrize("way_of_death", cases, ids=["-".join(each) for each in cases])


def whole_log():
    inner = ["plan", "left", "worker:0", "worker:1", "right"]
    # LangGraph hands the whole state to the subgraph and adds what comes back, so the log holds it twice.
    return sorted([*inner, *inner, "inner_first", "inner_second", "draft", "draft", "end"])


@pytest.mark.parametrize("way", WAYS)
def test_an_undisturbed_graph_runs_every_node_once(server, way):
    script = Path(shutil.copy(SCRIPT, server.folder))

    code, out, err = server.run(script, way)

    assert code == 0, err
    assert set(Counter((server.folder / "ran.txt").read_text().split()).values()) == {1}
    assert sorted(eval(out)) == whole_log()
    detail = server.newest()
    assert (detail["workflow"], detail["status"]) == ("branching", "completed")
    assert len(detail["steps"]) == len(branching.NODES)


def test_a_graph_killed_in_a_node_repeats_only_that_node(server, way_of_death):
    node, way = way_of_death
    script = Path(shutil.copy(SCRIPT, server.folder))
    code, _, err = server.run(script, way, DIE=node)
    assert code == -9, err
    execution = server.newest()
    before = Counter((server.folder / "ran.txt").read_text().split())

    source = f"import branching, omium; print(sorted(omium.resume({execution['id']!r})['log']))"
    code, out, err = server.run(server.write("go_on.py", source))

    assert code == 0, err
    assert sorted(eval(out)) == whole_log()
    done = server.detail(execution["id"])
    # Asked afterwards: what the killed process had sent may still have been on its way to the disk.
    finished = [step["name"] for step in done["steps"] if step["epoch"] == 1]
    after = Counter((server.folder / "ran.txt").read_text().split())
    again = after - Counter(dict.fromkeys(branching.NODES, 1))
    # Beside the killed node only unfinished neighbours of the same step of the graph may run again.
    assert again[node] == 1
    assert not {name.partition(":")[0] for name in again if name != node} & set(finished)
    assert sum(before.values()) + len(branching.NODES) - len(finished) == sum(after.values())
    assert done["status"] == "completed"


def test_a_graph_that_is_killed_again_while_it_goes_on_goes_on_there(server):
    script = Path(shutil.copy(SCRIPT, server.folder))
    server.run(script, "invoke", DIE="worker:1")
    execution = server.newest()
    source = f"import branching, omium; print(sorted(omium.resume({execution['id']!r})['log']))"
    go_on = server.write("go_on.py", source)

    for node in ("inner_second", "draft:1"):
        code, _, err = server.run(go_on, DIE=node)
        assert code == -9, err
    code, out, err = server.run(go_on)

    assert code == 0, err
    assert sorted(eval(out)) == whole_log()
    ran = Counter((server.folder / "ran.txt").read_text().split())
    assert {node: ran[node] for node in ("plan", "inner_first", "draft", "end")} == {
        "plan": 1, "inner_first": 1, "draft": 1, "end": 1,
    }  # fmt: skip
    assert {node: ran[node] for node in ("worker:1", "inner_second", "draft:1")} == {
        "worker:1": 2, "inner_second": 2, "draft:1": 2,
    }  # fmt: skip
    assert server.detail(execution["id"])["status"] == "completed"


def test_a_worker_finds_a_killed_graph_by_its_file(server):
    script = Path(shutil.copy(SCRIPT, server.folder))
    server.run(script, "invoke", DIE="end")

    entrypoint = server.newest()["code"]["entrypoint"]

    assert entrypoint == str(script)
