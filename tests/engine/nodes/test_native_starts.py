"""Starts of native workflows: judged by the document's `inputs` before a worker hears of them."""

import pytest

from omium.errors import InvalidRequest
from tests.engine.nodes.specs import spec

TOPIC = {
    "type": "object",
    "properties": {"topic": {"type": "string"}, "due": {"type": "string"}},
    "required": ["topic"],
    "additionalProperties": False,
}


def native(**fields):
    ref = {"ref": "report:write"}
    return spec([{"id": "write", "type": "function", "ref": ref}], runtime={"mode": "native"}, **fields)


@pytest.mark.parametrize(
    ("given", "pointer", "told"),
    [
        ({"tpoic": "tea", "topic": "tea"}, "/input", "tpoic"),
        ({}, "/input", "topic"),
        (None, "/input", "topic"),
        ({"topic": 7}, "/input/topic", "string"),
    ],
)
async def test_an_input_that_is_not_as_the_document_asks_is_refused(nodes, given, pointer, told):
    with pytest.raises(InvalidRequest) as refused:
        await nodes.start(native(inputs=TOPIC), given)

    assert refused.value.members["errors"][0]["pointer"] == pointer
    assert told in refused.value.members["errors"][0]["detail"]
    assert "The input of flow is not as its spec asks" in str(refused.value)


@pytest.mark.parametrize("given", [{"topic": "tea"}, {"topic": "tea", "due": {"$:date": "2026-11-24"}}])
async def test_what_fits_is_queued_for_a_worker(nodes, given):
    execution = await nodes.start(native(inputs=TOPIC), given)

    assert (await nodes.row(execution)).status == "queued"


async def test_a_document_without_inputs_takes_anything(nodes):
    execution = await nodes.start(native(), {"whatever": 1})

    assert (await nodes.row(execution)).status == "queued"


async def test_the_same_start_is_answered_again_by_a_version_that_asks_for_more(nodes):
    execution = await nodes.start(native(), {}, id="ex_01k9aaaaaaaaaaaaaaaaaaaaaa")
    await nodes.store(native(inputs=TOPIC))

    assert await nodes.start("flow", {}, id=execution) == execution
