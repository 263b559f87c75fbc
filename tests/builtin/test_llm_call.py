"""One call of a model: what is sent, what comes back, and what a refusal means."""

import json

import pytest

from omium.breaker import Verdict, classify
from omium.server.builtin.context import TaskDone, TaskFailed
from omium.server.builtin.http_tools import HttpTools
from omium.server.builtin.providers import Providers
from omium.server.builtin.runners import BuiltIn
from omium.server.outbound.http import GuardedClient
from tests.builtin.model_server import KEY, Engine, open_model, say

LLM = {"provider": "local", "model": "tiny-1"}
SCHEMA = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}


def make_built_in(tmp_path, model, further=""):
    (tmp_path / "key").write_text(KEY)
    path = tmp_path / "providers.toml"
    path.write_text(f'[local]\nbase_url = "{model.base_url}/"\nkey_file = "{tmp_path}/key"\n{further}')
    return BuiltIn(Providers(path), HttpTools(GuardedClient()))


async def call(tmp_path, model, engine=None, further="", **given):
    engine = engine or Engine()
    given = {
        "parameters": {"prompt": "Write about {topic}.", "llm": LLM},
        "inputs": {"topic": "tea"},
        **given,
    }
    return await make_built_in(tmp_path, model, further).run_task(engine, engine.grant("llm_call", **given))


async def test_the_answer_is_the_output_and_its_tokens_are_told(tmp_path):
    async with open_model(say("Tea is old.")) as model:
        parameters = {
            "system": "Be brief about {topic}.",
            "prompt": "Write about {topic}: {facts}. Not {{topic}}.",
            "llm": {
                **LLM,
                "parameters": {"temperature": 0, "max_tokens": 50, "model": "other", "stream": True},
            },
        }
        done = await call(
            tmp_path, model, parameters=parameters, inputs={"topic": "tea", "facts": ["{topic}", 1]}
        )

    assert isinstance(done, TaskDone)
    assert done.output == "Tea is old."
    assert model.requests == [
        {
            "model": "tiny-1",
            "temperature": 0,
            "max_tokens": 50,
            "messages": [
                {"role": "system", "content": "Be brief about tea."},
                {"role": "user", "content": 'Write about tea: ["{topic}",1]. Not {topic}.'},
            ],
        }
    ]
    assert model.paths == ["/v1/chat/completions"]
    assert model.headers[0]["authorization"] == f"Bearer {KEY}"
    (usage,) = done.usage
    sums = (usage.input_tokens, usage.output_tokens, usage.cached_tokens, usage.reasoning_tokens)
    assert (usage.provider, usage.model, *sums) == ("local", "tiny-1", 11, 7, 3, 2)
    assert usage.cache_write_tokens == 1


async def test_another_start_is_another_call_and_the_same_one_is_counted_once(tmp_path):
    async with open_model(say("a"), say("a"), say("a")) as model:
        ids = [(await call(tmp_path, model, epoch=epoch)).usage[0].id for epoch in (1, 1, 2)]

    assert ids[0] == ids[1] != ids[2]


@pytest.mark.parametrize("text", ['{"n": 3}', '```json\n{"n": 3}\n```'])
async def test_structured_output_is_asked_for_and_read(tmp_path, text):
    async with open_model(say(text)) as model:
        done = await call(tmp_path, model, output_schema=SCHEMA)

    assert isinstance(done, TaskDone)
    assert done.output == {"n": 3}
    assert model.requests[0]["response_format"]["json_schema"]["schema"] == SCHEMA


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (say("three"), "not JSON"),
        (say('{"n": "3"}'), "/n"),
        (say('{"n": ', finish_reason="length"), "raise max_tokens"),
    ],
)
async def test_an_answer_that_does_not_follow_the_schema_is_tried_again_and_was_paid_for(
    tmp_path, answer, reason
):
    async with open_model(answer) as model:
        failed = await call(tmp_path, model, output_schema=SCHEMA)

    assert isinstance(failed, TaskFailed)
    assert reason in failed.error.message
    assert (failed.error.code, failed.retryable, len(failed.usage)) == ("output-invalid", True, 1)


