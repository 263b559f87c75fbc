"""A pipeline that is killed in any function goes on there: what had finished runs once."""

import shutil
from collections import Counter
from pathlib import Path

import pytest

from tests.sematic import nested

SCRIPT = Path(nested.__file__)
OUTPUT = (
    "Report(total=1.25, point=Point(x=1.25, names=['a', 'b']), "
    "colour=<Colour.BLUE: 'blue'>, by_name={'a': 0, 'b': 1})"
)


def counted(server):
    return Counter((server.folder / "ran.txt").read_text().split())


def test_an_undisturbed_pipeline_runs_every_function_once(server):
    code, out, err = server.run(shutil.copy(SCRIPT, server.folder))

    assert code == 0, err
    assert out.strip() == OUTPUT
    assert counted(server) == Counter(dict.fromkeys(nested.RAN, 1))
    detail = server.newest()
    assert (detail["workflow"], detail["status"]) == ("nested", "completed")
    inside = ["square", "square-2", "square-3", "add", "halve", "halve-2"]
    assert {step["key"] for step in detail["steps"]} == {
        *("load", "total", "split", "label", "report"),
        *(f"total/{name}" for name in inside),
    }


@pytest.mark.parametrize("function", nested.RAN)
def test_a_pipeline_killed_in_a_function_repeats_only_that_one(server, function):
    script = Path(shutil.copy(SCRIPT, server.folder))
    code, _, err = server.run(script, DIE=function)
    assert code == -9, err
    execution = server.newest()

    code, out, err = server.run(
        server.write("go_on.py", f"import nested, omium; print(repr(omium.resume({execution['id']!r})))")
    )

    assert code == 0, err
    assert out.strip().replace("nested.", "") == OUTPUT
    again = counted(server) - Counter(dict.fromkeys(nested.RAN, 1))
    # A function that calls others is called again until they are done: it says what they are.
    inside_total = function in {"add", "halve-0", "halve-1"} or function.startswith("square")
    assert again == Counter({function: 1, **({"total": 1} if inside_total else {})})
    assert server.detail(execution["id"])["status"] == "completed"
