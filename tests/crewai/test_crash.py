"""A crew or flow that is killed goes on there: what had finished runs once, no answer is asked for twice."""

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
TOGETHER = ("kickoff_for_each_async", "akickoff_for_each")  # these run their items side by side
METHODS = ("plan", "left", "right", "decide", "publish", "close")


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


@pytest.mark.parametrize(("way", "place"), CREWS)
def test_a_crew_killed_in_a_task_repeats_only_that_task_and_asks_its_model_nothing_again(
    server, model, way, place
):
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


@pytest.mark.parametrize("method", METHODS)
def test_a_flow_killed_in_a_method_repeats_only_that_method(server, model, method):
    script = copy_script(server, "killed_flow")
    die(server, script, method)

    detail, output = go_on(server, "killed_flow")

    assert output == "Otters play. left of a plan, right, plan-publish"
    lines = read_lines(server, "ran.txt")
    again = set(lines - Counter(METHODS))
    # The two branches run side by side: the other one may have died in the middle, too.
    assert again == {method} or (method in ("left", "right") and again <= {"left", "right"})
    assert set(lines) == set(METHODS)
    assert model.count() == {"Otters play.": 1}
    assert sorted(step["key"] for step in detail["steps"] if "/" not in step["key"]) == sorted(METHODS)


def test_a_crew_killed_between_a_tool_and_the_next_model_call_repeats_neither(server, model):
    script = copy_script(server, "killed_tools")
    die(server, script, "1")
    assert model.calls == 1

    detail, output = go_on(server, "killed_tools", shown="(lambda output: output.raw)")

    assert output == "The customer paid."
    assert read_lines(server, "charged.txt") == {"3": 1}
    assert model.asked == ["call charge_card", "The customer paid."]
    assert sorted(step["key"] for step in detail["steps"]) == [
        "bill",
        "bill/charge_card",
        "bill/model",
        "bill/model#2",
    ]
    used = detail["usage"]
    assert (used["input_tokens"], used["output_tokens"]) == (model.input_tokens, model.output_tokens)
