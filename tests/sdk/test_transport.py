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
from omium.states import Durability
from tests.sdk.fakes import WriteServer, checkpoint, make_lease
from tests.sdk.loopback import Loopback


def answer_writes(method, path, headers, body):
    return 200, json.loads(WriteServer().answer(body, 0).body)


@pytest.fixture
def server():
    with Loopback(answer_writes) as loopback:
        yield loopback


@pytest.fixture
def transport(server, tmp_path):
    made = Transport(
        Settings(base_url=server.base_url, api_key="om_test", unavailable_after_s=5, folder=tmp_path)
    )
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


def names_of(server):
    groups = [group for *_, body in server.requests if body for group in json.loads(body)["groups"]]
    return [write["name"] for group in groups for write in group["writes"]]


def wait_until(happened):
    for _ in range(3000):
        if happened():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it did not happen in 30 s")


def test_relaxed_records_reach_the_server_without_being_waited_for(server, transport):
    lease = make_lease(durability=Durability.RELAXED)
    for name in "abc":
        assert drive_sync(write(lease, checkpoint(name)), transport).spooled
    wait_until(lambda: not transport.pending(lease))
    assert names_of(server) == ["a", "b", "c"]


async def test_relaxed_records_of_tasks_are_spooled_too(server, transport):
    lease = make_lease(durability=Durability.RELAXED)
    flows = [drive_async(write(lease, checkpoint(str(n))), transport.async_ports()) for n in range(8)]
    assert all(outcome.spooled for outcome in await asyncio.gather(*flows))
    transport.close()
    assert sorted(names_of(server)) == sorted("01234567")


RELAXED_PROGRAM = """if True:
    import sys
    from pathlib import Path
    from omium.config import Settings
    from omium.sdk.flows import Write
    from omium.sdk.transport import Transport
    from tests.sdk.fakes import checkpoint, make_lease
    from omium.states import Durability
    transport = Transport(Settings(base_url=sys.argv[1], api_key="om_test", folder=Path(sys.argv[2])))
    lease = make_lease(durability=Durability.RELAXED)
    for name in "abc":
        assert transport.write(Write(lease, checkpoint(name))).spooled
"""


def test_a_process_that_ends_sends_its_spool_first(server, tmp_path):
    subprocess.run(
        [sys.executable, "-c", RELAXED_PROGRAM, server.base_url, str(tmp_path)], check=True, timeout=60
    )
    assert names_of(server) == ["a", "b", "c"]
    assert list((tmp_path / "spool").iterdir()) == []


def test_a_script_without_its_server_ends_well_and_the_next_one_tells_what_it_did(tmp_path):
    with Loopback() as gone:
        port = gone.port
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-c", RELAXED_PROGRAM, url, str(tmp_path)]
    done = subprocess.run(command, check=True, timeout=60, capture_output=True, text=True)
    assert done.stderr == ""
    with Loopback(answer_writes, port=port) as server:
        transport = Transport(Settings(base_url=url, api_key="om_test", folder=tmp_path))
        wait_until(lambda: not list((tmp_path / "spool").glob("*.spool")))
        assert names_of(server) == ["a", "b", "c"]
        transport.close()
