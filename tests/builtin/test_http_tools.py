"""An HTTP tool: what is sent with which secrets, what comes back, and where it never goes."""

import json

import pytest

from omium.jsonvalue import plain
from omium.server.builtin.context import TaskDone, TaskFailed
from omium.server.builtin.http_tools import HttpTools
from omium.server.builtin.providers import Providers
from omium.server.builtin.runners import BuiltIn
from omium.server.outbound.http import GuardedClient
from tests.alerts.targets import open_target
from tests.builtin.model_server import Engine

SECRET = "s3cr3t-of-the-tenant"


async def call(tmp_path, target, http, inputs=None, allowed=None, engine=None, **given):
    url = http.pop("url", "/things/{id}")
    tool = {"http": {"url": f"http://{target.allowed}{url}" if url.startswith("/") else url, **http}}
    tool |= given.pop("tool", {})
    client = GuardedClient([target.allowed] if allowed is None else allowed, variable="OMIUM_TOOL_ALLOW")
    built_in = BuiltIn(Providers(tmp_path / "none"), HttpTools(client))
    engine = engine or Engine(secrets={"token": SECRET})
    inputs = {"id": "7"} if inputs is None else inputs
    return await built_in.run_task(
        engine, engine.grant("tool_call", tools={"t": tool}, inputs=inputs, **given)
    )


async def test_arguments_go_where_the_tool_says_and_json_comes_back(tmp_path):
    async with open_target() as target:
        target.extra, target.body = "content-type: application/json\r\n", b'{"a": [1, null], "$b": 2}'
        http = {
            "method": "POST",
            "url": "/things/{id}?fixed=1",
            "query": {"q": "about {id}", "n": "{n}"},
            "headers": {"x-id": "{id}", "authorization": {"$secret": "token", "prefix": "Bearer "}},
            "body": {"whole": "{o}", "text": "n is {n}", "list": ["{n}"]},
        }
        done = await call(
            tmp_path, target, http, {"id": "a/b ?c", "n": 3, "o": {"x": [1]}}, effect_key="ek_1"
        )

    assert isinstance(done, TaskDone)
    assert plain(done.output) == {"a": [1, None], "$b": 2}
    (received,) = target.received
    assert received.head == "POST /things/a%2Fb%20%3Fc?fixed=1&q=about+a%2Fb+%3Fc&n=3 HTTP/1.1"
    assert received.headers["authorization"] == f"Bearer {SECRET}"
    assert received.headers["x-id"] == "a/b ?c"
    assert received.headers["idempotency-key"] == "ek_1"
    assert json.loads(received.body) == {"whole": {"x": [1]}, "text": "n is 3", "list": [3]}


async def test_arguments_that_the_address_does_not_name_are_the_body(tmp_path):
    async with open_target() as target:
        done = await call(tmp_path, target, {"method": "PUT"}, {"id": "7", "a": 1, "b": [True]})

    assert isinstance(done, TaskDone)
    assert done.output == "fine"
    assert json.loads(target.received[0].body) == {"a": 1, "b": [True]}


async def test_no_body_is_no_value(tmp_path):
    async with open_target() as target:
        target.status, target.body = "204 No Content", b""
        done = await call(tmp_path, target, {"method": "DELETE"})

    assert isinstance(done, TaskDone)
    assert done.output is None


