"""What a pipeline under Omium does like Sematic, and what it does beyond it."""

import threading
from dataclasses import dataclass

import pytest
import sematic
from sematic.utils.exceptions import TimeoutError as SematicTimeout

import omium
from omium.adapters.recorded import StepPolicy
from omium.adapters.sematic import OmiumRunner, instrument
from omium.errors import ConfigError, OutputInvalid, StepTimeout, Unserialisable

RAN = []
KNOBS = {}


@pytest.fixture(autouse=True)
def fresh():
    RAN.clear()
    KNOBS.clear()


def work(name):
    RAN.append(name)
    left = KNOBS.get(name, 0)
    if left > 0:
        KNOBS[name] = left - 1
        raise ConnectionError(f"{name} is away")


@sematic.func
def first(number: int) -> int:
    work("first")
    return number + 1


@sematic.func
def scaled(number: int, factor: int) -> int:
    work("scaled")
    return number * factor


@sematic.func
def last(number: int) -> int:
    work("last")
    return number


@sematic.func
def pipeline(number: int) -> int:
    return last(scaled(first(number), KNOBS.get("factor", 2)))


@sematic.func(retry=sematic.RetrySettings(exceptions=(OSError,), retries=2))
def stubborn(number: int) -> int:
    work("stubborn")
    return number


@sematic.func(retry=sematic.RetrySettings(exceptions=(KeyError,), retries=2))
def picky(number: int) -> int:
    work("picky")
    return number


@sematic.func
def retrying(number: int) -> int:
    return first(stubborn(number))


@sematic.func
def refusing(number: int) -> int:
    return first(picky(number))


@sematic.func
def slow(number: int) -> int:
    RAN.append("slow")
    KNOBS["stop"].wait(60)
    return number


@sematic.func
def late(number: int) -> int:
    return first(slow(number).set(timeout_mins=0.005))  # Sematic checks for whole minutes elsewhere


@sematic.func
def patient(number: int) -> int:
    return first(slow(number))


@sematic.func
def group(number: int) -> int:
    work("group")
    return last(scaled(first(number), 2))


@sematic.func
def grouped(number: int) -> int:
    return first(group(number))


@sematic.func
def slow_group(number: int) -> int:
    return slow(first(number))


@sematic.func
def late_group(number: int) -> int:
    return slow_group(number).set(timeout_mins=0.02)


class Opaque:
    pass


@sematic.func
def opaque() -> Opaque:
    return Opaque()


@sematic.func
def unpack(value: Opaque) -> int:
    return 0


@sematic.func
def opaquely() -> int:
    return unpack(opaque())


@dataclass
class Order:
    item: str
    count: int


@sematic.func
def price(order: Order) -> int:
    RAN.append(order)
    return order.count * 3


@sematic.func
def ordering(order: Order) -> int:
    return price(order)


@sematic.func
def inner_run(number: int) -> int:
    return OmiumRunner().run(pipeline(number))


@sematic.func
def outer(number: int) -> int:
    return first(inner_run(number))


def test_a_pipeline_gives_sematics_own_value_in_sematics_own_order(server):
    expected = sematic.SilentRunner().run(pipeline(3))
    order = [*RAN]
    RAN.clear()

    assert instrument(pipeline).run(3) == expected == 8
    assert order == RAN


def test_the_runner_runs_a_future_whose_tags_are_the_executions(server):
    assert OmiumRunner().run(pipeline(3).set(tags=["nightly"])) == 8

    done = server.newest()
    assert (done["workflow"], done["status"], done["tags"]) == ("pipeline", "completed", ["nightly"])
    assert [step["name"] for step in done["steps"]] == ["first", "scaled", "last"]


def test_the_failure_is_the_users_own_and_names_the_function(server):
    KNOBS["scaled"] = 1

    with pytest.raises(ConnectionError, match="scaled is away"):
        instrument(pipeline).run(3)

    failed = server.newest()
    assert failed["status"] == "failed"
    (failure,) = server.get("/v1/failures?limit=1")["items"]
    assert "scaled" in str(failure)
    assert "ConnectionError" in str(failure)


def test_only_functions_whose_inputs_changed_run_again(server):
    KNOBS["last"] = 1
    with pytest.raises(ConnectionError):
        instrument(pipeline).run(3)
    RAN.clear()
    KNOBS["factor"] = 5

    assert omium.resume(server.newest()["id"]) == 20
    assert RAN == ["scaled", "last"]


def test_a_function_without_a_checkpoint_runs_again_on_resume(server):
    KNOBS["last"] = 1
    with pytest.raises(ConnectionError):
        instrument(pipeline, nodes={"first": StepPolicy(record=False)}).run(3)
    RAN.clear()

    assert omium.resume(server.newest()["id"]) == 8
    assert RAN == ["first", "last"]


def test_a_value_that_is_not_as_its_schema_asks_fails_its_function(server):
    policy = StepPolicy(output_schema={"maximum": 7}, retry=3)

    with pytest.raises(OutputInvalid, match=r"scaled.* returned is not as its schema asks: 8 "):
        instrument(pipeline, nodes={"scaled": policy}).run(3)

    assert RAN == ["first", "scaled"]
    assert server.newest()["status"] == "failed"


