"""Functions with `cache=True`: which calls are spared, within an execution and between executions."""

# ruff: noqa: UP006, UP035  # Sematic 0.41 knows only the types of `typing`

import logging
import uuid
from typing import List

import pytest
import sematic

import omium
from omium.adapters.recorded import StepPolicy
from omium.adapters.sematic import OmiumRunner, instrument
from omium.adapters.sematic.applying import apply_spec
from omium.adapters.sematic.cache_shelf import WORKFLOW
from omium.adapters.sematic.export import export_pipeline
from omium.sdk.session import current_session, use_session
from omium.spec.check import load_spec

RAN = []
KNOBS = {}


@pytest.fixture(autouse=True)
def fresh():
    RAN.clear()
    KNOBS.clear()


@pytest.fixture
def namespace():
    return uuid.uuid4().hex


def work(name):
    RAN.append(name)
    if KNOBS.get(name, 0) > 0:
        KNOBS[name] -= 1
        raise ConnectionError(f"{name} is away")


@sematic.func(cache=True)
def heavy(number: int) -> int:
    work("heavy")
    return number * 10 + KNOBS.get("plus", 0)


@sematic.func
def light(number: int) -> int:
    work("light")
    return number


@sematic.func
def add(numbers: List[int]) -> int:
    work("add")
    return sum(numbers)


@sematic.func
def twice(number: int) -> int:
    return add([heavy(number), heavy(number), light(1), light(1)])


@sematic.func
def once(number: int) -> int:
    return light(heavy(number))


@sematic.func(cache=True)
def group(number: int) -> int:
    work("group")
    return light(light(number))


@sematic.func
def groups(number: int) -> int:
    return add([group(number), group(number)])


@sematic.func(cache=True)
def whole(number: int) -> int:
    work("whole")
    return light(number)


@sematic.func(cache=True)
def never_again(number: int) -> int:
    work("never_again")
    return never_again(number)


def entries(server):
    return server.get(f"/v1/executions?workflow={WORKFLOW}")["items"]


def newest_run(server, workflow):
    found = server.get(f"/v1/executions?workflow={workflow}&limit=1")["items"][0]
    return server.detail(found["id"])


def test_a_cached_function_called_twice_with_the_same_arguments_runs_once(server):
    before = len(entries(server))

    assert instrument(twice).run(3) == 62

    assert RAN.count("heavy") == 1
    assert RAN.count("light") == 2
    steps = {step["key"]: step for step in newest_run(server, "twice")["steps"]}
    assert (steps["heavy"]["output"], steps["heavy-2"]["output"]) == (30, 30)
    assert len(entries(server)) == before  # without a namespace nothing is kept for others


def test_without_a_namespace_another_execution_calls_the_function_as_in_sematic(server):
    assert [instrument(once).run(3), instrument(once).run(3)] == [30, 30]
    assert RAN.count("heavy") == 2


def test_in_a_second_execution_with_the_same_namespace_it_does_not_run(server, namespace):
    durable = instrument(once, cache_namespace=namespace)
    assert durable.run(3) == 30
    KNOBS["plus"] = 1

    assert durable.run(3) == 30

    assert RAN == ["heavy", "light", "light"]
    run = newest_run(server, "once")
    (line,) = server.get(f"/v1/executions/{run['id']}/logs?path=heavy")["items"]
    entry = server.detail(entries(server)[0]["id"])
    assert entry["id"] in line["text"]
    assert (entry["status"], entry["input"]["namespace"]) == ("completed", namespace)


@pytest.mark.parametrize("namespaces", [("a", "b"), ("a", None)])
def test_in_another_namespace_it_runs(server, namespace, namespaces):
    for each in namespaces:
        instrument(once, cache_namespace=each and each + namespace).run(3)

    assert RAN.count("heavy") == 2


def test_with_other_inputs_it_runs(server, namespace):
    durable = instrument(once, cache_namespace=namespace)

    assert [durable.run(3), durable.run(4), durable.run(3)] == [30, 40, 30]
    assert RAN.count("heavy") == 2


def test_with_changed_code_it_runs_again(server, namespace, monkeypatch):
    def heavy_now(number: int) -> int:
        work("heavy")
        return number * 100

    durable = instrument(once, cache_namespace=namespace)
    assert durable.run(3) == 30
    monkeypatch.setattr(heavy.func, "__code__", heavy_now.__code__)

    assert durable.run(3) == 300
    assert RAN.count("heavy") == 2


def test_a_failure_is_not_kept(server, namespace):
    KNOBS["heavy"] = 1
    durable = instrument(once, cache_namespace=namespace)
    with pytest.raises(ConnectionError):
        durable.run(3)

    assert durable.run(3) == 30
    assert RAN.count("heavy") == 2


def test_a_value_that_was_taken_is_the_steps_record_on_a_resume(server, namespace):
    durable = instrument(once, cache_namespace=namespace)
    durable.run(3)
    KNOBS["light"] = 1
    with pytest.raises(ConnectionError):
        durable.run(3)
    before = len(entries(server))

    assert omium.resume(newest_run(server, "once")["id"]) == 30
    assert RAN.count("heavy") == 1
    assert len(entries(server)) == before


