"""Handlers: how functions become the doers of nodes, and what they are called with."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Annotated

import pytest

import omium
from omium.errors import (
    Cancelled,
    ConfigError,
    EffectNotApplied,
    LeaseLost,
    StepTimeout,
    Undecodable,
    Unserialisable,
)
from omium.jsonvalue import TypeRegistry, parse_json
from omium.sdk import carrying
from omium.sdk.context import doing
from omium.sdk.handlers import find_handler, find_handlers
from omium.sdk.loading import load_target
from omium.sdk.task_context import TaskContext
from omium.sdk.task_ending import complete, fail

TYPES = TypeRegistry()


def make_context(**grant):
    given = {
        "execution_id": "ex_1",
        "path": "write#2",
        "node": "write",
        "workflow": "report",
        "environment": "dev",
        "attempt": 2,
        "epoch": 3,
        "token": "t",
        "heartbeat_s": 10.0,
        "inputs": {"topic": "tea"},
        **grant,
    }
    return TaskContext(given, types=TYPES, capture=True)


def body_of(end):
    return parse_json(end.body)


def test_a_handler_stays_the_function_that_it_was():
    @omium.handler("shout")
    def shout(text):
        return text.upper()

    assert shout("tea") == "TEA"
    assert find_handler(shout).name == "shout"


def test_a_handler_without_a_name_has_that_of_its_function():
    @omium.handler
    def shout(text):
        return text.upper()

    @omium.handler()
    async def whisper(text):
        return text.lower()

    assert find_handler(shout).name == "shout"
    assert find_handler(whisper).name == "whisper"
    assert [find_handler(each).is_async for each in (shout, whisper)] == [False, True]


def test_a_generator_is_no_handler():
    with pytest.raises(ConfigError, match="generator"):

        @omium.handler
        def many():
            yield 1


def test_a_module_serves_each_of_its_handlers_and_refuses_two_of_one_name():
    module = ModuleType("nodes")
    module.one = omium.handler("one")(lambda: 1)
    module.again = module.one  # another name in Python for the same handler
    module.text = "no handler"

    assert set(find_handlers(module)) == {"one"}

    module.two = omium.handler("one")(lambda: 2)
    with pytest.raises(ConfigError, match="'one'"):
        find_handlers(module)


def test_a_file_is_served_with_its_workflows_and_handlers(tmp_path):
    path = tmp_path / "served_nodes.py"
    path.write_text(
        "import omium\n@omium.workflow\ndef flow(): ...\n@omium.handler('node')\ndef node(): ...\n"
    )
    try:
        _, found = load_target(str(path))
        assert set(find_handlers(found)) == {"node"}
        assert set(find_handlers(load_target(f"{path}:node")[1])) == {"node"}
    finally:
        sys.modules.pop("served_nodes", None)


def test_inputs_are_arguments_by_name_and_the_context_goes_to_the_parameter_that_is_annotated_with_it():
    @omium.handler
    def write(topic, *, task: omium.TaskContext, length=3):
        return topic, length, task.attempt, task.node

    call = find_handler(write).restore(make_context(), TYPES)
    assert call.fn(*call.args, **call.kwargs) == ("tea", 3, 2, "write")


@pytest.mark.parametrize("annotation", ["omium.TaskContext", "TaskContext", "omium.TaskContext | None"])
def test_the_annotation_may_be_text(annotation):
    namespace = {"omium": omium, "TaskContext": TaskContext}
    exec(f"def write(topic, ctx: {annotation!r} = None): ...", namespace)
    assert find_handler(omium.handler(namespace["write"])).context == "ctx"


def test_an_annotation_that_names_what_is_not_there_is_no_reason_to_lose_the_context():
    def write(topic: "NotImported", task: "TaskContext"): ...  # noqa: F821

    assert find_handler(omium.handler(write)).context == "task"


def test_a_handler_has_one_context():
    def write(one: TaskContext, two: Annotated[TaskContext, "twice"]): ...

    with pytest.raises(ConfigError, match="one, two"):
        omium.handler(write)


@pytest.mark.parametrize(
    ("inputs", "said"),
    [({"wrong": 1}, "no parameter 'wrong'"), ({}, "topic"), ({"topic": 1, "task": 2}, "own parameter")],
)
def test_inputs_that_the_function_does_not_take_are_told_as_such(inputs, said):
    @omium.handler
    def write(topic, task: TaskContext): ...

    context = make_context(inputs=inputs)
    with pytest.raises(Undecodable, match=said) as raised:
        find_handler(write).restore(context, TYPES)
    assert body_of(fail(context, raised.value))["retryable"] is False


def test_what_is_recorded_inside_belongs_to_the_node():
    context = make_context(effect_key="k")
    assert (omium.execution_id(), omium.effect_key()) == (None, None)
    with doing(context):
        omium.record_usage(model="m", input_tokens=3, cost_usd=0.25)
        assert (omium.execution_id(), omium.effect_key()) == ("ex_1", "k")
    omium.record_usage(model="m", input_tokens=5)  # outside: of nobody

    (usage,) = body_of(complete(context, None, TYPES))["usage"]
    assert (usage["path"], usage["attempt"], usage["input_tokens"]) == ("write#2", 2, 3)
    assert usage["reported_cost_microusd"] == 250_000


def test_lines_travel_with_the_end():
    context = make_context()
    context.log("looking", "warning")
    (line,) = body_of(complete(context, 1, TYPES))["logs"]
    assert (line["text"], line["level"], line["stream"]) == ("looking", "warning", "log")


def test_an_output_without_a_json_form_names_the_node_and_is_not_tried_again():
    context = make_context()
    with pytest.raises(Unserialisable, match="write#2") as raised:
        complete(context, object(), TYPES)
    assert body_of(fail(context, raised.value))["retryable"] is False


def test_an_output_that_is_too_large_is_told_as_such():
    with pytest.raises(Unserialisable, match="more than"):
        complete(make_context(), "x" * (8 * 1024 * 1024 + 1), TYPES)


@pytest.mark.parametrize(
    ("error", "retryable", "not_applied"),
    [
        (ValueError("no"), None, False),
        (EffectNotApplied("no"), None, True),
        (StepTimeout("late", step="write"), None, False),
        (Cancelled("stop"), False, False),
    ],
)
def test_the_nodes_policy_decides_unless_nothing_would_help(error, retryable, not_applied):
    body = body_of(fail(make_context(), error))
    assert (body["retryable"], body["not_applied"]) == (retryable, not_applied)
    assert body["error"]["type"].endswith(type(error).__name__)


def test_a_long_loop_learns_that_it_is_of_no_use_any_more():
    context = make_context()
    context.heartbeat()
    context.cancel_requested = True
    with pytest.raises(Cancelled):
        context.heartbeat()
    context.lost = True
    with pytest.raises(LeaseLost):
        context.heartbeat()


def test_threads_that_a_handler_starts_belong_to_its_node():
    context = make_context()
    carrying.begin()
    try:
        with ThreadPoolExecutor(1) as pool:
            with doing(context):
                assert pool.submit(omium.execution_id).result() == "ex_1"
                pool.submit(omium.record_usage, model="m", input_tokens=3).result()
                own = threading.Thread(target=omium.record_usage, kwargs={"model": "m", "input_tokens": 5})
                own.start()
                own.join()
            assert pool.submit(omium.execution_id).result() is None  # the pool's thread serves others, too
    finally:
        carrying.end()

    assert [usage["input_tokens"] for usage in context.take_usage()] == [3, 5]
