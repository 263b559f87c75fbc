"""Load: connections that send the next request as soon as an answer is complete, and the constant server.

Owns the plain HTTP client (no library's own cost in the figures) and what stands beside Omium in rows about
HTTP: a constant answer through Starlette's router under the same uvicorn, uvloop and httptools.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import uvloop

from benchmarks.processes import ROOT, Server

OUTPUT = {"text": " ".join(["durable"] * 70)}
DIGEST = "0" * 64

CONSTANT = """
import sys, socket, uvicorn, uvloop
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

async def constant(request):
    await request.body()
    return Response(b'{"ok":true}', media_type="application/json")

app = Starlette(routes=[Route("/v1/writes", constant, methods=["POST"])])
config = uvicorn.Config(app, http="httptools", ws="none", lifespan="off", log_config=None, access_log=False,
                        server_header=False)
listener = socket.socket(fileno=int(sys.argv[1]))
uvloop.run(uvicorn.Server(config).serve(sockets=[listener]))
"""


Exchange = Generator[bytes, bytes, None]


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a server did under load."""

    per_s: float
    p99_ms: float
    cpu_us: float  # of the server's process, per request


class Connection(asyncio.Protocol):
    """Sends what an exchange yields, one request after the other, and hands it the body of each answer."""

    def __init__(self, exchange: Exchange, latencies: list[float] | None = None) -> None:
        self.exchange = exchange
        self.latencies: list[float] = [] if latencies is None else latencies
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with the first request."""
        self.transport = transport
        self.send(None)

    def send(self, answer: bytes | None) -> None:
        """Send the next request and note when; `done` when there is none."""
        try:
            request = next(self.exchange) if answer is None else self.exchange.send(answer)
        except StopIteration:
            self.done.set_result(None)
            return
        self.sent_s = time.perf_counter()
        self.transport.write(request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        """Collect the answer; when it is whole, go on."""
        self.buffer += data
        head, separator, rest = self.buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(rest) < length:
            return
        self.latencies.append(time.perf_counter() - self.sent_s)
        self.buffer = b""
        if b" 200 " not in head[:16] or b'"problem":{' in rest:
            self.done.set_exception(RuntimeError(f"unexpected answer: {head!r} {rest!r}"))
            return
        self.send(rest)


def make_requests(server: Server, connections: int) -> list[Exchange]:
    """Start an execution for each connection; return the endless exchanges that write its steps."""
    return [_repeat(_writer_of(server)) for _ in range(connections)]


def make_constant_requests(connections: int) -> list[Exchange]:
    """Return exchanges of requests of the same size, the same ones every time."""
    body = json.dumps({"groups": [{"writes": [{"output": OUTPUT, "filler": "x" * 320}]}]}).encode()
    request = (
        b"POST /v1/writes HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        b"authorization: Bearer x\r\nuser-agent: bench\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
    )
    return [_repeat(lambda: request) for _ in range(connections)]


def _repeat(make_request: Callable[[], bytes]) -> Exchange:
    while True:
        yield make_request()


def _writer_of(server: Server) -> Callable[[], bytes]:
    token = os.urandom(16).hex()
    grant = server.post(
        "/v1/executions",
        {"workflow": "bench", "driver": "local", "input_digest": DIGEST, "lease_token": token},
    )
    execution = grant["execution"]
    assert isinstance(execution, dict)
    numbers = itertools.count()
    step = {
        "type": "step.completed", "path": "PATH", "name": "step", "input": {"number": 1},
        "input_digest": DIGEST, "started_at_us": 1, "ended_at_us": 2, "output": OUTPUT,
    }  # fmt: skip
    group = {
        "execution_id": execution["id"],
        "epoch": grant["epoch"],
        "lease_token": grant["lease_token"],
        "writes": [step],
    }
    before, after = json.dumps({"groups": [group]}).encode().split(b"PATH")
    head = (
        b"POST /v1/writes HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        b"authorization: Bearer %b\r\nuser-agent: bench\r\ncontent-length: %d\r\n\r\n"
    ) % (server.api_key.encode(), len(before) + len(after) + 10)
    return lambda: b"%b%bs%09d%b" % (head, before, next(numbers), after)


def cpu_s(pid: int) -> float:
    """Return the CPU time that a process has used, all its threads together."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def load(
    port: int,
    pid: int,
    requests: list[Exchange],
    seconds: float,
    end: Callable[[], None] = lambda: None,
) -> Loaded:
    """Send `requests` over a connection each, for so many seconds; `end` is called in the middle of it."""
    return uvloop.run(_load(port, pid, requests, seconds, end))


async def _load(
    port: int, pid: int, requests: list[Exchange], seconds: float, end: Callable[[], None]
) -> Loaded:
    loop, latencies = asyncio.get_running_loop(), list[float]()
    made = [
        await loop.create_connection(partial(Connection, exchange, latencies), "127.0.0.1", port)
        for exchange in requests
    ]
    connections = [connection for _, connection in made]
    await _run(connections, min(0.5, seconds))  # warm up: caches, the key's row, the log file
    latencies.clear()
    started_s, started_cpu_s = time.perf_counter(), cpu_s(pid)
    await _run(connections, seconds)
    count = len(latencies)
    rate = count / (time.perf_counter() - started_s)
    cpu_us = (cpu_s(pid) - started_cpu_s) / count * 1e6
    p99_ms = statistics.quantiles(latencies, n=100)[98] * 1000
    end()
    for transport, _ in made:
        transport.abort()
    return Loaded(rate, p99_ms, cpu_us)


async def _run(connections: list[Connection], seconds: float) -> None:
    """Let the connections go on for so long, and on a busy machine until there is something to count."""
    latencies = connections[0].latencies  # the same list for all
    started_s = time.perf_counter()
    while time.perf_counter() - started_s < seconds or len(latencies) < len(connections):
        done, _ = await asyncio.wait([each.done for each in connections], timeout=min(seconds, 0.5))
        for failed in done:
            failed.result()


@contextmanager
def open_constant() -> Iterator[tuple[int, int]]:
    """Run the constant server; yields its port and its process id."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        process = subprocess.Popen(
            [sys.executable, "-c", CONSTANT, str(listener.fileno())],
            pass_fds=[listener.fileno()],
            stdout=subprocess.DEVNULL,
            cwd=ROOT,
        )
    try:
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.05)
        yield port, process.pid
    finally:
        process.kill()
        process.wait()