@pytest.mark.parametrize(
    ("status", "extra", "retryable", "verdict", "after_s"),
    [
        (429, "retry-after: 7\r\n", True, Verdict.FAILED, 7.0),
        (429, "retry-after: Fri, 15 Jan 2027 08:00:30 GMT\r\n", True, Verdict.FAILED, 30.0),
        (429, "retry-after: soon\r\n", True, Verdict.FAILED, None),
        (500, "", True, Verdict.FAILED, None),
        (503, "retry-after: 2\r\n", True, Verdict.FAILED, 2.0),
        (408, "", True, Verdict.FAILED, None),
        (400, "", False, Verdict.IGNORED, None),
        (401, "retry-after: 7\r\n", False, Verdict.IGNORED, None),
        (404, "", False, Verdict.IGNORED, None),
        (302, "location: http://127.0.0.1:1/\r\n", False, Verdict.IGNORED, None),
    ],
)
async def test_a_refusal_is_tried_again_only_where_that_helps(
    tmp_path, status, extra, retryable, verdict, after_s
):
    async with open_model((status, extra, {"error": {"message": f"no, {KEY}"}})) as model:
        failed = await call(tmp_path, model)

    assert isinstance(failed, TaskFailed)
    assert (failed.retryable, failed.retry_after_s) == (retryable, after_s)
    assert classify(failed.error.to_json()) is verdict
    assert KEY not in json.dumps(failed.error.to_json())
    assert len(model.requests) == 1


async def test_a_provider_that_is_not_there_is_tried_again(tmp_path):
    async with open_model() as model:
        pass
    failed = await call(tmp_path, model)

    assert isinstance(failed, TaskFailed)
    assert (failed.retryable, failed.error.code) == (True, "provider-unreachable")
    assert classify(failed.error.to_json()) is Verdict.FAILED


@pytest.mark.parametrize(
    "body", [b"", b"fine", b"[]", b'{"choices": []}', b'{"choices": [{"message": 1}]}', b"\xff"]
)
async def test_an_answer_that_is_no_completion_is_tried_again(tmp_path, body):
    async with open_model((200, "", body)) as model:
        failed = await call(tmp_path, model)

    assert isinstance(failed, TaskFailed)
    assert (failed.retryable, failed.error.code) == (True, "provider-answer-invalid")


async def test_a_spec_chooses_among_what_the_operator_allows(tmp_path):
    async with open_model(say("a")) as model:
        for llm, code in (
            ({"provider": "else", "model": "x"}, "provider-unknown"),
            (None, "provider-unknown"),
            ({"provider": "local", "model": "large"}, "model-not-allowed"),
        ):
            failed = await call(
                tmp_path, model, further='models = ["tiny-1"]\n', parameters={"prompt": "x", "llm": llm}
            )
            assert isinstance(failed, TaskFailed)
            assert (failed.error.code, failed.retryable) == (code, False)
        parameters = {"prompt": "x", "llm": {"provider": "local", "parameters": {"max_tokens": 900}}}
        further = 'models = ["tiny-1"]\nmax_tokens = 100\n'
        assert isinstance(await call(tmp_path, model, further=further, parameters=parameters), TaskDone)

    assert [(each["model"], each["max_tokens"]) for each in model.requests] == [("tiny-1", 100)]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"parameters": {"llm": LLM}}, "prompt-missing"),
        ({"inputs": {}}, "template-name-unknown"),
        ({"inputs": {"topic": "x" * 1_000_001}}, "prompt-too-large"),
        (
            {"inputs": {"topic": "x" * 300_000}, "parameters": {"prompt": "{topic}" * 4, "llm": LLM}},
            "prompt-too-large",
        ),
        (
            {
                "inputs": {"topic": "x" * 900_000},
                "parameters": {"messages": [{"role": "user", "content": "On {topic}"}] * 9_000, "llm": LLM},
            },
            "prompt-too-large",
        ),
    ],
)
async def test_what_cannot_be_asked_is_not_asked(tmp_path, given, code):
    async with open_model() as model:
        failed = await call(tmp_path, model, **given)

    assert isinstance(failed, TaskFailed)
    assert (failed.error.code, failed.retryable) == (code, False)
    assert model.requests == []
