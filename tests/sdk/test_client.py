"""The clients: every endpoint has a method, what is lost is sent again, what is refused is raised."""

import asyncio
import inspect
import json
import re
import threading
from contextlib import aclosing, closing
from itertools import islice

import httpx
import pytest

from omium.clock import ManualClock
from omium.config import Settings
from omium.errors import ConnectionLost, InternalError, NotFound, RateLimited, StorageBusy
from omium.models.execution import StartExecution
from omium.models.keys import CreateKey
from omium.sdk.async_client import AsyncClient
from omium.sdk.flows import Http
from omium.sdk.live import LiveEvent, LiveEventReader
from omium.sdk.sync_client import Client
from omium.sdk.transport.client import AsyncHttpxTransport, HttpxTransport
from omium.sdk.wire import Target
from omium.server.routes import list_endpoints
from omium.states import Driver, ExecutionStatus, Scope
from tests.sdk.fakes import problem_answer
from tests.sdk.loopback import Loopback
from tools import generate_sync_client

ENDPOINTS = {
    endpoint.name: endpoint
    for endpoint in list_endpoints()
    # What others than our clients send:
    if not (endpoint.raw_body and (endpoint.is_public or endpoint.scope is Scope.INGEST))
}
WHOAMI = {
    "tenant": "test", "tenant_id": "tn_1", "api_key_id": "k_1", "key_name": "owner", "environment": "dev",
    "scopes": ["read"], "server_version": "0.1.0", "added_later": True,
}  # fmt: skip
KEY = {"id": "k", "name": "n", "status": "active", "environment": "dev", "scopes": [], "created_at_us": 1}


class Call:
    """Calls a method of either client and returns what it returns, or all that it yields."""

    def __init__(self, kind, base_url, **options):
        options = {"settings": Settings(base_url=base_url, api_key="om_test"), "timeout_s": 20, **options}
        self.kind = kind
        self.runner = asyncio.Runner()
        self.client = Client(**options) if kind == "sync" else AsyncClient(**options)

    def __call__(self, name, *args, **kwargs):
        result = getattr(self.client, name)(*args, **kwargs)
        return self.runner.run(result) if inspect.isawaitable(result) else result

    def take(self, count, iterator):
        if self.kind == "sync":
            with closing(iterator):
                return list(islice(iterator, count))

        async def collect():
            found = []
            async with aclosing(iterator) as items:
                async for item in items:
                    found.append(item)
                    if len(found) == count:
                        break
            return found

        return self.runner.run(collect())

    def close(self):
        closed = self.client.close()
        if inspect.isawaitable(closed):
            self.runner.run(closed)
        self.runner.close()


@pytest.fixture
def server():
    with Loopback() as loopback:
        yield loopback


@pytest.fixture(params=["sync", "async"])
def call(request, server):
    made = Call(request.param, server.base_url)
    yield made
    made.close()


