"""An agent works in turns, each journaled: what it has asked and done is neither asked nor done twice."""

import json

import pytest

from omium.errors import CreditsExhausted
from omium.server.builtin.context import TaskDone, TaskFailed
from omium.server.builtin.http_tools import HttpTools
from omium.server.builtin.providers import Providers
from omium.server.builtin.runners import BuiltIn
from omium.server.outbound.http import GuardedClient
from tests.alerts.targets import open_target
from tests.builtin.model_server import Crash, Engine, ask_for, open_model, say

AGENT = {
    "role": "a researcher",
    "goal": "Find facts on {topic}.",
    "backstory": "You have read much.",
    "llm": {"provider": "local", "model": "tiny-1"},
    "tools": ["search"],
}
PARAMETERS = {"description": "Find facts on {topic}.", "expected_output": "bullets on {topic}"}


def search(target, **further):
    return {
        "description": "Searches.",
        "input_schema": {"type": "object", "required": ["q"], "properties": {"q": {"type": "string"}}},
        "http": {"method": "GET", "url": f"http://{target.allowed}/find", "query": {"q": "{q}"}},
        **further,
    }


async def work(tmp_path, model, engine, target=None, tool=None, **given):
    path = tmp_path / "providers.toml"
    path.write_text(f'[local]\nbase_url = "{model.base_url}"\n')
    client = GuardedClient([target.allowed] if target else [])
    given = {
        "agent": AGENT,
        "parameters": PARAMETERS,
        "inputs": {"topic": "tea"},
        "tools": {"search": tool or search(target)} if target else {},
        **given,
    }
    built_in = BuiltIn(Providers(path), HttpTools(client))
    return await built_in.run_task(engine, engine.grant("agent_task", **given))


async def test_an_agent_asks_uses_a_tool_and_answers(tmp_path):
    engine = Engine()
    script = (ask_for(("search", {"q": "old tea"})), say("- tea is old"))
    async with open_target() as target, open_model(*script) as model:
        done = await work(tmp_path, model, engine, target)

    assert isinstance(done, TaskDone)
    assert (done.output, done.usage) == ("- tea is old", ())
    assert target.received[0].head.startswith("GET /find?q=old+tea ")
    first, second = model.requests
    assert [message["role"] for message in first["messages"]] == ["system", "user"]
    assert "Your goal: Find facts on tea." in first["messages"][0]["content"]
    assert "You are a researcher." in first["messages"][0]["content"]
    assert first["messages"][1]["content"] == "Find facts on tea.\n\nExpected output: bullets on tea"
    assert first["tools"][0]["function"]["name"] == "search"
    assert [message["role"] for message in second["messages"]] == ["system", "user", "assistant", "tool"]
    assert second["messages"][3] == {"role": "tool", "tool_call_id": "call_1", "content": "fine"}
    assert list(engine.turns) == ["turn-1", "turn-1-tool-1", "turn-2"]
    assert (len(engine.usage), engine.reserved) == (2, 2)


@pytest.mark.parametrize(
    "died_after", ["turn-1", "turn-1-tool-1", "turn-1-tool-2", "turn-2", "turn-2-tool-1", "turn-3"]
)
async def test_a_crash_between_any_two_things_repeats_neither(tmp_path, died_after):
    engine = Engine(dies_after=died_after)
    script = (
        ask_for(("search", {"q": "a"}), ("search", {"q": "b"})),
        ask_for(("search", {"q": "c"})),
        say("done"),
    )
    async with open_target() as target, open_model(*script) as model:
        with pytest.raises(Crash):
            await work(tmp_path, model, engine, target)
        done = await work(tmp_path, model, engine, target, epoch=2)

    assert isinstance(done, TaskDone)
    assert done.output == "done"
    assert len(model.requests) == 3
    assert [each.head.split(" ")[1] for each in target.received] == ["/find?q=a", "/find?q=b", "/find?q=c"]
    assert len(engine.usage) == 3
    roles = [message["role"] for message in model.requests[-1]["messages"]]
    assert roles == ["system", "user", "assistant", "tool", "tool", "assistant", "tool"]


async def test_another_try_goes_on_behind_the_turns_that_are_journaled(tmp_path):
    engine = Engine()
    script = (ask_for(("search", {"q": "a"})), (429, "retry-after: 5\r\n", {}), say("done"))
    async with open_target() as target, open_model(*script) as model:
        failed = await work(tmp_path, model, engine, target)
        done = await work(tmp_path, model, engine, target, epoch=2, attempt=2)

    assert isinstance(failed, TaskFailed)
    assert (failed.retryable, failed.retry_after_s) == (True, 5.0)
    assert isinstance(done, TaskDone)
    assert (len(model.requests), len(target.received)) == (3, 1)


