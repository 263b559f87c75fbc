"""Streams: resumable, bounded in number, ended by a revoked key, a stop, or a reader that takes nothing."""

import asyncio

import pytest

from omium.server.live import TENANT_HINTS_MAX, LiveHub
from omium.server.web import dispatch
from omium.server.web.dispatch import Application
from omium.server.web.endpoint import Call, Stream, endpoint
from omium.server.web.sse import encode_event, read_last_event_id, stream_events
from omium.states import Scope
from tests.serverfixture import AppClient
from tests.web.asgi import open_stream, until

LOG: list[bytes] = []  # what the stream below reads, in place of a table


@endpoint("GET", "/v1/log/stream", scope=Scope.READ, stream=True, summary="Follow the log")
async def follow_log(call: Call[None]):
    after = read_last_event_id(call, None)

    async def look(_watcher):
        nonlocal after
        for seq in range(after + 1, len(LOG) + 1):
            yield encode_event(LOG[seq - 1], event_id=str(seq))
            after = seq

    return Stream(stream_events(call, ("execution", call.principal.tenant_id, "log"), look))


@endpoint("GET", "/v1/flood/stream", scope=Scope.READ, stream=True, summary="Send without end")
async def flood(call: Call[None]):
    async def chunks():
        while True:
            await asyncio.sleep(0)
            yield b"data: x\n\n"

    return Stream(chunks())


@endpoint("GET", "/v1/failing/stream", scope=Scope.READ, stream=True, summary="Break in the middle")
async def failing(call: Call[None]):
    async def chunks():
        yield b"data: 1\n\n"
        raise RuntimeError("in the middle")

    return Stream(chunks())


@endpoint("GET", "/v1/wait", scope=Scope.WORKER, long_poll=True, summary="Wait for work")
async def wait_for_work(call: Call[None]):
    with call.server.live.watch("queue", "q", principal_id=call.principal.id) as watcher:
        call.watchers.append(watcher)
        await watcher.wait(1e6)


@pytest.fixture
def client(app_client):
    LOG.clear()
    app = Application(app_client.server, [follow_log, flood, failing, wait_for_work])
    return AppClient(app, app_client.clock, app_client.key)


def publish(client, text: bytes) -> None:
    LOG.append(text)
    client.server.live.publish(client.key.tenant_id, "log", len(LOG))


async def test_a_stream_tells_what_is_there_and_then_what_comes(client):
    publish(client, b'"a"')
    async with open_stream(client, "/v1/log/stream") as stream:
        assert await stream.next() == b'id: 1\ndata: "a"\n\n'
        publish(client, b'"b"')
        assert await stream.next() == b'id: 2\ndata: "b"\n\n'

    assert stream.headers["content-type"] == "text/event-stream"
    assert client.server.streams.open == 0


async def test_a_reconnecting_client_goes_on_after_the_last_event(client):
    for text in (b"1", b"2", b"3"):
        publish(client, text)
    async with open_stream(client, "/v1/log/stream", **{"last-event-id": "2"}) as stream:
        assert await stream.next() == b"id: 3\ndata: 3\n\n"


async def test_a_made_up_event_id_is_refused(client):
    reply = await client.get("/v1/log/stream", headers={"last-event-id": "abc"})
    assert reply.status_code == 400


async def test_revoking_a_key_ends_its_streams(client):
    async with open_stream(client, "/v1/log/stream") as stream:
        await until(lambda: client.server.streams.open == 1)
        client.server.live.close_principal(client.key.api_key_id)
        await stream.wait_for_end()


async def test_stopping_ends_every_stream(client):
    async with open_stream(client, "/v1/log/stream") as stream:
        await until(lambda: client.server.streams.open == 1)
        client.server.drain()
        await stream.wait_for_end()


