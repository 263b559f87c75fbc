"""Spans over OTLP, batches of 100, stored before the answer, beside decoding them and storing the bytes.

    python -m benchmarks.otlp_ingest [--json] [--rounds 3] [--quick]

Each batch holds ten traces of ten spans, as an exporter sends them: calls of a model with what was asked and
answered. Omium is a server of its own process that is loaded over HTTP. The executions of the traces are made
meanwhile and behind: a second figure counts until the last of them is there.
The floor parses the same bytes in one process, walks their attributes and commits them, a batch each, to
SQLite with `synchronous=FULL`: no HTTP, no key, no rows, nothing understood.
"""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from benchmarks.load import Exchange, load
from benchmarks.processes import Server, open_server
from benchmarks.rows import Goal, Options, Rounds, Row, run_module
from omium.server.traces import protobuf

OMIUM, SHOWN, FLOOR = "Omium", "Omium, until they are executions", "decode and store the bytes"
BATCH, TRACE = 100, 10
CONNECTIONS = 8
PHOENIX_PER_S = 130
"""What Phoenix stored per second where this was first measured, on a machine of this size."""


def measure(options: Options) -> list[Row]:
    """Load a server and fill a file, in turn."""
    seconds = options.choose(4.0, 0.3)
    rounds = Rounds()
    shown = rounds.seen.setdefault(SHOWN, [])
    rounds.run(
        options.rounds, {OMIUM: lambda: _load_omium(seconds, shown), FLOOR: lambda: _fill_file(seconds)}
    )
    omium = rounds.figure(OMIUM)
    times = omium.value / PHOENIX_PER_S if omium.value is not None else None
    return [
        Row(
            name="otlp_ingest",
            what="spans over OTLP, batches of 100, stored before the answer",
            unit="spans/s",
            figures=[omium, rounds.figure(SHOWN), rounds.figure(FLOOR)],
            goals=[
                Goal("times the 130/s that Phoenix stores", times, 50, at_least=True),
                Goal("share of decoding and storing", rounds.ratio(OMIUM, FLOOR), 0.1, at_least=True),
            ],
            bound_by="Python around every span: its attributes, what is kept of it, its digest, its row",
            remarks=[
                "the executions are made in the same process, meanwhile and behind: the second figure",
            ],
        )
    ]


def _load_omium(seconds: float, shown: list[float]) -> float:
    """Return spans stored per second; append what it is when the time until all are shown counts, too."""
    with open_server() as server:
        requests = [_repeat(_sender_to(server)) for _ in range(CONNECTIONS)]
        began_s = time.perf_counter()
        stored_per_s = load(server.port, server.pid, requests, seconds).per_s * BATCH
        file = (server.data / "omium.sqlite").as_uri()
        with closing(sqlite3.connect(f"{file}?mode=ro", uri=True)) as connection:
            while connection.execute("SELECT 1 FROM traces WHERE due_us IS NOT NULL LIMIT 1").fetchone():
                time.sleep(0.05)
            ended_s = time.perf_counter()
            (count,) = connection.execute("SELECT COUNT(*) FROM trace_spans").fetchone()
        shown.append(count / (ended_s - began_s))
        return stored_per_s


def _fill_file(seconds: float) -> float:
    with tempfile.TemporaryDirectory() as folder:
        connection = sqlite3.connect(Path(folder) / "floor.sqlite", isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("CREATE TABLE batches (id INTEGER PRIMARY KEY, body BLOB NOT NULL)")
            count, started_s = 0, time.perf_counter()
            while time.perf_counter() - started_s < seconds:
                body = make_batch()
                count += len(list(protobuf.read_spans(body)))
                connection.execute("INSERT INTO batches (body) VALUES (?)", (body,))
            return count / (time.perf_counter() - started_s)
        finally:
            connection.close()


def _repeat(make_request: Callable[[], bytes]) -> Exchange:
    while True:
        yield make_request()


def _sender_to(server: Server) -> Callable[[], bytes]:
    head = (
        b"POST /v1/traces HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-protobuf\r\n"
        b"authorization: Bearer %b\r\nuser-agent: bench\r\ncontent-length: "
    ) % server.api_key.encode()

    def make_request() -> bytes:
        body = make_batch()
        return b"%b%d\r\n\r\n%b" % (head, len(body), body)

    return make_request


_PLACE = bytes(range(1, 17))
_ASKED = json.dumps([{"role": "user", "content": " ".join(["why do otters hold hands"] * 12)}])


def _make_template() -> list[bytes]:
    """Return a batch's bytes, cut where the trace ids stand, so that the load costs the client little."""
    now_ns = time.time_ns()
    request = ExportTraceServiceRequest(resource_spans=[ResourceSpans(scope_spans=[ScopeSpans()])])
    scope = request.resource_spans[0].scope_spans[0]
    for number in range(BATCH):
        place = number % TRACE
        said: dict[str, str | int] = {
            "gen_ai.operation.name": "chat" if place else "invoke_agent",
            "gen_ai.provider.name": "openai",
            "gen_ai.response.model": "gpt-small",
            "gen_ai.usage.input_tokens": 110,
            "gen_ai.usage.output_tokens": 23,
            "gen_ai.input.messages": _ASKED,
            "gen_ai.output.messages": _ASKED,
        }
        attributes = [
            KeyValue(
                key=name,
                value=AnyValue(int_value=each) if isinstance(each, int) else AnyValue(string_value=each),
            )
            for name, each in said.items()
        ]
        scope.spans.append(
            Span(
                trace_id=_PLACE[:15] + bytes([_PLACE[15] + number // TRACE]),
                span_id=(place + 1).to_bytes(8, "big"),
                parent_span_id=(1).to_bytes(8, "big") if place else b"",
                name="chat gpt-small",
                start_time_unix_nano=now_ns - 10**9 + place,
                end_time_unix_nano=now_ns - 10**6 + place,
                attributes=attributes,
            )
        )
    return bytes(request.SerializeToString()).split(_PLACE[:15])


_PARTS = _make_template()


def make_batch() -> bytes:
    """Return a batch of traces that nobody has sent before."""
    return os.urandom(15).join(_PARTS)


if __name__ == "__main__":
    run_module(measure, __doc__)
