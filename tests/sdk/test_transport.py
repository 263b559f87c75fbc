"""The transport of a driving process: one writer for its threads, one per event loop, nothing left open."""

import asyncio
import json
import subprocess
import sys
import threading

import pytest

from omium.config import Settings
from omium.sdk.flows import Http, drive_async, drive_sync, write
from omium.sdk.transport import Transport
from tests.sdk.fakes import WriteServer, checkpoint, make_lease
from tests.sdk.loopback import Loopback


def answer_writes(method, path, headers, body):
    return 200, json.loads(WriteServer().answer(body, 0).body)


@pytest.fixture
def server():
    with Loopback(answer_writes) as loopback:
        yield loopback


@pytest.fixture
def transport(server):
    made = Transport(Settings(base_url=server.base_url, api_key="om_test", unavailable_after_s=5))
    yield made
    made.close()


def test_flows_of_threads_write_over_one_kept_connection(server, transport):
    for _ in range(3):
        assert drive_sync(write(make_lease(), checkpoint("a")), transport).seq == 1
    assert [request[1] for request in server.requests] == ["/v1/writes"] * 3
    assert server.connections == 1


def test_each_event_loop_has_its_own_connections_and_closes_them_at_its_end(server, transport, recwarn):
    async def main():
        ports = transport.async_ports()
        assert transport.async_ports() is ports
        return await drive_async(write(make_lease(), checkpoint("a")), ports)

    assert asyncio.run(main()).seq == 1
    assert asyncio.run(main()).seq == 1
    assert server.connections == 2
    assert [str(warning.message) for warning in recwarn] == []


def test_loops_in_several_threads_do_not_share_anything(server, transport):
    def run():
        async def main():
            lease = make_lease()
            await asyncio.gather(
                *(drive_async(write(lease, checkpoint(str(n))), transport.async_ports()) for n in range(5))
            )

        asyncio.run(main())

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert server.connections >= 4


async def test_async_ports_answer_plain_requests_too(server, transport):
    server.handler = lambda *_: (200, {"status": "ok"})
    answer = await transport.async_ports().http(Http("GET", "/healthz", timeout_s=20))
    assert json.loads(answer.body) == {"status": "ok"}


def test_a_driving_process_loads_neither_httpx_nor_pydantic_nor_asyncio(server):
    code = f"""if True:
        import sys
        from omium.config import Settings
        from omium.sdk.flows import Write, Lease
        from omium.sdk.transport import Transport
        transport = Transport(Settings(base_url={server.base_url!r}))
        lease = Lease("ex_1", 1, "t", 0)
        write = {{"type": "usage.recorded", "usage": {{"id": "u", "at_us": 1}}}}
        assert transport.write(Write(lease, write)).seq == 1
        transport.close()
        heavy = ("httpx", "pydantic", "asyncio", "ssl", "cryptography")
        print([name for name in heavy if name in sys.modules])
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
