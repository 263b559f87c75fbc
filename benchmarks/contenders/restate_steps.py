"""Restate: its server, its Python SDK behind hypercorn, callers over its ingress; three processes."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import restate

from benchmarks.contenders.work import RESULT, STEPS, count_threads, read_arguments

TIMEOUT_S = 60
service = restate.Service("bench")


def work() -> dict[str, str]:
    """Do nothing and return the result."""
    return RESULT


@service.handler()  # type: ignore[untyped-decorator]  # not installed where types are checked
async def chain(context: restate.Context, number: int) -> None:
    """Ten steps, one after the other."""
    for _ in range(STEPS):
        await context.run_typed("work", work)


app = restate.app(services=[service])


def choose_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(port: int) -> None:
    """Return when somebody listens."""
    for _ in range(TIMEOUT_S * 20):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(f"nobody listens on port {port}")


def start_server(program: str, folder: Path, ingress: int, admin: int) -> subprocess.Popen[bytes]:
    """Start Restate's server with its default durability."""
    environment = {
        **os.environ,
        "RESTATE_BASE_DIR": str(folder),
        "RESTATE_INGRESS__BIND_ADDRESS": f"127.0.0.1:{ingress}",
        "RESTATE_ADMIN__BIND_ADDRESS": f"127.0.0.1:{admin}",
        "RESTATE_BIND_ADDRESS": f"127.0.0.1:{choose_port()}",
        "RESTATE_LISTEN_MODE": "tcp",
        "RESTATE_DISABLE_TELEMETRY": "true",
        "RESTATE_LOG_FILTER": "warn",
        "DO_NOT_TRACK": "1",
    }
    with (folder / "restate.log").open("wb") as log:
        return subprocess.Popen(
            [program, "--node-name", "bench"], env=environment, stdout=log, stderr=log, start_new_session=True
        )


def post(port: int, path: str, body: object) -> int:
    """POST JSON and return the status."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
    reply = connection.getresponse()
    reply.read()
    connection.close()
    return reply.status


def main() -> None:
    """Start the processes, register the service, call it until the time is over."""
    asked = read_arguments()
    ingress, admin, served = choose_port(), choose_port(), choose_port()
    with ExitStack() as stack:
        server = start_server(asked.server, asked.folder, ingress, admin)
        stack.callback(lambda: os.killpg(server.pid, signal.SIGKILL))
        service_process = subprocess.Popen(
            [sys.executable, "-m", "hypercorn", "--bind", f"127.0.0.1:{served}", f"{__spec__.name}:app"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        stack.callback(service_process.kill)
        wait_for(served)
        wait_for(admin)
        wait_for(ingress)
        for _ in range(TIMEOUT_S):
            if post(admin, "/deployments", {"uri": f"http://127.0.0.1:{served}"}) == 201:
                break
            time.sleep(1)
        callers = [
            http.client.HTTPConnection("127.0.0.1", ingress, timeout=TIMEOUT_S) for _ in range(asked.at_once)
        ]
        free = list(callers)

        def call() -> None:
            connection = free.pop()
            connection.request("POST", "/bench/chain", "1", {"content-type": "application/json"})
            reply = connection.getresponse()
            text = reply.read()
            assert reply.status == 200, text
            free.append(connection)

        count_threads(asked.seconds, asked.at_once, call)


if __name__ == "__main__":
    main()
