"""Steps with an output schema: what is recorded is judged before it is, and nothing else is a result."""

from dataclasses import dataclass

import pytest

import omium
from omium.adapters.recorded import StepPolicy
from omium.errors import ConfigError, OutputInvalid, Suspended
from omium.jsonvalue import input_record
from tests.sdk.edge import Edge, entered, record

TOTAL = {"type": "object", "properties": {"total": {"type": "number"}}, "required": ["total"]}


@pytest.fixture
def edge():
    return Edge()


@dataclass
class Bill:
    total: object


def make_step(**options):
    @omium.step(name="bill", output_schema=TOTAL, **options)
    def bill(total):
        return {"total": total}

    return bill


def test_what_is_as_the_schema_asks_is_recorded(edge):
    with entered(edge.driving()):
        assert make_step()(7) == {"total": 7}

    (write,) = edge.writes
    assert (write["type"], write["output"]) == ("step.completed", {"total": 7})


def test_what_is_not_fails_the_step_and_is_not_tried_again(edge):
    with entered(edge.driving()), pytest.raises(OutputInvalid, match=r"step bill .*: /total: ") as caught:
        make_step(retry=5)("much")

    assert caught.value.pointer == "/total"
    (write,) = edge.writes
    assert (write["type"], write["attempt"], write["delay_us"]) == ("step.attempt_failed", 1, None)
    assert (write["error"]["type"], write["error"]["code"]) == ("OutputInvalid", "output-schema")


async def test_an_async_step_is_judged_the_same_way(edge):
    @omium.step(name="bill", output_schema=TOTAL)
    async def bill(total):
        return {"total": total}

    with entered(edge.driving()):
        assert await bill(7) == {"total": 7}
        with pytest.raises(OutputInvalid):
            await bill("much")

    assert [write["type"] for write in edge.writes] == ["step.completed", "step.attempt_failed"]


def test_an_object_is_judged_by_its_fields_as_people_see_them(edge):
    bill = omium.step(name="bill", output_schema=TOTAL)(Bill)

    with entered(edge.driving()):
        assert bill(7) == Bill(7)
        with pytest.raises(OutputInvalid, match="/total"):
            bill("much")


def test_a_message_counts_what_else_is_wrong(edge):
    schema = {"type": "array", "items": {"type": "number"}}
    numbers = omium.step(name="numbers", output_schema=schema)(list)

    with entered(edge.driving()), pytest.raises(OutputInvalid, match=r"/0: .* And 2 more\."):
        numbers("abc")


def test_a_stream_is_judged_as_the_list_of_its_chunks_when_it_is_exhausted(edge):
    @omium.step(name="count", output_schema={"type": "array", "minItems": 2})
    def count(to):
        yield from range(to)

    with entered(edge.driving()):
        assert list(count(2)) == [0, 1]
        with pytest.raises(OutputInvalid, match="step count#2"):
            list(count(1))

    assert [write["type"] for write in edge.writes] == ["step.completed", "step.attempt_failed"]


async def test_an_async_stream_is_judged_the_same_way(edge):
    @omium.step(name="count", output_schema={"type": "array", "minItems": 2})
    async def count(to):
        for at in range(to):
            yield at

    with entered(edge.driving()):
        assert [each async for each in count(2)] == [0, 1]
        with pytest.raises(OutputInvalid):
            [each async for each in count(1)]

    assert [write["type"] for write in edge.writes] == ["step.completed", "step.attempt_failed"]


@pytest.mark.parametrize("effect", [True, "idempotent"])
@pytest.mark.parametrize("retry", [3, omium.RetryPolicy(max_attempts=3, retry_on=(Exception,))])
def test_of_an_effect_nobody_can_tell_then_whether_it_happened(edge, effect, retry):
    bill = make_step(effect=effect, retry=retry)

    with entered(edge.driving()), pytest.raises(Suspended, match="unknown after OutputInvalid"):
        bill("much")

    intended, ended = edge.writes
    assert (intended["type"], ended["type"], ended["state"]) == ("effect.intended", "effect.ended", "unknown")
    assert ended["delay_us"] is None


def test_what_was_recorded_is_not_judged_again(edge):
    with entered(edge.driving([record("bill", input_record({"total": 7}).digest, {"total": "much"})])):
        assert make_step()(7) == {"total": "much"}

    assert edge.writes == []


def test_outside_an_execution_nothing_is_recorded_and_nothing_judged():
    assert make_step()("much") == {"total": "much"}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"output_schema": {"type": "thing"}}, "Step bill: its output_schema cannot be used. .*valid.*/type"),
        ({"output_schema": {"$ref": "https://127.0.0.1:9/bill.json"}}, "nothing is fetched"),
        ({"output_schema": "object"}, "a JSON Schema as a dict, not 'object'"),
        ({"output_schema": {"const": {1, 2}}}, "A schema is JSON, and this is none"),
        ({"output_schema": TOTAL, "record": False}, "keeps nothing that an output_schema could judge"),
    ],
)
def test_what_cannot_judge_is_refused_where_it_is_declared(options, sentence):
    with pytest.raises(ConfigError, match=sentence):
        omium.step(name="bill", **options)(Bill)


def test_a_schema_that_its_owner_changes_later_judges_as_it_did(edge):
    schema = {"type": "object", "properties": {"total": {"type": "number"}}}
    bill = omium.step(name="bill", output_schema=schema)(lambda: {"total": 7})
    schema["properties"]["total"]["type"] = "string"

    with entered(edge.driving()):
        assert bill() == {"total": 7}


def test_a_policy_of_an_adapter_is_judged_where_it_is_made():
    with pytest.raises(ConfigError, match="its output_schema cannot be used"):
        StepPolicy(output_schema={"type": "thing"})
    with pytest.raises(ConfigError, match="keeps nothing"):
        StepPolicy(output_schema=TOTAL, record=False)
