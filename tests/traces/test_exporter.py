"""What Omium ran is told to a collector: once it ended, at least once, under ids that a repeat has again."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from structlog.testing import capture_logs

from omium.errors import ConfigError
from omium.server.outbound.http import SendFailed
from omium.server.settings import ServerSettings
from omium.server.traces import exporter as exporting
from omium.server.traces.exporter import Exporter
from omium.server.traces.outgoing import span_id_of
from omium.server.traces.protobuf import write_reply
from tests.traces.spans import S, kind, send
from tests.web.walk import DIGEST, TOKEN, group, step_write


@contextmanager
def collector(status=200, port=0, reply=b""):
    """A collector on loopback; yields its port and what it was told."""
    told = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            told.append((self.path, self.headers["x-key"], ExportTraceServiceRequest.FromString(body)))
            self.send_response(status)
            self.send_header("content-length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server.server_port, told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def exporter_to(app, port):
    settings = ServerSettings(
        data=app.server.settings.data,
        otlp_export_endpoint=f"http://127.0.0.1:{port}/",
        otlp_export_headers=("X-Key=a%2C%20b",),
    )
    exporter = Exporter.load(settings, app.server.db)
    assert exporter is not None
    return exporter


async def run(app, *, fails=False):
    start = {"workflow": "report", "driver": "local", "input_digest": DIGEST, "lease_token": TOKEN}
    made = await app.post_keyed("/v1/executions", start)
    execution_id = made.json()["execution"]["id"]
    used = {"id": f"u-{execution_id}", "at_us": 5, "provider": "openai", "model": "m", "input_tokens": 7}
    used["cache_write_tokens"] = 3
    used["path"] = "outline/draft"
    wrong = {"type": "ValueError", "message": "no ink"}
    outer = {"type": "step.completed", "output": 1} | step_write("outline")
    inner = {"type": "step.completed", "output": 2, "usage": [used]} | step_write("outline/draft")
    end = {"type": "execution.completed", "output": None}
    if fails:
        end = {"type": "execution.failed", "path": "outline", "error": wrong}
    answer = await app.post("/v1/writes", json={"groups": [group(execution_id, outer, inner, end)]})
    assert answer.status_code == 200, answer.text
    app.clock.advance(seconds=10)
    return execution_id


def spans_of(told):
    return {span.name: span for span in told[2].resource_spans[0].scope_spans[0].spans}


def said(span):
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}


async def test_an_execution_is_told_with_its_steps_errors_and_tokens(each_app_client):
    app = each_app_client
    with collector() as (port, told):
        exporter = exporter_to(app, port)
        await exporter.run_once()  # what ended before is not told
        completed = await run(app)
        failed = await run(app, fails=True)
        await send(app, [S(1, 0, "agent", attributes=kind("AGENT"))])  # what was observed is not sent on
        app.clock.advance(seconds=30)
        assert await exporter.run_once() == 2
        assert await exporter.run_once() == 0
    assert [(path, key) for path, key, _ in told] == [("/v1/traces", "a, b")] * 2
    spans = spans_of(told[0])
    assert set(spans) == {"report", "outline", "outline/draft"}
    root, outer, inner = spans["report"], spans["outline"], spans["outline/draft"]
    assert said(root)["omium.execution.id"] == completed
    assert (root.parent_span_id, outer.parent_span_id, inner.parent_span_id) == (
        b"",
        root.span_id,
        outer.span_id,
    )
    assert said(inner)["gen_ai.usage.input_tokens"] == 7
    assert said(inner)["gen_ai.usage.cache_creation.input_tokens"] == 3
    broken = spans_of(told[1])["report"]
    assert (broken.status.code, broken.status.message, said(broken)["error.type"]) == (
        2,
        "no ink",
        "ValueError",
    )
    assert broken.span_id == span_id_of(failed, "")


async def test_a_collector_that_was_away_is_told_everything_later_and_after_a_restart(app_client):
    app = app_client
    with collector(status=503) as (port, told):
        await exporter_to(app, port).run_once()
        await run(app)
        for _ in range(2):
            with pytest.raises(SendFailed):
                await exporter_to(app, port).run_once()
        assert told[0][2] == told[1][2], "a repeat has the same ids"
    with pytest.raises(SendFailed):
        await exporter_to(app, port).run_once()
    with collector(port=port) as (_, again):
        await exporter_to(app, port).run_once()  # another process: how far it was is in the database
    assert [each[2] for each in again] == [told[0][2]]


async def test_what_a_collector_calls_wrong_does_not_hold_up_the_others(app_client):
    app = app_client
    with collector(status=400) as (port, told):
        exporter = exporter_to(app, port)
        await exporter.run_once()
        await run(app)
        assert await exporter.run_once() == 1
        assert await exporter.run_once() == 0
        assert len(told) == 1


@pytest.mark.parametrize(
    ("refused", "said", "logged"),
    [
        (2, "no\x1b room", ["a collector refuses spans"] * 2),
        (0, "this form is old", ["a collector warns"]),
        (0, "", []),
    ],
)
async def test_what_a_collector_takes_in_part_is_logged_and_not_sent_again(app_client, refused, said, logged):
    app = app_client
    with collector(reply=write_reply(refused, said)) as (port, told):
        exporter = exporter_to(app, port)
        await exporter.run_once()
        for _ in range(2):
            await run(app)
        with capture_logs() as lines:
            assert [await exporter.run_once(), await exporter.run_once()] == [2, 0]
    assert len(told) == 2
    assert [line["event"] for line in lines if "collector" in line["event"]] == logged
    assert {line["said"] for line in lines if "said" in line} <= {said.replace("\x1b", "")}


async def test_a_reply_that_is_no_otlp_says_nothing(app_client):
    with collector(reply=b'{"partialSuccess": {}}') as (port, told):
        exporter = exporter_to(app_client, port)
        await exporter.run_once()
        await run(app_client)
        assert await exporter.run_once() == 1
    assert len(told) == 1


@pytest.mark.parametrize(
    ("endpoint", "headers"),
    [
        ("collector:4318", ()),
        ("http://u:p@x", ()),
        ("http://x:99999", ()),
        ("http://x", ("a",)),
        ("http://x", ("a=%0Ab",)),
        ("http://x", ("host=b",)),
    ],
)
def test_a_collector_that_cannot_be_is_refused_at_the_start(tmp_path, endpoint, headers):
    settings = ServerSettings(data=tmp_path, otlp_export_endpoint=endpoint, otlp_export_headers=headers)
    with pytest.raises(ConfigError, match="OMIUM_OTLP_EXPORT"):
        Exporter.load(settings, None)


async def test_a_long_backlog_is_told_page_by_page_across_the_gaps_in_it(app_client, monkeypatch):
    app = app_client
    monkeypatch.setattr(exporting, "PAGE_ROWS", 2)
    with collector() as (port, told):
        exporter = exporter_to(app, port)
        await exporter.run_once()
        ended = []
        for pause_s in (1, 1, 1, 86_400, 3_000_000, 1, 1):
            app.clock.advance(seconds=pause_s)
            ended.append(await run(app))
        app.clock.advance(seconds=10**6)
        assert [await exporter.run_once() for _ in range(5)] == [2, 2, 2, 1, 0]
    assert [said(spans_of(each)["report"])["omium.execution.id"] for each in told] == ended


async def test_steps_that_are_too_many_are_said_to_be_cut(app_client, monkeypatch):
    app = app_client
    monkeypatch.setattr(exporting, "STEPS_MAX", 1)
    with collector() as (port, told):
        exporter = exporter_to(app, port)
        await exporter.run_once()
        await run(app)
        await exporter.run_once()
    spans = spans_of(told[0])
    assert set(spans) == {"report", "outline"}
    assert said(spans["report"])["omium.steps.cut_after"] == 1
