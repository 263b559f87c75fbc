"""What is no good request gets a problem that says why, and tells nothing of the inside."""

import json

import pytest
from pydantic import BaseModel

from omium.errors import PlanStale
from omium.server.web.dispatch import Application
from omium.server.web.endpoint import Call, Idempotency, endpoint
from omium.server.web.metrics import Metrics
from omium.states import Scope
from tests.serverfixture import AppClient


class Thing(BaseModel):
    name: str
    size: int = 0


class ThingQuery(BaseModel):
    limit: int = 1


@endpoint(
    "POST",
    "/v1/echo",
    scope=Scope.RUN,
    idempotent=Idempotency.NATURAL,
    body=Thing,
    reply=Thing,
    summary="Echo",
)
async def echo(call: Call[Thing]):
    return call.body


@endpoint(
    "GET", "/v1/things/{thing_id}/{part}", scope=Scope.READ, query=ThingQuery, reply=Thing, summary="Get one"
)
async def get_thing(call: Call[None, ThingQuery]):
    return Thing(name=f"{call.path['thing_id']}|{call.path['part']}", size=call.query.limit)


@endpoint("GET", "/v1/things/first/{part}", scope=Scope.READ, reply=Thing, summary="Get the first")
async def get_first(call: Call[None]):
    return Thing(name="first")


@endpoint("GET", "/v1/broken", scope=Scope.READ, reply=Thing, summary="Break")
async def broken(call: Call[None]):
    raise RuntimeError("the password is hunter2")


@endpoint("DELETE", "/v1/nothing", scope=Scope.RUN, idempotent=Idempotency.NATURAL, summary="Do nothing")
async def nothing(call: Call[None]):
    return None


@endpoint(
    "POST",
    "/v1/undeclared",
    scope=Scope.RUN,
    idempotent=Idempotency.NATURAL,
    summary="Raise what is not declared",
)
async def undeclared(call: Call[None]):
    raise PlanStale


ENDPOINTS = [undeclared, echo, get_thing, get_first, broken, nothing]


@pytest.fixture
def client(app_client):
    return AppClient(Application(app_client.server, ENDPOINTS), app_client.clock, app_client.key)


def problem(reply, status, code):
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    body = reply.json()
    assert body["code"] == code
    assert body["status"] == status
    assert body["request_id"] == reply.headers["omium-request-id"]
    return body


async def test_a_good_request_is_answered_with_the_headers_that_protect(client):
    reply = await client.post("/v1/echo", json={"name": "a"})

    assert reply.json() == {"name": "a", "size": 0}
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["cache-control"] == "no-store"
    page = await client.get("/v1/things/a/b")
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]


async def test_an_unknown_address(client):
    problem(await client.get("/v1/nowhere"), 404, "not-found")
    problem(await client.get("/v1/things/x"), 404, "not-found")
    problem(await client.get("/"), 404, "not-found")


async def test_a_method_that_is_not_taken_says_which_are(client):
    reply = await client.put("/v1/echo", json={})

    problem(reply, 405, "method-not-allowed")
    assert reply.headers["allow"] == "POST"


async def test_parameters_are_decoded_once_and_may_hold_slashes(client):
    reply = await client.get("/v1/things/a%2Fb%2523/%C3%A4")

    assert reply.json()["name"] == "a/b%23|ä"


async def test_a_fixed_segment_wins(client):
    assert (await client.get("/v1/things/first/x")).json()["name"] == "first"


@pytest.mark.parametrize("segment", ["%00", "a%0Ab", "%FF", "x" * 3000])
async def test_what_no_name_can_be_is_not_found(client, segment):
    problem(await client.get(f"/v1/things/{segment}/x"), 404, "not-found")


async def test_a_body_of_another_type(client):
    reply = await client.post("/v1/echo", content=b"name=a", headers={"content-type": "text/plain"})
    problem(reply, 415, "unsupported-media-type")

    packed = {"content-type": "application/json", "content-encoding": "gzip"}
    problem(await client.post("/v1/echo", content=b"{}", headers=packed), 415, "unsupported-media-type")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"name": NaN}',
        b'{"name": "a", "name": "b"}',
        b'{"name": "\\u0000"}',
        b'{"size": 1e400}',
        b"\xff",
    ],
)
async def test_a_body_that_is_no_acceptable_json(client, body):
    reply = await client.post("/v1/echo", content=body, headers={"content-type": "application/json"})

    assert "pointer" in problem(reply, 400, "invalid-json")