@pytest.mark.parametrize(
    ("call", "shown"),
    [
        (("search", {"q": 1}), "Error: search: /q: "),
        (("search", {}), '"q" is a required property'),
        (("search", "{"), "Error: the arguments are no JSON object."),
        (("search", "[1]"), "Error: the arguments are no JSON object."),
        (("delete", {}), "Error: there is no tool 'delete'; there are: search."),
    ],
)
async def test_a_slip_of_the_model_is_told_to_it(tmp_path, call, shown):
    async with open_target() as target, open_model(ask_for(call), say("sorry")) as model:
        done = await work(tmp_path, model, Engine(), target)

    assert isinstance(done, TaskDone)
    assert shown in model.requests[1]["messages"][-1]["content"]
    assert target.received == []


async def test_a_tool_that_refuses_is_told_to_the_model(tmp_path):
    async with open_target() as target, open_model(ask_for(("search", {"q": "a"})), say("sorry")) as model:
        target.status, target.body = "404 Not Found", b"nothing"
        done = await work(tmp_path, model, Engine(), target)

    assert isinstance(done, TaskDone)
    assert model.requests[1]["messages"][-1]["content"] == "Error: search answered 404: nothing"


async def test_an_effect_that_had_begun_is_not_done_again(tmp_path):
    engine = Engine(dies_after="turn-1-tool-1-begun")
    async with open_target() as target, open_model(ask_for(("search", {"q": "a"}))) as model:
        tool = search(target, effect=True)
        with pytest.raises(Crash):
            await work(tmp_path, model, engine, target, tool=tool)
        failed = await work(tmp_path, model, engine, target, tool=tool, epoch=2)

    assert isinstance(failed, TaskFailed)
    assert (failed.error.code, failed.retryable) == ("effect-unknown", False)
    assert target.received == []


async def test_an_effect_that_broke_off_is_not_shown_to_the_model_as_failed(tmp_path):
    async with open_target() as target, open_model(ask_for(("search", {"q": "a"}))) as model:
        target.status = "200 OK\r\nbroken"
        failed = await work(tmp_path, model, Engine(), target, tool=search(target, effect=True))

    assert isinstance(failed, TaskFailed)
    assert failed.error.code == "effect-unknown"


async def test_an_idempotent_effect_carries_the_same_key_each_time(tmp_path):
    engine = Engine(dies_after="turn-1")
    async with open_target() as target, open_model(ask_for(("search", {"q": "a"})), say("done")) as model:
        tool = search(target, effect="idempotent")
        with pytest.raises(Crash):
            await work(tmp_path, model, engine, target, tool=tool)
        await work(tmp_path, model, engine, target, tool=tool)

    assert len(target.received[0].headers["idempotency-key"]) == 32


async def test_a_task_has_so_many_turns_and_no_more(tmp_path):
    script = [ask_for(("search", {"q": str(number)})) for number in range(3)]
    async with open_target() as target, open_model(*script) as model:
        failed = await work(tmp_path, model, Engine(), target, parameters={**PARAMETERS, "max_turns": 3})

    assert isinstance(failed, TaskFailed)
    assert (failed.error.code, failed.retryable) == ("turn-limit", False)
    assert len(model.requests) == 3


async def test_an_agent_that_goes_in_circles_is_stopped(tmp_path):
    script = [ask_for(("search", {"q": "same"})) for _ in range(10)]
    async with open_target() as target, open_model(*script) as model:
        failed = await work(tmp_path, model, Engine(), target)

    assert isinstance(failed, TaskFailed)
    assert failed.error.code == "agent-circling"
    assert len(target.received) == 4


async def test_output_that_does_not_follow_the_schema_is_asked_for_again(tmp_path):
    schema = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
    engine = Engine()
    async with open_model(say("three"), say('{"n": "3"}'), say('{"n": 3}')) as model:
        done = await work(tmp_path, model, engine, output_schema=schema)

    assert isinstance(done, TaskDone)
    assert done.output == {"n": 3}
    assert json.dumps(schema, separators=(",", ":")) in model.requests[0]["messages"][1]["content"].replace(
        " ", ""
    )
    assert "not JSON" in model.requests[1]["messages"][-1]["content"]
    assert "/n" in model.requests[2]["messages"][-1]["content"]


async def test_nothing_is_asked_after_a_cancel_or_without_credits(tmp_path):
    class Broke(Engine):
        async def reserve(self):
            raise CreditsExhausted(balance=0, required=1, limit_source="tenant")

    async with open_model() as model:
        failed = await work(tmp_path, model, Engine(is_cancelled=True))
        with pytest.raises(CreditsExhausted):
            await work(tmp_path, model, Broke())

    assert isinstance(failed, TaskFailed)
    assert failed.error.code == "cancelled"
    assert model.requests == []