async def test_a_reader_that_takes_nothing_is_cut_off(client, monkeypatch):
    monkeypatch.setattr(dispatch, "STREAM_SEND_TIMEOUT_S", 0.01)
    async with open_stream(client, "/v1/flood/stream") as stream:
        await stream.next()
        stream.takes.clear()
        await stream.wait_for_end()
        assert stream.aborted
        stream.takes.set()


async def test_a_stream_that_breaks_is_cut_so_that_the_client_comes_back(client):
    async with open_stream(client, "/v1/failing/stream") as stream:
        await stream.wait_for_end()
        assert stream.aborted


async def test_a_principal_has_only_so_many_streams(make_app_client):
    async with make_app_client(streams_per_principal_max=2) as opened:
        client = AppClient(Application(opened.server, [follow_log]), opened.clock, opened.key)
        async with open_stream(client, "/v1/log/stream"), open_stream(client, "/v1/log/stream"):
            await until(lambda: client.server.streams.open == 2)
            refused = await client.get("/v1/log/stream")
            other = client.as_key(await client.new_key())
            async with open_stream(other, "/v1/log/stream"):
                await until(lambda: client.server.streams.open == 3)

    assert refused.status_code == 429
    assert refused.json()["code"] == "too-many-streams"
    assert "retry-after" in refused.headers


async def test_the_server_has_only_so_many_streams(make_app_client):
    async with make_app_client(streams_max=1) as opened:
        client = AppClient(Application(opened.server, [follow_log]), opened.clock, opened.key)
        other = client.as_key(await client.new_key())
        async with open_stream(client, "/v1/log/stream"):
            await until(lambda: client.server.streams.open == 1)
            assert (await other.get("/v1/log/stream")).status_code == 429


async def test_waiting_workers_take_no_stream_and_have_a_bound_of_their_own(make_app_client):
    async with make_app_client(streams_per_principal_max=1, polls_per_principal_max=2) as opened:
        client = AppClient(Application(opened.server, [follow_log, wait_for_work]), opened.clock, opened.key)
        waiting = [asyncio.create_task(client.get("/v1/wait")) for _ in range(2)]
        await until(lambda: client.server.polls.open == 2)
        refused = await client.get("/v1/wait")
        async with open_stream(client, "/v1/log/stream"):
            await until(lambda: client.server.streams.open == 1)
        client.server.live.wake("queue", "q")
        await asyncio.gather(*waiting)

    assert (refused.status_code, refused.json()["code"]) == (429, "too-many-streams")


async def test_a_long_poll_wakes_when_there_is_work(client):
    waiting = asyncio.create_task(client.get("/v1/wait"))
    await until(lambda: client.server.polls.open == 1)
    LOG.append(b"work")
    client.server.live.wake("queue", "q")

    assert (await waiting).status_code == 204


async def test_a_long_poll_ends_when_the_client_goes_away(client):
    async with open_stream(client, "/v1/wait"):
        await until(lambda: client.server.polls.open == 1)

    assert client.server.polls.open == 0


async def test_hints_of_one_execution_merge_and_too_many_end_the_watch():
    hub = LiveHub()
    with hub.watch("tenant", "t") as watcher:
        for seq in range(10):
            hub.publish("t", "one", seq)
        assert [hint.seq for hint in watcher.take()] == [9]
        for number in range(TENANT_HINTS_MAX + 1):
            hub.publish("t", f"ex{number}", 1)
        assert watcher.lagged
        assert len(watcher.take()) == TENANT_HINTS_MAX


async def test_hints_stay_inside_their_tenant():
    hub = LiveHub()
    with hub.watch("tenant", "other") as watcher, hub.watch("execution", "other", "one") as second:
        hub.publish("t", "one", 1)
        assert watcher.take() == second.take() == []


async def test_a_closed_hub_makes_nobody_wait():
    hub = LiveHub()
    hub.close()
    with hub.watch("tenant", "t") as watcher:
        assert await watcher.wait(1e6)
        assert watcher.closed