@pytest.mark.parametrize(
    ("http", "inputs", "code"),
    [
        ({"url": "http://{id}/"}, {"id": "127.0.0.1"}, "target-refused"),
        ({"url": "{id}"}, {"id": "http://127.0.0.1/"}, "target-refused"),
        ({"url": "{id}://127.0.0.1/"}, {"id": "http"}, "target-refused"),
        ({"url": "http://127.0.0.1:{id}/"}, {"id": "80"}, "target-refused"),
        ({"url": "http://example.com@{id}/"}, {"id": "127.0.0.1"}, "target-refused"),
        ({"url": "https://127.0.0.1/"}, {}, "target-refused"),
        ({"url": "http://169.254.169.254/"}, {}, "target-refused"),
        ({}, {"id": ".."}, "arguments-invalid"),
        ({}, {}, "template-name-unknown"),
        ({"headers": {"host": "inside"}}, None, "target-refused"),
        ({"headers": {"x": "{id}"}}, {"id": "a\r\nhost: b"}, "target-refused"),
        ({"headers": {"x": {"$secret": "other"}}}, None, "secret-missing"),
        ({"method": "POST", "body": "{id}"}, {"id": "x" * 2_000_000}, "request-too-large"),
        ({"url": "/{id}"}, {"id": "x" * 9_000}, "request-too-large"),
        ({"method": "POST", "body": ["a {id}"] * 5_000}, {"id": "x" * 1_000_000}, "request-too-large"),
        ({"method": "POST", "body": ["{id}"] * 5_000}, {"id": [["x" * 1_000_000]]}, "request-too-large"),
    ],
)
async def test_what_must_not_be_sent_is_not_sent(tmp_path, http, inputs, code):
    async with open_target() as target:
        failed = await call(tmp_path, target, dict(http), inputs)

    assert isinstance(failed, TaskFailed)
    assert (failed.error.code, failed.retryable, failed.not_applied) == (code, False, True)
    assert target.received == []


async def test_a_private_target_is_the_operators_to_allow(tmp_path):
    async with open_target() as target:
        failed = await call(tmp_path, target, {}, allowed=[])

    assert isinstance(failed, TaskFailed)
    assert f"OMIUM_TOOL_ALLOW={target.allowed}" in failed.error.message


@pytest.mark.parametrize(
    ("status", "extra", "retryable", "after_s"),
    [
        ("429 X", "retry-after: 3\r\n", True, 3.0),
        ("500 X", "", True, None),
        ("503 X", "retry-after: 9\r\n", True, 9.0),
        ("400 X", "", False, None),
        ("403 X", "", False, None),
    ],
)
async def test_a_refusal_names_no_secret_and_says_whether_another_try_helps(
    tmp_path, status, extra, retryable, after_s
):
    async with open_target() as target:
        target.status, target.extra, target.body = status, extra, f"you sent {SECRET}".encode()
        failed = await call(tmp_path, target, {"headers": {"authorization": {"$secret": "token"}}})

    assert isinstance(failed, TaskFailed)
    assert (failed.retryable, failed.retry_after_s) == (retryable, after_s)
    assert "you sent" in failed.error.message
    assert SECRET not in json.dumps(failed.error.to_json())
    assert failed.not_applied is False


async def test_a_target_that_is_not_there_certainly_did_nothing(tmp_path):
    async with open_target() as target:
        pass
    failed = await call(tmp_path, target, {"method": "POST"})

    assert isinstance(failed, TaskFailed)
    assert (failed.retryable, failed.not_applied) == (True, True)


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"{", "answer-invalid"), (b'{"a": 1e400}', "answer-invalid"), (b"x" * 5 * 2**20, "answer-incomplete")],
)
async def test_an_answer_that_cannot_be_taken_fails_the_node(tmp_path, body, code):
    async with open_target() as target:
        target.extra, target.body = "content-type: application/json\r\n", body
        failed = await call(tmp_path, target, {})

    assert isinstance(failed, TaskFailed)
    assert (failed.error.code, failed.retryable) == (code, False)


async def test_an_answer_that_breaks_off_is_worth_another_try(tmp_path):
    async with open_target() as target:
        target.extra, target.body = "transfer-encoding: chunked\r\n", b"5\r\nhello\r\n"
        failed = await call(tmp_path, target, {})

    assert isinstance(failed, TaskFailed)
    assert (failed.error.code, failed.retryable) == ("answer-incomplete", True)


async def test_arguments_and_answers_follow_the_tools_schemas(tmp_path):
    number = {"type": "object", "properties": {"id": {"type": "integer"}}}
    async with open_target() as target:
        refused = await call(tmp_path, target, {}, tool={"input_schema": number})
        target.extra, target.body = "content-type: application/json\r\n", b'{"id": "x"}'
        wrong = await call(tmp_path, target, {}, tool={"output_schema": number})

    assert isinstance(refused, TaskFailed)
    assert isinstance(wrong, TaskFailed)
    assert (refused.error.code, wrong.error.code) == ("arguments-invalid", "answer-invalid")
    assert len(target.received) == 1
