"""A crew or flow that is killed goes on there: what had finished runs once, no answer is asked for twice.

The short form kills in each task and in each method, through one of the ways to start each. The whole matrix,
each place through each way: `make crash-matrix`.
"""

import itertools
import shutil
from collections import Counter
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(600)  # each test starts CrewAI twice, on a machine that may be busy
FOLDER = Path(__file__).parent
TASKS = ("research", "draft", "publish")
# Each way of starting with another task that dies; "otters" and "badgers" are the items of a for_each.
CREWS = [
    ("kickoff", "research:otters"),
    ("kickoff", "draft:otters"),
    ("kickoff", "publish:otters"),
    ("akickoff", "draft:otters"),
    ("kickoff_async", "publish:otters"),
    ("kickoff_for_each", "draft:badgers"),
    ("kickoff_for_each_async", "publish:badgers"),
    ("akickoff_for_each", "draft:otters"),
    ("hierarchical", "draft:otters"),
]
ONE_BY_ONE = ("kickoff", "kickoff_async", "akickoff")
FOR_EACH = ("kickoff_for_each", "kickoff_for_each_async", "akickoff_for_each")
TOGETHER = FOR_EACH[1:]  # these run their items side by side
METHODS = ("plan", "left", "right", "decide", "publish", "close")
TOOL_PLACES = ("before", "behind", "model")


def cross(ways, places, items):
    return [(way, f"{place}:{item}") for way, place, item in itertools.product(ways, places, items)]


# The argument of a test, its short form and its whole one.
MATRIX = {
    "crew_death": (
        CREWS,
        cross((*ONE_BY_ONE, "hierarchical"), TASKS, ["otters"])
        + cross(FOR_EACH, TASKS, ["otters", "badgers"]),
    ),
    "flow_death": (
        [("kickoff", method) for method in METHODS],
        [*itertools.product(ONE_BY_ONE, METHODS)],
    ),
    "tool_death": (
        [("kickoff", "behind:ann")],
        cross(ONE_BY_ONE, TOOL_PLACES, ["ann"]) + cross(FOR_EACH, TOOL_PLACES, ["ann", "bob"]),
    ),
}


def pytest_generate_tests(metafunc):
    for name, (short, whole) in MATRIX.items():
        if name in metafunc.fixturenames:
            cases = whole if metafunc.config.option.torture else short
            metafunc.parametrize(name, cases, ids=["-".join(each) for each in cases])


def copy_script(server, name):
    return Path(shutil.copy(FOLDER / f"{name}.py", server.folder))


def die(server, script, place, *arguments):
    code, out, err = server.run(script, *arguments, DIE=place)
    assert code == -9, out + err


def go_on(server, module, *arguments, shown="str"):
    execution = server.newest()
    source = f"import omium, {module} as script; print('OUTPUT', {shown}(omium.resume({execution['id']!r})))"
    code, out, err = server.run(server.write("go_on.py", source), *arguments)
    assert code == 0, out + err
    return server.detail(execution["id"]), find_output(out)


def find_output(out):
    return next(line.removeprefix("OUTPUT ") for line in out.splitlines() if line.startswith("OUTPUT "))


def read_lines(server, name):
    return Counter((server.folder / name).read_text().splitlines())


def test_a_crew_killed_in_a_task_repeats_only_that_task_and_asks_its_model_nothing_again(
    server, model, crew_death
):
    way, place = crew_death
    topics = ("otters", "badgers") if "for_each" in way else ("otters",)
    script = copy_script(server, "killed_crew")
    die(server, script, place, way)

    detail, output = go_on(server, "killed_crew", way, shown="script.show")

    assert output == "|".join(",".join(f"{task} of {topic}" for task in TASKS) for topic in topics)
    assert detail["status"] == "completed"
    every = Counter(f"{task}:{topic}" for topic in topics for task in TASKS)
    again = read_lines(server, "ran.txt") - every
    finished = {step["key"] for step in detail["steps"] if step["epoch"] == 1}
    assert again[place] == 1
    # Items that ran at the same time died with it, in whatever they did.
    assert set(again) == {place} or way in TOGETHER
    unheard = model.count() - Counter(f"{task} of {topic}" for topic in topics for task in TASKS)
    # A neighbour's answer may have been on its way when the process died: it is asked for once more.
    assert not unheard or (
        way in TOGETHER and sum(unheard.values()) == 1 and place.split(":")[1] not in str(unheard)
    )
    assert place.partition(":")[0] not in finished
    if not unheard:
        used = detail["usage"]
        assert (used["input_tokens"], used["output_tokens"]) == (model.input_tokens, model.output_tokens)


def test_a_flow_killed_in_a_method_repeats_only_that_method(server, model, flow_death):
    way, method = flow_death
    script = copy_script(server, "killed_flow")
    die(server, script, method, way)

    detail, output = go_on(server, "killed_flow")

    assert output == "Otters play. left of a plan, right, plan-publish"
    lines = read_lines(server, "ran.txt")
    again = set(lines - Counter(METHODS))
    # The two branches run side by side: the other one may have died in the middle, too.
    assert again == {method} or (method in ("left", "right") and again <= {"left", "right"})
    assert set(lines) == set(METHODS)
    assert model.count() == {"Otters play.": 1}
    assert sorted(step["key"] for step in detail["steps"] if "/" not in step["key"]) == sorted(METHODS)


def test_a_crew_killed_inside_its_tool_loop_repeats_neither_the_tool_nor_the_models_answers(
    server, model, tool_death
):
    way, place = tool_death
    killed = place.partition(":")[2]
    customers = ("ann", "bob") if way in FOR_EACH else ("ann",)
    script = copy_script(server, "killed_tools")
    die(server, script, place, way)

    detail, output = go_on(server, "killed_tools", way, shown="script.show")

    assert output == "|".join(f"{customer} paid." for customer in customers)
    assert detail["status"] == "completed"
    charged = read_lines(server, "charged.txt")
    unheard = model.count() - Counter(
        ["call charge_card"] * len(customers) + [f"{each} paid." for each in customers]
    )
    inside = ("bill", "bill/charge_card", "bill/model", "bill/model#2")
    names = ["bill"] if len(customers) == 1 else [f"bill:{number}" for number in range(1, len(customers) + 1)]
    assert {step["key"] for step in detail["steps"]} == {
        key.replace("bill", name, 1) for name in names for key in inside
    }
    assert charged[killed] == 1
    if way not in TOGETHER:
        assert charged == Counter(customers)
        assert not unheard
        used = detail["usage"]
        assert (used["input_tokens"], used["output_tokens"]) == (model.input_tokens, model.output_tokens)
        return
    # A neighbour died in whatever it did: only what it had recorded is known not to be done again.
    neighbour = next(each for each in customers if each != killed)
    finished = {step["key"] for step in detail["steps"] if step["epoch"] == 1}
    charge = f"{names[customers.index(neighbour)]}/charge_card"
    assert charged[neighbour] == 1 or (charge not in finished and charged[neighbour] == 2)
    assert sum(unheard.values()) <= 1
    assert f"{killed} paid." not in unheard