async def test_a_wrong_field_is_named_and_its_value_is_not_repeated(client):
    reply = await client.post("/v1/echo", json={"name": "a", "size": "hunter2"})

    body = problem(reply, 400, "invalid-request")
    assert body["errors"][0]["pointer"] == "/size"
    assert "hunter2" not in reply.text


async def test_query_parameters_are_checked(client):
    assert (await client.get("/v1/things/a/b?limit=7")).json()["size"] == 7
    for query in ("limit=x", "limit=1&limit=2", "unknown=1", "limit", "limit=%00"):
        problem(await client.get(f"/v1/things/a/b?{query}"), 400, "invalid-request")


async def test_a_body_where_none_is_taken(client):
    reply = await client.request("DELETE", "/v1/nothing", json={"a": 1})

    problem(reply, 400, "invalid-request")
    assert (await client.delete("/v1/nothing")).status_code == 204


async def test_a_body_that_is_too_large_is_refused_before_it_is_parsed(client):
    huge = json.dumps({"name": "a" * 2**24}).encode()
    reply = await client.post("/v1/echo", content=huge, headers={"content-type": "application/json"})

    assert problem(reply, 413, "payload-too-large")["limit_bytes"] == 2**24


async def test_a_large_body_without_a_declared_length_is_refused_too(client):
    async def chunks():
        for _ in range(17):
            yield b"x" * 2**20

    reply = await client.post("/v1/echo", content=chunks(), headers={"content-type": "application/json"})

    problem(reply, 413, "payload-too-large")


async def test_of_a_body_without_end_only_a_bounded_part_is_taken(client):
    taken = []

    async def chunks():
        for number in range(200):
            taken.append(number)
            yield b"x" * 2**20

    reply = await client.post("/v1/echo", content=chunks(), headers={"content-type": "application/json"})

    problem(reply, 413, "payload-too-large")
    assert reply.headers["connection"] == "close"
    assert len(taken) < 40


async def test_an_undeclared_problem_is_noticed(client, capsys):
    client.server.metrics = Metrics()  # its own: the fixture looks for undeclared answers at its end
    await client.post("/v1/undeclared")

    counted = b'omium_undeclared_problems_total{endpoint="POST /v1/undeclared"} 1.0'
    assert counted in client.server.metrics.render()
    client.server.metrics = Metrics()


async def test_our_mistake_tells_only_a_request_id(client, capsys):
    reply = await client.get("/v1/broken")

    body = problem(reply, 500, "internal-error")
    assert "hunter2" not in reply.text
    assert body["request_id"] in body["detail"]


async def test_head_is_answered_as_get(client):
    assert (await client.head("/v1/things/a/b")).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "[::1].evil", "", "127.0.0.1:x"])
async def test_another_host_is_refused(client, host):
    problem(await client.get("/v1/things/a/b", headers={"host": host}), 403, "host-refused")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8720", "127.0.0.1:1", "[::1]:8720", "localhost."])
async def test_our_own_names_are_taken(client, host):
    assert (await client.get("/v1/things/a/b", headers={"host": host})).status_code == 200


async def test_pages_of_another_origin_are_refused(client):
    problem(
        await client.get("/v1/things/a/b", headers={"origin": "https://evil.example"}), 403, "host-refused"
    )
    problem(await client.get("/v1/things/a/b", headers={"origin": "null"}), 403, "host-refused")
    same = {"origin": "http://localhost"}
    assert (await client.get("/v1/things/a/b", headers=same)).status_code == 200


async def test_a_stopping_server_turns_requests_away(client):
    client.server.drain()

    reply = await client.get("/v1/things/a/b")

    problem(reply, 503, "shutting-down")
    assert reply.headers["retry-after"] == "1"
