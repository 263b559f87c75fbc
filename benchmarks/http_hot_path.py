"""One durable write by HTTP, as a share of a constant answer by Starlette under the same uvicorn.

    python benchmarks/http_hot_path.py [--json] [--rounds 3] [--connections 64] [--seconds 3]

Both servers run alone in a process with uvloop and httptools; the load comes from a third process that
speaks plain HTTP over `--connections` sockets. Rounds alternate, the medians are compared. Bound by the CPU
of one core for the server; the load generator takes the other.
"""

# ruff: noqa: PLC0415  # each server imports what it needs and nothing of the other

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import uvloop

BODY = json.dumps({"name": "step", "output": "x" * 560}).encode()


def serve_constant(listener: socket.socket) -> None:
    """A constant JSON answer through Starlette's router."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    async def constant(request: Request) -> Response:
        await request.body()
        return Response(b'{"ok":true}', media_type="application/json")

    app = Starlette(routes=[Route("/v1/things/{thing_id}/parts", constant, methods=["POST"])])
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
    )
    uvloop.run(uvicorn.Server(config).serve(sockets=[listener]))


def serve_omium(listener: socket.socket, data: Path) -> None:
    """The whole way: limits, key, JSON, model, one transaction with four statements, stored reply."""
    from pydantic import BaseModel

    from omium.server.app import open_app
    from omium.server.db.tx import Sql, Tx
    from omium.server.serve import Server
    from omium.server.settings import ServerSettings
    from omium.server.store import tenants
    from omium.server.web import accounts
    from omium.server.web.dispatch import Application
    from omium.server.web.endpoint import Call, Idempotency, endpoint
    from omium.server.web.protocol import ConnectionGuard
    from omium.states import Environment, Scope

    class Part(BaseModel):
        name: str
        output: str

    class Saved(BaseModel):
        seq: int

    find = Sql("SELECT created_us FROM tenants WHERE id = :id")
    update = Sql("UPDATE tenants SET settings = :settings WHERE id = :id")
    insert = Sql("""
        INSERT INTO idempotency_records
               (tenant_id, principal_id, endpoint, key, body_digest, status, reply, created_us)
        VALUES (:tenant_id, 'bench', 'bench', :key, '', 200, :reply, :now_us)
    """)
    tail = Sql("SELECT name FROM tenants WHERE id = :id")

    @endpoint(
        "POST",
        "/v1/things/{thing_id}/parts",
        scope=Scope.RUN,
        idempotent=Idempotency.NATURAL,
        body=Part,
        reply=Saved,
        summary="Save a part",
    )
    async def save_part(call: Call[Part]) -> Saved:
        tenant_id, output = call.principal.tenant_id, call.body.output.encode()

        def work(tx: Tx) -> Saved:
            tx.value(find, id=tenant_id)
            tx.execute(update, id=tenant_id, settings=b"{}")
            tx.execute(insert, tenant_id=tenant_id, key=tx.new_id("x"), reply=output, now_us=tx.now_us)
            tx.value(tail, id=tenant_id)
            return Saved(seq=1)

        return await call.write(work)

    async def main() -> None:
        settings = ServerSettings(data=data, requests_per_key_per_s=1e6, requests_per_tenant_per_s=1e6)
        async with open_app(settings) as opened:
            server = opened.server
            made = accounts.make_key(server.key_file, Environment.DEV, server.clock.now_us())

            def begin(tx: Tx) -> None:
                tenant = tenants.insert_tenant(tx, "bench")
                accounts.insert_key(
                    tx,
                    made,
                    tenant,
                    name="b",
                    scopes=[Scope.RUN],
                    workflows=None,
                    expires_us=None,
                    created_by=None,
                )

            await server.db.write(begin)
            (data / "token").write_text(made.parts.token)
            app = Application(server, [save_part])
            guard = ConnectionGuard(settings, server.clock, server.metrics)
            await Server(app, guard, None, listener).serve(sockets=[listener])

    uvloop.run(main())


class Connection(asyncio.Protocol):
    """Sends the same request again as soon as the answer is complete."""

    def __init__(self, request: bytes, latencies: list[float]) -> None:
        self.request, self.latencies = request, latencies
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with the first request."""
        self.transport = transport
        self.send()

    def send(self) -> None:
        """Send the request and note when."""
        self.sent_s = time.perf_counter()
        self.transport.write(self.request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        """Collect the answer; when it is whole, ask again."""
        self.buffer += data
        head, separator, rest = self.buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(rest) < length:
            return
        if b" 200 " not in head[:16]:
            raise SystemExit(f"unexpected answer: {self.buffer!r}")
        self.latencies.append(time.perf_counter() - self.sent_s)
        self.buffer = b""
        self.send()


def cpu_s(pid: int) -> float:
    """Return the CPU time that a process has used, all its threads together."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def load(
    port: int, pid: int, connections: int, seconds: float, token: str
) -> tuple[float, float, float]:
    """Return requests per second, the 99th percentile in ms, and the server's CPU per request in µs."""
    request = (
        b"POST /v1/things/ex_01k9/parts HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        b"authorization: Bearer %s\r\nuser-agent: bench\r\ncontent-length: %d\r\n\r\n"
        % (token.encode(), len(BODY))
    ) + BODY
    loop, latencies = asyncio.get_running_loop(), list[float]()
    made = [
        await loop.create_connection(lambda: Connection(request, latencies), "127.0.0.1", port)
        for _ in range(connections)
    ]
    await asyncio.sleep(0.5)  # warm up: caches, the key's row, the log file
    latencies.clear()
    started_s, started_cpu_s = time.perf_counter(), cpu_s(pid)
    await asyncio.sleep(seconds)
    rate = len(latencies) / (time.perf_counter() - started_s)
    cpu_us = (cpu_s(pid) - started_cpu_s) / len(latencies) * 1e6
    p99_ms = statistics.quantiles(latencies, n=100)[98] * 1000
    for transport, _ in made:
        transport.abort()
    return rate, p99_ms, cpu_us


def measure(kind: str, connections: int, seconds: float) -> tuple[float, float, float]:
    """Start the server `kind` in a process of its own, load it, end it."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        process = subprocess.Popen(
            [sys.executable, __file__, "--serve", kind, "--fd", str(listener.fileno()), "--data", str(data)],
            pass_fds=[listener.fileno()],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        listener.close()
        try:
            for _ in range(200):
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except OSError:
                    time.sleep(0.05)
            token = (data / "token").read_text() if kind == "omium" else "x"
            return uvloop.run(load(port, process.pid, connections, seconds, token))
        finally:
            process.terminate()
            process.wait()


def main() -> None:
    """Measure, or be one of the servers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--serve", choices=["omium", "constant"])
    parser.add_argument("--fd", type=int)
    parser.add_argument("--data", type=Path)
    chosen = parser.parse_args()
    if chosen.serve:
        listener = socket.socket(fileno=chosen.fd)
        if chosen.serve == "omium":
            serve_omium(listener, chosen.data)
        else:
            serve_constant(listener)
        return
    results: dict[str, list[tuple[float, float, float]]] = {"constant": [], "omium": []}
    for _ in range(chosen.rounds):
        for kind, found in results.items():
            found.append(measure(kind, chosen.connections, chosen.seconds))
    rates = {kind: statistics.median(rate for rate, _, _ in found) for kind, found in results.items()}
    summary = {
        "connections": chosen.connections,
        "constant_per_s": round(rates["constant"]),
        "omium_per_s": round(rates["omium"]),
        "ratio": round(rates["omium"] / rates["constant"], 3),
        "omium_p99_ms": round(statistics.median(p99 for _, p99, _ in results["omium"]), 1),
        "cpu_us_per_request": {
            kind: round(statistics.median(cpu_us for _, _, cpu_us in found))
            for kind, found in results.items()
        },
        "spread": {kind: [round(rate) for rate, _, _ in found] for kind, found in results.items()},
        "cpus": os.cpu_count(),
    }
    if chosen.json:
        print(json.dumps(summary))
    else:
        print(f"constant {summary['constant_per_s']}/s, durable write {summary['omium_per_s']}/s")
        print(f"CPU per request {summary['cpu_us_per_request']} µs")
        print(f"ratio {summary['ratio']}, p99 {summary['omium_p99_ms']} ms, spread {summary['spread']}")


if __name__ == "__main__":
    main()