def raw(answer) -> bytes:
    lines = [f"HTTP/1.1 {answer.status} X", f"content-length: {len(answer.body)}"]
    lines += [f"{name}: {value}" for name, value in answer.headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + answer.body


# The table of endpoints is the truth.


@pytest.mark.parametrize("name", ENDPOINTS)
def test_every_endpoint_has_a_method_with_its_parameters(name):
    endpoint = ENDPOINTS[name]
    for client in (AsyncClient, Client):
        method = getattr(client, name, None)
        assert method is not None, f"{endpoint.method} {endpoint.path} has no {client.__name__}.{name}"
        parameters = list(inspect.signature(method).parameters.values())[1:]
        positional = [each.name for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD]
        assert positional == [*endpoint.path_parameters, *(["command"] if endpoint.body else [])]
        keywords = {each.name for each in parameters if each.kind is each.KEYWORD_ONLY}
        assert set(endpoint.query.model_fields if endpoint.query else ()) <= keywords
        if endpoint.idempotent.value == "keyed":
            assert "idempotency_key" in keywords
        assert method.__doc__


def arguments_for(endpoint):
    values = ["a/b ä?"] * len(endpoint.path_parameters)
    if endpoint.body is not None:
        made = {"driver": Driver.LOCAL} if endpoint.body is StartExecution else {}
        made |= {"wait_s": 1.0} if "wait_s" in endpoint.body.model_fields else {}
        values.append(endpoint.body.model_construct(_fields_set=set(), **made))
    return values


@pytest.mark.parametrize("name", ENDPOINTS)
def test_every_method_calls_its_endpoint(name):
    endpoint, seen = ENDPOINTS[name], []

    def refuse(request):
        seen.append(request)
        return httpx.Response(500, json=InternalError().to_problem())

    transport = HttpxTransport(Target("http://test/prefix"), inner=httpx.MockTransport(refuse))
    client = Client(settings=Settings(), transport=transport, retry_for_s=0)
    with pytest.raises(InternalError):
        query = endpoint.query.model_fields if endpoint.query else {}
        required = {field: "x" for field, info in query.items() if info.is_required()}
        result = getattr(client, name)(*arguments_for(endpoint), **required)
        next(iter(result))
    pattern = re.sub(r"\{[a-z_]+\}", "a%2Fb%20%C3%A4%3F", endpoint.path)
    assert (seen[0].method, seen[0].url.raw_path.decode().partition("?")[0]) == (
        endpoint.method,
        f"/prefix{pattern}",
    )
    assert (seen[0].headers.get("idempotency-key") is not None) == (endpoint.method != "GET")
    client.close()


def test_the_sync_client_is_what_the_generator_writes_now():
    assert generate_sync_client.find_stale() == []


# Requests and answers.


def test_a_reply_is_read_into_its_model_and_what_a_newer_server_added_is_left_out(server, call):
    server.handler = lambda *_: (200, WHOAMI)
    assert call("get_whoami").tenant == "test"
    assert server.requests[0][2]["authorization"] == "Bearer om_test"


def test_a_command_carries_what_was_set_and_a_key_of_its_own(server, call):
    made = dict.fromkeys(("tenant", "tenant_id", "api_key", "api_key_id", "name"), "x")
    made |= {"environment": "dev", "scopes": []}
    server.handler = lambda *_: (201, made)
    for _ in range(2):
        assert call("create_key", CreateKey(name="ci")).api_key == "x"
    call("create_key", CreateKey(name="ci"), idempotency_key="mine")
    assert [json.loads(body) for *_, body in server.requests] == [{"name": "ci"}] * 3
    keys = [headers["idempotency-key"] for _, _, headers, _ in server.requests]
    assert len(set(keys)) == 3
    assert keys[2] == "mine"


def test_a_query_is_written_as_the_server_reads_it(server, call):
    server.handler = lambda *_: (200, {"items": [], "next": None})
    call("list_executions", status=ExecutionStatus.FAILED, workflow="a&b", limit=5)
    assert server.requests[0][1] == "/v1/executions?status=failed&workflow=a%26b&limit=5"


def test_a_lost_answer_is_asked_for_again_with_the_same_key(server, call):
    server.script = [Loopback.DROP, Loopback.DROP]
    server.handler = lambda *_: (200, KEY)
    call("revoke_key", "k_1")
    assert len(server.requests) == 3
    assert len({headers["idempotency-key"] for _, _, headers, _ in server.requests}) == 1


def test_a_busy_server_is_asked_again(server, call):
    server.script = [
        raw(problem_answer(StorageBusy())),
        raw(problem_answer(RateLimited(), **{"retry-after": "1"})),
    ]
    server.handler = lambda *_: (200, WHOAMI)
    assert call("get_whoami").tenant == "test"


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_wait_longer_than_the_callers_patience_is_not_begun(server, kind):
    call = Call(kind, server.base_url, retry_for_s=5)
    server.script = [raw(problem_answer(RateLimited("Slow down."), **{"retry-after": "60"}))]
    with pytest.raises(RateLimited, match="Slow down"):
        call("get_whoami")
    call.close()


def test_a_refusal_is_raised_as_the_servers_own_class(server, call):
    server.handler = lambda *_: raw(problem_answer(NotFound("No such execution.", hint="list them")))
    with pytest.raises(NotFound, match="No such execution") as caught:
        call("get_execution", "ex_1")
    assert caught.value.members == {"hint": "list them"}
    assert len(server.requests) == 1


@pytest.mark.parametrize("body", ["hello", {"tenant": 1}, None])
def test_an_answer_of_another_form_is_no_omium_server(server, call, body):
    server.handler = lambda *_: (200, body)
    with pytest.raises(ConnectionLost, match="not a WhoAmI"):
        call("get_whoami")


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_nobody_listening_is_said_with_the_remedy(kind):
    with Loopback() as gone:
        url = gone.base_url
    call = Call(kind, url, retry_for_s=0)
    with pytest.raises(ConnectionLost, match=r"No Omium server answers at .*; start one with `omium serve`"):
        call("get_whoami")
    call.close()


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_late_answer_is_a_lost_connection(server, kind):
    call = Call(kind, server.base_url, retry_for_s=0, timeout_s=0.2)
    go_on = threading.Event()
    server.script = [go_on]
    with pytest.raises(ConnectionLost, match="did not answer within"):
        call("get_whoami")
    go_on.set()
    call.close()


def test_each_yields_the_items_of_all_pages(server, call):
    pages = {None: (["a", "b"], "2"), "2": ([], "3"), "3": (["c"], None)}

    def handler(method, path, *_):
        after = dict(part.split("=") for part in path.partition("?")[2].split("&")).get("after")
        names, following = pages[after]
        return 200, {"items": [{**KEY, "id": name} for name in names], "next": following}

    server.handler = handler
    found = call.take(10, call.client.each(call.client.list_keys, limit=2))
    assert [key.id for key in found] == ["a", "b", "c"]
    assert all("limit=2" in path for _, path, *_ in server.requests)


def test_proxies_of_the_environment_are_not_used(server, call, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    server.handler = lambda *_: (200, WHOAMI)
    assert call("get_whoami").tenant == "test"


# Live events.


def event_bytes(*seqs, end=False) -> bytes:
    parts = ["HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\nretry: 1\n\n"]
    for seq in seqs:
        event = json.dumps({"seq": seq, "type": "step.completed", "at_us": 1, "data": {}})
        parts.append(f"id: {seq}\nevent: step.completed\ndata: {event}\n\n: hi\n\n")
    return "".join([*parts, "event: end\ndata: {}\n\n" if end else ""]).encode()


def test_live_events_go_on_where_a_lost_connection_left_them_each_once(server, call):
    answers = [event_bytes(3, 4), event_bytes(4, 5, end=True), event_bytes(6)]
    server.handler = lambda *_: answers.pop(0)
    server.script = [Loopback.CLOSE] * 3

    found = call.take(4, call.client.stream_execution_events("ex_1", after=2))

    assert [event.seq for event in found] == [3, 4, 5, 6]
    assert [headers["last-event-id"] for _, _, headers, _ in server.requests] == ["2", "4", "5"]


def test_a_refused_stream_raises_its_problem(server, call):
    server.handler = lambda *_: raw(problem_answer(NotFound("No such execution.")))
    with pytest.raises(NotFound):
        call.take(1, call.client.stream_execution_events("ex_1"))


def test_a_stream_that_cannot_be_made_again_says_so(server, call):
    server.handler = lambda *_: event_bytes()
    server.script = [Loopback.CLOSE, *[Loopback.DROP] * 20]
    with pytest.raises(ConnectionLost):
        call.take(1, call.client.stream_execution_events("ex_1"))


def test_events_are_read_in_every_form_that_the_format_allows():
    reader = LiveEventReader()
    lines = [
        "id: 7",
        "event:x",
        "data: a",
        "data:b",
        "",
        ": comment",
        "",
        "data",
        "",
        "retry: 5",
        "",
        "data:  c",
        "",
    ]
    events = [event for line in lines if (event := reader.feed(line)) is not None]
    assert events == [LiveEvent("x", "a\nb", "7"), LiveEvent("", ""), LiveEvent("", " c")]


async def test_a_client_is_a_context_manager(server):
    server.handler = lambda *_: (200, WHOAMI)
    async with AsyncClient(server.base_url, "om_x") as client:
        assert (await client.get_whoami()).tenant == "test"
    with Client(server.base_url, "om_x") as client:
        assert client.get_whoami().tenant == "test"


async def test_the_time_of_sending_is_taken_before_the_request(server):
    clock = ManualClock()
    transport = AsyncHttpxTransport(
        Target("http://test"),
        inner=httpx.MockTransport(lambda _: (clock.advance(5), httpx.Response(200, json=WHOAMI))[1]),
        clock=clock,
    )
    before_us = clock.boot_us()
    assert (await transport.http(Http("GET", "/v1/whoami"))).sent_us == before_us