def test_equal_calls_of_a_function_that_calls_others_run_once(server, namespace):
    durable = instrument(groups, cache_namespace=namespace)

    assert durable.run(3) == 6
    assert RAN == ["group", "light", "light", "add"]
    RAN.clear()
    assert durable.run(3) == 6
    assert RAN == ["add"]


def test_the_pipelines_own_function_is_taken_too(server, namespace):
    durable = instrument(whole, cache_namespace=namespace)

    assert [durable.run(3), durable.run(3)] == [3, 3]
    assert RAN == ["whole", "light"]
    assert newest_run(server, "whole")["steps"] == []


def test_a_cached_function_that_calls_itself_fails_and_does_not_wait_for_itself(server):
    with pytest.raises(Exception, match="deep"):
        instrument(never_again).run(1)


def test_sematics_own_runner_and_its_namespace_of_a_function_are_taken(server, namespace):
    for _ in range(2):
        OmiumRunner(cache_namespace=lambda root: f"{root.function.__name__}{namespace}").run(once(3))

    assert RAN.count("heavy") == 1


def test_a_namespace_that_cannot_be_told_stops_nothing(server, caplog):
    def namespace(root):
        raise LookupError("no commit")

    with caplog.at_level(logging.WARNING, "omium.sematic"):
        assert instrument(once, cache_namespace=namespace).run(3) == 30
    assert "no commit" in caplog.text


@pytest.mark.parametrize("policy", [StepPolicy(effect=True), StepPolicy(record=False)])
def test_an_effect_happens_and_what_has_no_record_is_not_kept_elsewhere(server, namespace, policy):
    durable = instrument(once, nodes={"heavy": policy}, cache_namespace=namespace)

    durable.run(3)
    durable.run(3)

    assert RAN.count("heavy") == 2


def test_two_processes_agree_on_what_is_equal(server, namespace):
    script = server.write("sizing.py", SIZING.replace("{namespace}", namespace))

    outputs = [server.run(script, PYTHONHASHSEED=seed) for seed in ("1", "2")]

    assert [out for _, out, _ in outputs] == ["called\n2\n", "2\n"], outputs


SIZING = """
from dataclasses import dataclass
from typing import Dict
import sematic
from omium.adapters.sematic import instrument


@dataclass
class Book:
    words: Dict[str, int]


@sematic.func(cache=True)
def size(book: Book) -> int:
    print("called")
    return len(book.words) if "no" not in {"maybe", "never"} else 0


@sematic.func
def sizing(book: Book) -> int:
    return size(book)


durable = instrument(sizing, cache_namespace="{namespace}")

if __name__ == "__main__":
    print(durable.run(Book({"one": 1, "two": 2})))
"""


def test_a_killed_run_leaves_nothing_that_others_take(server, namespace):
    script = server.write("dying.py", DYING.replace("{namespace}", namespace))
    code, _, err = server.run(script, DIE="yes")
    assert code == -9, err
    dead = newest_run(server, "dying")

    code, out, err = server.run(script)
    assert (code, out) == (0, "called\n20\n"), err

    code, out, err = server.run(
        server.write("go_on.py", f"import dying, omium; print(omium.resume({dead['id']!r}))")
    )
    assert (code, out) == (0, "20\n"), err  # what died in it takes what the other run has kept


DYING = """
import os, signal
import sematic
from omium.adapters.sematic import instrument


@sematic.func(cache=True)
def heavy(number: int) -> int:
    if "DIE" in os.environ:
        os.kill(os.getpid(), signal.SIGKILL)
    print("called")
    return number * 10


@sematic.func
def dying(number: int) -> int:
    return heavy(number)


durable = instrument(dying, cache_namespace="{namespace}")

if __name__ == "__main__":
    print(durable.run(2))
"""


def test_an_edited_version_keeps_the_namespace(server, namespace):
    durable = instrument(once, cache_namespace=namespace)
    spec = load_spec(export_pipeline(durable, entrypoint="x.py:durable"))

    applied = instrument(apply_spec(durable, spec), name="edited")

    assert [durable.run(3), applied.run(3)] == [30, 30]
    assert RAN.count("heavy") == 1


def use_key(server, **body):
    key = server.post("/v1/keys", {"name": uuid.uuid4().hex, **body})["api_key"]
    omium.init(base_url=server.running.base_url, api_key=key)


def test_a_key_that_may_not_use_the_cache_stops_nothing(server, namespace, caplog):
    durable = instrument(once, cache_namespace=namespace)
    durable.run(3)
    before = current_session()
    use_key(server, environment="dev", workflows=["once"])
    with caplog.at_level(logging.WARNING, "omium.sematic"):
        assert durable.run(3) == 30
    current_session().close()
    use_session(before)

    assert "may run only once, not sematic-cache" in caplog.text
    assert RAN.count("heavy") == 2


def test_another_environment_takes_nothing(server, namespace):
    durable = instrument(once, cache_namespace=namespace)
    durable.run(3)
    before = current_session()
    use_key(server, environment="prod")

    durable.run(3)

    current_session().close()
    use_session(before)
    assert RAN.count("heavy") == 2
