"""A server before and after 100,000 executions, 5,000 of them failed: memory, and pages of open failures.

    python -m benchmarks.hundred_thousand [--json] [--rounds 3] [--quick]

The executions are started and ended over HTTP like any others; every failure is one of its own kind, so the
inbox has 5,000 open entries. Pages hold five of them: page 1,000 is the last.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.load import DIGEST, Connection, Exchange
from benchmarks.processes import TIMEOUT_S, Server, open_server
from benchmarks.rows import Figure, Goal, Options, Row, figure_of, progress, run_module

EXECUTIONS, FAILURES = 100_000, 5_000
CONNECTIONS = 64
GROUPS = 64  # executions that are ended by one request
PAGE_SIZE = 5
CALLS = 40


def measure(options: Options) -> list[Row]:
    """Fill one server, look at its memory before and after, then turn its pages."""
    executions, failures = int(options.choose(EXECUTIONS, 200)), int(options.choose(FAILURES, 50))
    with open_server() as server:
        at_rest_mib = resident_mib(server.pid)
        seconds = fill(server, executions, failures)
        after_mib = resident_mib(server.pid)
        first_ms, last_ms, pages = turn_pages(server, failures // PAGE_SIZE)
    progress(f"  {executions} executions in {seconds:.0f} s")
    return [
        Row(
            name="memory",
            what=f"memory of the server's process, at rest and after {executions:,} executions",
            unit="MiB",
            figures=[Figure("Omium", at_rest_mib), Figure("Omium, after", after_mib)],
            goals=[
                Goal("at rest", at_rest_mib, 80, unit=" MiB"),
                Goal("after", after_mib, 120, unit=" MiB"),
            ],
            bound_by="what is imported; SQLite's caches and the allocator's arenas grow to a plateau",
        ),
        Row(
            name="open_failures",
            what=f"page of open failures, {executions:,} executions, {failures:,} failures",
            unit="ms",
            figures=[figure_of("Omium", first_ms), figure_of(f"Omium, page {pages:,}", last_ms)],
            goals=[
                Goal("first page", sorted(first_ms)[len(first_ms) // 2], 15, unit=" ms"),
                Goal(f"page {pages:,}", sorted(last_ms)[len(last_ms) // 2], 15, unit=" ms"),
            ],
            bound_by="the way of a request; the page is one walk of an index, wherever it begins",
        ),
    ]


def resident_mib(pid: int) -> float:
    """Return how much memory a process occupies."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def fill(server: Server, executions: int, failures: int) -> float:
    """Start and end `executions`, so that `failures` of them fail; returns how many seconds that took."""
    started_s = time.perf_counter()
    asyncio.run(_fill(server, executions, max(1, executions // failures)))
    return time.perf_counter() - started_s


async def _fill(server: Server, executions: int, failing_every: int) -> None:
    numbers = iter(range(executions))
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(
            lambda: Connection(_life_of_executions(server, numbers, failing_every)), "127.0.0.1", server.port
        )
        for _ in range(CONNECTIONS)
    ]
    await asyncio.gather(*(connection.done for _, connection in made))
    for transport, _ in made:
        transport.close()


def _life_of_executions(server: Server, numbers: Iterator[int], failing_every: int) -> Exchange:
    """Start executions one after the other; end them when there are enough for one request."""
    groups: list[dict[str, object]] = []
    for number in numbers:
        token = os.urandom(16).hex()
        answer = yield request(
            server,
            "/v1/executions",
            {"workflow": "report", "driver": "local", "input": {"number": number}, "input_digest": DIGEST}
            | {"lease_token": token},
        )
        group = {"execution_id": json.loads(answer)["execution"]["id"], "epoch": 1, "lease_token": token}
        groups.append(group | {"writes": [_end_of(number, failed=number % failing_every == 0)]})
        if len(groups) == GROUPS:
            yield request(server, "/v1/writes", {"groups": groups})
            groups = []
    if groups:
        yield request(server, "/v1/writes", {"groups": groups})


def _end_of(number: int, *, failed: bool) -> dict[str, object]:
    if not failed:
        return {"type": "execution.completed", "output": {"text": "done"}}
    error = {"type": f"Error{number}x", "message": "it did not work", "module": "report"}
    return {"type": "execution.failed", "error": error}


def request(server: Server, path: str, body: object) -> bytes:
    """Return a whole POST."""
    data = json.dumps(body).encode()
    return (
        b"POST %b HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        b"authorization: Bearer %b\r\nidempotency-key: %b\r\ncontent-length: %d\r\n\r\n%b"
    ) % (path.encode(), server.api_key.encode(), os.urandom(8).hex().encode(), len(data), data)


def turn_pages(server: Server, pages: int) -> tuple[list[float], list[float], int]:
    """Return milliseconds of asking for the first and for the last page, and how many there are."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT_S)
    headers = {"authorization": f"Bearer {server.api_key}"}
    first = f"/v1/failures?status=open&limit={PAGE_SIZE}"

    def ask(path: str) -> tuple[float, dict[str, object]]:
        started_s = time.perf_counter()
        connection.request("GET", path, headers=headers)
        reply = connection.getresponse()
        text = reply.read()
        took_ms = (time.perf_counter() - started_s) * 1000
        assert reply.status == 200, text
        found: dict[str, object] = json.loads(text)
        return took_ms, found

    last, turned = first, 1
    _, page = ask(first)
    while (cursor := page.get("next")) is not None and turned < pages:
        last, turned = f"{first}&after={cursor}", turned + 1
        _, page = ask(last)
    assert turned == pages, f"there are {turned} pages, not {pages}"
    times = [(ask(first)[0], ask(last)[0]) for _ in range(CALLS)]
    connection.close()
    return [each for each, _ in times], [each for _, each in times], turned


if __name__ == "__main__":
    run_module(measure, __doc__)