def test_a_function_that_calls_others_is_judged_by_their_last_value(server):
    policy = StepPolicy(output_schema={"type": "string"})

    with pytest.raises(OutputInvalid, match=r"group.* returned is not"):
        instrument(grouped, nodes={"group": policy}).run(3)

    assert server.newest()["status"] == "failed"


def test_a_failure_inside_a_function_leaves_what_its_others_returned(server):
    KNOBS["last"] = 1
    with pytest.raises(ConnectionError):
        instrument(grouped).run(3)
    assert [*RAN] == ["group", "first", "scaled", "last"]
    RAN.clear()

    assert omium.resume(server.newest()["id"]) == 9
    assert RAN == ["group", "last", "first"]


def test_a_function_that_calls_others_is_one_step_when_they_are_done(server):
    KNOBS["first"] = 0
    assert instrument(grouped).run(3) == 9

    group_step = server.steps(server.newest()["id"])["group"]
    assert (group_step["output"], group_step["attempt"]) == (8, 1)


def test_an_effect_is_announced_and_done_once(server):
    KNOBS["last"] = 0
    nodes = {"scaled": StepPolicy(effect=True)}

    assert instrument(pipeline, nodes=nodes).run(3) == 8
    assert server.steps(server.newest()["id"])["scaled"]["kind"] == "effect"


def test_a_function_is_tried_as_often_as_its_retry_settings_say(server):
    KNOBS["stubborn"] = 2

    assert instrument(retrying).run(1) == 2
    assert RAN == ["stubborn"] * 3 + ["first"]
    assert server.steps(server.newest()["id"])["stubborn"]["attempt"] == 3


def test_the_last_try_fails_the_pipeline(server):
    KNOBS["stubborn"] = 3

    with pytest.raises(ConnectionError):
        instrument(retrying).run(1)
    assert RAN == ["stubborn"] * 3


def test_an_error_that_the_settings_do_not_name_is_not_tried_again(server):
    KNOBS["picky"] = 1

    with pytest.raises(ConnectionError):
        instrument(refusing).run(1)
    assert RAN == ["picky"]


def test_a_policy_of_a_node_replaces_sematics_retries(server):
    KNOBS["picky"] = 1
    nodes = {"picky": StepPolicy(retry=omium.RetryPolicy(max_attempts=2, initial_delay_s=0))}

    assert instrument(refusing, nodes=nodes).run(1) == 2
    assert RAN == ["picky", "picky", "first"]


def test_a_timeout_of_sematics_ends_a_function_with_sematics_words(server):
    KNOBS["stop"] = threading.Event()

    with pytest.raises(SematicTimeout, match="The Sematic function slow did not complete in time"):
        instrument(late).run(1)
    KNOBS["stop"].set()


def test_the_timeout_of_a_function_counts_for_what_it_calls(server):
    KNOBS["stop"] = threading.Event()

    with pytest.raises(SematicTimeout, match="specified by its ancestor slow_group"):
        instrument(late_group).run(1)
    KNOBS["stop"].set()


def test_a_timeout_of_a_node_ends_a_function(server):
    KNOBS["stop"] = threading.Event()

    with pytest.raises(StepTimeout, match="slow"):
        instrument(patient, nodes={"slow": StepPolicy(timeout_s=0.3)}).run(1)
    KNOBS["stop"].set()


def test_a_value_that_sematic_would_pickle_fails_its_function(server):
    with pytest.raises(Unserialisable, match=r"function opaque returned .* only pickle"):
        instrument(opaquely).run()
    assert server.newest()["status"] == "failed"


def test_inputs_may_be_the_json_that_people_give(server):
    durable = instrument(ordering)

    assert durable.run({"item": "pen", "count": 2}) == 6
    assert [Order("pen", 2)] == RAN


def test_inside_another_workflow_a_pipeline_is_a_part_of_its_execution(server):
    durable = instrument(pipeline)

    @omium.workflow
    def both() -> int:
        return durable.run(1) + OmiumRunner().run(pipeline(2))

    assert both() == 10
    keys = {step["key"] for step in server.newest()["steps"]}
    assert {"pipeline", "pipeline/first", "pipeline#2", "pipeline#2/last"} <= keys


def test_two_pipelines_in_two_threads_keep_apart(server):
    durable, results = instrument(pipeline), {}

    def run(number):
        results[number] = durable.run(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results == {number: (number + 1) * 2 for number in range(4)}


def test_a_pipeline_cannot_be_run_inside_a_function(server):
    with pytest.raises(ConfigError, match="cannot be run inside a function of a pipeline"):
        instrument(outer).run(1)


def test_an_instrumented_pipeline_is_called_as_before(server):
    durable = instrument(pipeline)

    future = durable(3)

    assert future.function is pipeline
    assert durable.input_types == {"number": int}


def test_what_is_no_function_of_sematics_is_refused():
    with pytest.raises(ConfigError, match=r"@sematic.func"):
        instrument(len)
