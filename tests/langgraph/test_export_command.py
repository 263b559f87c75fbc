"""`omium export` as a process: stdout holds the document alone, whatever else the user's module prints."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import omium
from omium.cli.main import run

GRAPH = """
from typing import TypedDict
from langgraph.graph import START, StateGraph

class State(TypedDict, total=False):
    topic: str

builder = StateGraph(State)
builder.add_node("plan", lambda state: state)
builder.add_edge(START, "plan")
graph = builder.compile(name="tea")
"""
NOISY = """
import atexit, os, subprocess, sys, threading

def beat():
    while True:
        print("from a thread", flush=True)

child = subprocess.Popen(
    [sys.executable, "-c", "import sys; sys.stdin.read(); print('from a child')"], stdin=subprocess.PIPE
)
atexit.register(print, "from atexit")
atexit.register(os.write, 1, b"from the descriptor\\n")
atexit.register(child.communicate)
threading.Thread(target=beat, daemon=True).start()
print("from the module")
"""


@pytest.fixture
def export(tmp_path):
    (tmp_path / "graph.py").write_text(GRAPH)
    (tmp_path / "noisy.py").write_text(GRAPH + NOISY)

    def start(*arguments, out=subprocess.PIPE):
        return subprocess.run(
            [sys.executable, "-m", "omium", "export", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(Path(omium.__file__).parents[1])},
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
            timeout=180,
            check=False,
        )

    return start


@pytest.mark.parametrize("to_file", [False, True])
def test_what_a_module_prints_at_its_end_or_beside_it_is_no_part_of_stdout(export, tmp_path, to_file):
    done = export("noisy.py:graph", *(["-o", "tea.json", "--json"] if to_file else []))

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["name"] == "tea"
    if to_file:
        assert json.loads((tmp_path / "tea.json").read_text())["name"] == "tea"
    for place in ("the module", "a thread", "a child", "atexit", "the descriptor"):
        assert f"from {place}" in done.stderr, place  # its end may stand behind what another one printed


def test_a_reader_that_has_left_is_no_traceback(export):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as out:
        done = export("graph.py:graph", out=out)

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_program_that_runs_the_command_has_its_stdout_back(tmp_path, monkeypatch, capfd):
    (tmp_path / "graph_of_a_program.py").write_text(GRAPH + "print('from the module')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])

    for name in ("once", "again"):
        assert run(["export", "graph_of_a_program.py:graph", "--name", name]) == 0
        os.write(1, b"")
        print("from the program")
        document, _, rest = capfd.readouterr().out.rpartition("}\n")
        assert json.loads(document + "}")["name"] == name
        assert rest == "from the program\n"


@pytest.mark.parametrize(
    ("added", "told"),
    [
        (
            "import os; os.environ['SOME_MODEL_KEY']",
            r"SOME_MODEL_KEY=placeholder omium export wrong.py:graph",
        ),
        ("raise ValueError('x')", "and name that instead (wrong.py:FUNCTION)."),
    ],
)
def test_a_module_that_cannot_be_imported_ends_in_a_sentence_below_its_own_frames(
    export, tmp_path, added, told
):
    (tmp_path / "wrong.py").write_text(f"{added}\n{GRAPH}")

    done = export("wrong.py:graph")

    assert (done.returncode, done.stdout) == (1, "")
    assert 'wrong.py", line 1, in <module>' in done.stderr
    assert done.stderr.splitlines()[-1].startswith("omium: wrong.py cannot be imported: ")
    assert told in done.stderr.splitlines()[-1]
