"""A graph that is killed in any node goes on there: what had finished runs once."""

import shutil
from collections import Counter
from pathlib import Path

import pytest

from tests.langgraph import branching

SCRIPT = Path(branching.__file__)
WAYS = ["invoke", "ainvoke", "stream", "astream"]


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


@pytest.mark.parametrize(
    ("node", "way"), [(node, WAYS[number % len(WAYS)]) for number, node in enumerate(branching.NODES)]
)
def test_a_graph_killed_in_a_node_repeats_only_that_node(server, node, way):
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


def test_a_worker_finds_a_killed_graph_by_its_file(server):
    script = Path(shutil.copy(SCRIPT, server.folder))
    server.run(script, "invoke", DIE="end")

    entrypoint = server.newest()["code"]["entrypoint"]

    assert entrypoint == str(script)
