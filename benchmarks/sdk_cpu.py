"""CPU of the client's process per recorded step: ours alone, in tasks and in threads, and its peers.

    python -m benchmarks.sdk_cpu [--json] [--rounds 3] [--quick]

A step is one write with a 500-byte result, from the flow to the outcome, against a server in another process
that answers a constant; a whole step is a call under `@omium.step` with that result: identity, digest of the
input, lookup, capture, encoding, and the write. Rounds alternate, medians are compared. Bound by the CPU of
the client's core; what the server does with a write is in the other rows.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import resource
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx

import omium
from benchmarks.rows import Goal, Options, Rounds, Row, run_module
from omium.config import Settings
from omium.sdk.book import Book
from omium.sdk.driving import Driving
from omium.sdk.flows import Flow, Lease, WriteOutcome, drive_async, drive_sync, write
from omium.sdk.lease import SYSTEM_CLOCK
from omium.sdk.session import Session
from omium.sdk.transport import Transport

STEPS = 3_000
GOALS_US = {
    "whole step, alone": 250,
    "whole step, 16 tasks": 200,
    "ours, alone": 250,
    "ours, 16 tasks": 200,
    "ours, 64 tasks": 60,
}

SERVER = """
import asyncio, json, httptools

class Answering(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.body, self.parser = transport, [], httptools.HttpRequestParser(self)

    def data_received(self, data):
        self.parser.feed_data(data)

    def on_body(self, part):
        self.body.append(part)

    def on_message_complete(self):
        groups, self.body = json.loads(b"".join(self.body))["groups"], []
        result = {"seq": 1, "effect": None, "problem": None}
        flags = {"cancel_requested": False, "suspend": None}
        answer = {"groups": [{"results": [result] * len(group["writes"]), **flags} for group in groups]}
        body = json.dumps(answer).encode()
        head = b"HTTP/1.1 200 OK\\r\\ncontent-type: application/json\\r\\ncontent-length: %d\\r\\n\\r\\n"
        self.transport.write(head % len(body) + body)

async def main():
    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"""


def make_write(number: int) -> dict[str, Any]:
    """Return a step's record as the SDK makes it: a dict, no model."""
    return {
        "type": "step.completed", "path": f"s{number}", "name": "step", "input": {"x": number},
        "input_digest": "0" * 64, "started_at_us": 1, "ended_at_us": 2, "output": {"text": "x" * 470},
    }  # fmt: skip


def body_of(lease: Lease, number: int) -> bytes:
    """Return a whole request's body, as a peer would send it."""
    return b'{"groups":[%b,"writes":[%b]}]}' % (lease.group_prefix, json.dumps(make_write(number)).encode())


def make_lease(number: int = 0) -> Lease:
    """Return a lease that the constant server takes."""
    return Lease(f"ex_{number}", 1, "0" * 32, 0)


def step(lease: Lease, number: int) -> Flow[WriteOutcome]:
    """Record one step."""
    return (yield from write(lease, make_write(number)))


def ours_alone(port: int, steps: int) -> None:
    """One after the other in one thread."""
    transport, lease = (
        Transport(Settings(base_url=f"http://127.0.0.1:{port}", api_key="om_key")),
        make_lease(),
    )
    for number in range(steps):
        drive_sync(step(lease, number), transport)
    transport.close()


def ours_in_threads(port: int, steps: int) -> None:
    """16 threads, an execution each."""
    transport = Transport(Settings(base_url=f"http://127.0.0.1:{port}", api_key="om_key"))

    def run(thread: int) -> None:
        lease = make_lease(thread)
        for number in range(steps // 16):
            drive_sync(step(lease, number), transport)

    threads = [threading.Thread(target=run, args=(thread,)) for thread in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    transport.close()


def ours_in_tasks(port: int, steps: int, tasks: int) -> None:
    """Tasks of one loop, an execution each."""
    transport = Transport(Settings(base_url=f"http://127.0.0.1:{port}", api_key="om_key"))

    async def run(task: int) -> None:
        lease = make_lease(task)
        for number in range(steps // tasks):
            await drive_async(step(lease, number), transport.async_ports())

    async def main() -> None:
        await asyncio.gather(*(run(task) for task in range(tasks)))

    asyncio.run(main())


@omium.step
def sync_step(number: int) -> dict[str, str]:
    """A step that does nothing but return."""
    return {"text": "x" * 470}


@omium.step
async def async_step(number: int) -> dict[str, str]:
    """A step that does nothing but return."""
    return {"text": "x" * 470}


def make_driving(session: Session, number: int) -> Driving:
    """Return the drive of an execution that the constant server takes."""
    lease = make_lease(number)
    lease.acked_us = SYSTEM_CLOCK.boot_us()
    return Driving(lease, Book(), session.link, workflow="benchmark")


def open_session(port: int) -> Session:
    """Return a process's session with the constant server."""
    return Session(Settings(base_url=f"http://127.0.0.1:{port}", api_key="om_key"))


def steps_alone(port: int, steps: int) -> None:
    """Whole steps, one after the other in one thread."""
    session = open_session(port)
    driving = make_driving(session, 0)
    with session.active(driving), driving.open_root().entered():
        for number in range(steps):
            sync_step(number)
    session.close()


def steps_in_threads(port: int, steps: int) -> None:
    """Whole steps in 16 threads, an execution each."""
    session = open_session(port)

    def run(thread: int) -> None:
        driving = make_driving(session, thread)
        with session.active(driving), driving.open_root().entered():
            for number in range(steps // 16):
                sync_step(number)

    threads = [threading.Thread(target=run, args=(thread,)) for thread in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    session.close()


def steps_in_tasks(port: int, steps: int, tasks: int) -> None:
    """Whole steps in tasks of one loop, an execution each."""
    session = open_session(port)

    async def run(task: int) -> None:
        driving = make_driving(session, task)
        with session.active(driving), driving.open_root().entered():
            for number in range(steps // tasks):
                await async_step(number)

    async def main() -> None:
        await asyncio.gather(*(run(task) for task in range(tasks)))

    asyncio.run(main())
    session.close()


def http_client(port: int, steps: int) -> None:
    """The standard library's client, one after the other."""
    connection, lease = http.client.HTTPConnection("127.0.0.1", port), make_lease()
    for number in range(steps):
        connection.request("POST", "/v1/writes", body_of(lease, number), {"content-type": "application/json"})
        json.loads(connection.getresponse().read())
    connection.close()


def httpx_sync(port: int, steps: int) -> None:
    """httpx, one after the other."""
    lease = make_lease()
    with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        for number in range(steps):
            client.post("/v1/writes", content=body_of(lease, number)).json()


def httpx_in_tasks(port: int, steps: int) -> None:
    """httpx, 16 tasks."""

    async def main() -> None:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:

            async def run(task: int) -> None:
                lease = make_lease(task)
                for number in range(steps // 16):
                    (await client.post("/v1/writes", content=body_of(lease, number))).json()

            await asyncio.gather(*(run(task) for task in range(16)))

    asyncio.run(main())


WAYS: dict[str, Callable[[int, int], None]] = {
    "whole step, alone": steps_alone,
    "whole step, 16 threads": steps_in_threads,
    "whole step, 1 task": lambda port, steps: steps_in_tasks(port, steps, 1),
    "whole step, 16 tasks": lambda port, steps: steps_in_tasks(port, steps, 16),
    "whole step, 64 tasks": lambda port, steps: steps_in_tasks(port, steps, 64),
    "ours, alone": ours_alone,
    "ours, 16 threads": ours_in_threads,
    "ours, 1 task": lambda port, steps: ours_in_tasks(port, steps, 1),
    "ours, 16 tasks": lambda port, steps: ours_in_tasks(port, steps, 16),
    "ours, 64 tasks": lambda port, steps: ours_in_tasks(port, steps, 64),
    "http.client, alone": http_client,
    "httpx, alone": httpx_sync,
    "httpx, 16 tasks": httpx_in_tasks,
}


def cpu_s() -> float:
    """Return the CPU time of this process so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def measure_way(way: Callable[[int, int], None], port: int, steps: int) -> float:
    """Return the CPU microseconds per step of one way."""
    way(port, 64)
    before_s = cpu_s()
    way(port, steps)
    return (cpu_s() - before_s) / steps * 1e6


def measure(options: Options) -> list[Row]:
    """Take every way, in turn."""
    steps = int(options.choose(STEPS, 192))
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        rounds = Rounds()
        rounds.run(
            options.rounds,
            {
                name: partial(measure_way, way, port, steps // (5 if name.startswith("httpx") else 1))
                for name, way in WAYS.items()
            },
        )
        server.kill()
    figures = {name: rounds.figure(name) for name in WAYS}
    return [
        Row(
            name="sdk_cpu",
            what="CPU of the client's process per recorded step",
            unit="µs",
            figures=list(figures.values()),
            goals=[Goal(name, figures[name].value, limit, unit=" µs") for name, limit in GOALS_US.items()],
            bound_by="the CPU of the client's core; its server answers a constant",
        )
    ]


if __name__ == "__main__":
    run_module(measure, __doc__)
