"""Which of a served object's inputs are the spec's, by name, and which an own call has recorded."""

import asyncio

import pytest

from omium.adapters.native_inputs import take_either, take_inputs
from omium.errors import Undecodable
from omium.jsonvalue import TypeRegistry, input_record
from omium.sdk.calling import bind
from omium.sdk.calls import Call
from omium.sdk.inputs import restore_call
from omium.sdk.options import WorkflowOptions
from omium.sdk.registry import Workflow


def crew(inputs=None, way="kickoff", options=None):
    return (inputs, way)


def graph(
    input,  # noqa: A002
    thread_id=None,
    config=None,
    options=None,
):
    return (input, thread_id)


async def pipeline(
    input,  # noqa: A002
    options=None,
    aside=None,
):
    return input


def own(function):
    options = WorkflowOptions(name="tea", ignore=frozenset({"options", "config", "aside"}))
    return Workflow(options, function, function)


def declare(*names):
    return lambda: frozenset(names)


@pytest.mark.parametrize(
    ("function", "declared", "given", "taken"),
    [
        (crew, ["topic"], {"topic": "tea"}, ({"topic": "tea"}, "kickoff")),
        (crew, ["topic"], {}, ({}, "kickoff")),
        (crew, ["topic"], {"inputs": {"topic": "tea"}}, ({"topic": "tea"}, "kickoff")),
        (crew, [], {"inputs": None, "way": "akickoff"}, (None, "akickoff")),
        (
            crew,
            ["topic"],
            {"inputs": [{"topic": "tea"}], "way": "kickoff_for_each"},
            ([{"topic": "tea"}], "kickoff_for_each"),
        ),
        (crew, ["inputs"], {"inputs": "tea"}, ({"inputs": "tea"}, "kickoff")),
        (crew, ["inputs"], {"inputs": {"inputs": "tea"}}, ({"inputs": "tea"}, "kickoff")),
        (graph, ["topic", "log"], {"topic": "tea", "log": []}, ({"topic": "tea", "log": []}, None)),
        (graph, ["topic"], {"input": {"topic": "tea"}, "thread_id": "t"}, ({"topic": "tea"}, "t")),
        (graph, ["topic"], {"input": None, "thread_id": "t"}, (None, "t")),
        (graph, ["input"], {"input": {"query": "tea"}}, ({"input": {"query": "tea"}}, None)),
        (graph, ["input", "thread_id"], {"input": None, "thread_id": "t"}, (None, "t")),
        (
            graph,
            ["input", "thread_id"],
            {"input": "tea", "thread_id": "t"},
            ({"input": "tea", "thread_id": "t"}, None),
        ),
        (graph, [], {"thread_id": "t"}, ({"thread_id": "t"}, None)),
    ],
)
def test_inputs_come_by_name_and_a_recorded_call_as_it_was(function, declared, given, taken):
    run = take_either(own(function), declare(*declared))
    recorded = input_record(given).json  # as a queued execution has it

    call = restore_call(run, recorded, TypeRegistry())

    assert call.fn(*call.args, **call.kwargs) == taken


@pytest.mark.parametrize("take", [take_inputs, lambda function: take_either(own(function), declare("topic"))])
def test_what_a_run_in_this_process_recorded_is_taken_as_it_was_given(take):
    run = take(crew)
    recorded = input_record(bind(Call(run, (), {"topic": "tea"}))).json

    call = restore_call(run, recorded, TypeRegistry())

    assert call.fn(*call.args, **call.kwargs) == ({"topic": "tea"}, "kickoff")


def test_an_input_that_is_called_as_the_function_collects_them_is_one_of_them():
    call = restore_call(take_inputs(crew), {"inputs": "tea", "topic": "x"}, TypeRegistry())

    assert call.kwargs == {"inputs": "tea", "topic": "x"}


def test_an_input_that_an_object_does_not_take_is_told_without_a_name_that_is_empty():
    pipeline.__qualname__ = ""

    with pytest.raises(Undecodable, match=r"^What is served has no parameter 'topic'.* has: input\. Start"):
        restore_call(pipeline, {"topic": "tea"}, TypeRegistry(), ignore={"options", "aside"})


def test_a_coroutine_stays_one():
    run = take_either(own(pipeline), declare("data"))

    assert asyncio.run(run(data={"n": 1})) == {"data": {"n": 1}}
    assert asyncio.run(run(input={"data": {"n": 1}})) == {"data": {"n": 1}}
    assert asyncio.run(take_inputs(pipeline)(input=1)) == {"input": 1}


def test_an_object_is_exported_only_to_tell_the_two_apart():
    asked = []

    def declared():
        asked.append(1)
        return frozenset({"topic"})

    run = take_either(own(crew), declared)
    run(topic="tea")
    assert asked == []
    for _ in range(2):
        run(inputs={"topic": "tea"})
    assert asked == [1]
