"""Bodies that are no OTLP, too large, or made to hurt, are refused with a sentence and without effect."""

import asyncio
import gzip
import json
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue

from omium.clock import US_PER_S
from omium.server.store import traces as store
from omium.server.traces import ingest, reading, verify
from omium.server.traces.shower import QUIET_US, Shower
from omium.server.traces.verify import list_trace_problems
from tests.traces.spans import PROTOBUF, S, execution_id, kind, llm, request, send

JSON = "application/json"


def nested(depth):
    value = {"stringValue": "x"}
    for _ in range(depth):
        value = {"arrayValue": {"values": [value]}}
    return value


def span(**fields):
    good = {"traceId": "a" * 32, "spanId": "b" * 16, "attributes": []}
    return {"resourceSpans": [{"scopeSpans": [{"spans": [good | fields]}]}]}


HOSTILE = {
    "no protobuf": (PROTOBUF, b"\xff" * 100, {}, 400),
    "torn protobuf": (PROTOBUF, request([llm(1, 0)], 1).SerializeToString()[:-9], {}, 400),
    "no JSON": (JSON, b"{", {}, 400),
    "a list": (JSON, b"[]", {}, 400),
    "NaN": (JSON, b'{"resourceSpans": NaN}', {}, 400),
    "deep JSON": (JSON, b"[" * 100_000, {}, 400),
    "deep value": (JSON, json.dumps(span(attributes=[{"key": "a", "value": nested(40)}])).encode(), {}, 400),
    "spans that are none": (JSON, b'{"resourceSpans": [{"scopeSpans": [{"spans": [7]}]}]}', {}, 400),
    "a name that is none": (JSON, json.dumps(span(name=7)).encode(), {}, 400),
    "twice a key": (JSON, b'{"resourceSpans": [], "resourceSpans": []}', {}, 400),
    "no gzip": (PROTOBUF, b"plain", {"content-encoding": "gzip"}, 400),
    "torn gzip": (PROTOBUF, gzip.compress(bytes(1000))[:-5], {"content-encoding": "gzip"}, 400),
    "a bomb": (PROTOBUF, gzip.compress(bytes(20 * 2**20)), {"content-encoding": "gzip"}, 413),
    "a bomb of zlib": (JSON, zlib.compress(b" " * 2**22), {"content-encoding": "deflate"}, 413),
    "another encoding": (PROTOBUF, b"x", {"content-encoding": "zstd"}, 415),
    "another type": ("text/plain", b"x", {}, 415),
    "no type": ("", b"x", {}, 415),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_it_is_refused(app_client, name):
    media_type, body, headers, status = HOSTILE[name]
    answer = await app_client.post("/v1/traces", content=body, headers={"content-type": media_type} | headers)
    assert answer.status_code == status, answer.text
    assert answer.json()["detail"]
    assert await app_client.server.db.read(lambda tx: store.list_traces(tx, "", 10)) == []


async def test_an_empty_request_is_a_good_one(app_client):
    for media_type, body in ((PROTOBUF, b""), (JSON, b"{}")):
        answer = await app_client.post("/v1/traces", content=body, headers={"content-type": media_type})
        assert answer.status_code == 200


async def test_strange_text_is_cleaned_and_stored_on_each_database(each_app_client):
    app = each_app_client
    strange = "a\x00b\u202e\x1b[31m" + "ü" * 500
    answer = await send(
        app, [llm(1, 0, name=strange, attributes={"gen_ai.prompt": strange, "gen_ai.system": strange})]
    )
    assert answer.partial_success.rejected_spans == 0
    (row,) = await app.server.db.read(lambda tx: store.list_traces(tx, "", 10))
    (kept,) = await app.server.db.read(lambda tx: store.list_spans(tx, row.execution_id))
    assert b"\\u0000" not in kept.body
    assert b"\x1b" not in kept.body.split(b'"name"')[1].split(b",")[0]


async def test_a_deep_value_of_protobuf_is_cut(app_client):
    value = AnyValue(string_value="x")
    for _ in range(30):
        value = AnyValue(array_value=ArrayValue(values=[value]))
    made = request([llm(1, 0)], app_client.clock.now_us() - 1_000_000)
    made.resource_spans[0].scope_spans[0].spans[0].attributes.append(
        KeyValue(key="gen_ai.prompt", value=value)
    )
    headers = {"content-type": PROTOBUF}
    answer = await app_client.post("/v1/traces", content=made.SerializeToString(), headers=headers)
    assert answer.status_code == 200


async def test_a_trace_has_no_more_spans_than_allowed(app_client, monkeypatch):
    monkeypatch.setattr(ingest, "TRACE_SPANS_MAX", 3)
    answer = await send(app_client, [S(number) for number in range(1, 6)])
    assert answer.partial_success.rejected_spans == 2
    answer = await send(app_client, [S(1), S(9)])  # what is known already has room
    assert answer.partial_success.rejected_spans == 1


async def test_the_execution_says_how_many_of_its_spans_were_refused(each_app_client, monkeypatch):
    app = each_app_client
    for module in (ingest, verify):
        monkeypatch.setattr(module, "TRACE_SPANS_MAX", 3)
    at_us = app.clock.now_us() - 1_000_000

    async def refused():
        app.clock.advance(seconds=11)
        await Shower(app.server.engine).run_once()
        assert await list_trace_problems(app.server.db) == []
        shown = (await app.get(f"/v1/executions/{execution_id(app)}")).json()
        return shown["refused_spans"], shown["usage"]["calls"]

    await send(app, [llm(number, 0) for number in range(1, 3)], at_us=at_us)
    assert await refused() == (0, 2)
    await send(app, [llm(number, 0) for number in range(2, 6)], at_us=at_us)
    assert await refused() == (2, 3)
    before, *_ = await read_trace(app)
    await send(app, [llm(9, 0), llm(10, 0)], at_us=at_us)  # nothing of it is kept, so nothing is made anew
    after, *_ = await read_trace(app)
    assert (after.revision, after.due_us) == (before.revision, before.due_us)
    assert await refused() == (4, 3)
    await send(app, [llm(1, 0, end_ms=200), llm(11, 0)], at_us=at_us)  # what is known changes beside it
    assert await refused() == (5, 3)


async def test_a_trace_that_is_refused_spans_still_goes_on(app_client, monkeypatch):
    monkeypatch.setattr(ingest, "TRACE_SPANS_MAX", 2)
    await send(app_client, [llm(1, 9), llm(2, 9)])
    app_client.clock.advance(seconds=QUIET_US // US_PER_S - 1)
    await send(app_client, [llm(3, 9)])
    app_client.clock.advance(seconds=2)
    await Shower(app_client.server.engine).run_once()
    shown = (await app_client.get(f"/v1/executions/{execution_id(app_client)}")).json()
    assert (shown["status"], shown["refused_spans"]) == ("running", 1)


async def read_trace(app):
    (row,) = await app.server.db.read(lambda tx: store.list_traces(tx, "", 10))
    kept = await app.server.db.read(lambda tx: store.list_spans(tx, row.execution_id))
    return (
        row,
        {each.span_id[-1]: json.loads(each.body) for each in kept},
        sum(len(each.body) for each in kept),
    )


async def test_a_trace_keeps_no_more_bytes_than_allowed_and_counts_all_tokens(each_app_client, monkeypatch):
    app = each_app_client
    monkeypatch.setattr(ingest, "TRACE_BYTES_MAX", 10_000)
    at_us = app.clock.now_us() - 1_000_000
    long = {"gen_ai.prompt": "x" * 4_000, "gen_ai.completion": "y"}
    spans = [S(1, 0, "agent", attributes=kind("AGENT"))]
    spans += [llm(number, 1, (10, 5), attributes=long) for number in range(2, 6)]
    fitting = await send(app, spans[:3], at_us=at_us)
    assert fitting.partial_success.error_message == ""
    flagged = await send(app, spans, at_us=at_us)
    assert (flagged.partial_success.rejected_spans, flagged.partial_success.error_message) == (
        0,
        f"2 flagged: {ingest.LEFT_OUT}",
    )
    row, kept, size_bytes = await read_trace(app)
    assert size_bytes < row.kept_bytes + 1 <= 10_000
    assert [len(kept[each].get("input", "")) for each in "2345"] == [4_000, 4_000, 0, 0]
    assert [kept[each]["input_tokens"] for each in "2345"] == [10] * 4
    assert kept["5"]["flags"] == [ingest.LEFT_OUT]

    await send(app, spans, at_us=at_us)  # a repeat finds the same, with its contents or without
    assert await read_trace(app) == (row, kept, size_bytes)
    longer = [
        llm(number, 1, end_ms=200, attributes=long | {"gen_ai.completion": "z" * 9_000})
        for number in range(2, 6)
    ]
    await send(app, longer, at_us=at_us)  # what replaces a span has no more room than the span had
    row, kept, size_bytes = await read_trace(app)
    assert size_bytes <= row.kept_bytes <= 10_000


async def test_a_repeat_of_what_is_kept_changes_nothing_where_there_is_no_room_any_more(
    app_client, monkeypatch
):
    at_us = app_client.clock.now_us() - 1_000_000
    spans = [llm(number, 0, attributes={"gen_ai.prompt": f"hello {number}"}) for number in range(1, 9)]
    await send(app_client, spans, at_us=at_us)
    before = await read_trace(app_client)
    monkeypatch.setattr(ingest, "TRACE_BYTES_MAX", 0)
    answer = await send(app_client, spans, at_us=at_us)
    assert answer.partial_success.error_message == ""
    assert await read_trace(app_client) == before


async def test_contents_that_were_left_out_are_not_shown_and_tracebacks_neither(app_client, monkeypatch):
    monkeypatch.setattr(ingest, "TRACE_BYTES_MAX", 0)
    exception = {"type": "ValueError", "message": "no ink", "stacktrace": "Traceback\n" * 100}
    await send(app_client, [llm(1, 0, attributes={"gen_ai.prompt": "hello"}, exception=exception)])
    _, kept, _ = await read_trace(app_client)
    assert kept["1"]["error"] == {"type": "ValueError", "message": "no ink"}
    assert "input" not in kept["1"]


async def test_a_large_value_is_cut(app_client):
    large = json.dumps([{"role": "user", "content": "x" * 100_000}] * 20)
    await send(app_client, [llm(1, 0, attributes={"gen_ai.input.messages": large}, error="e" * 100_000)])
    (row,) = await app_client.server.db.read(lambda tx: store.list_traces(tx, "", 10))
    (kept,) = await app_client.server.db.read(lambda tx: store.list_spans(tx, row.execution_id))
    assert len(kept.body) < 80_000


async def test_what_follows_the_end_of_a_zipped_body_is_not_lost_in_silence(app_client):
    spans = [request([llm(number, 0)], 1).SerializeToString() for number in (1, 2)]
    body = b"".join(gzip.compress(each) for each in spans)
    headers = {"content-type": PROTOBUF, "content-encoding": "gzip"}
    answer = await app_client.post("/v1/traces", content=body, headers=headers)
    assert answer.status_code == 400, answer.text
    assert "one member" in answer.json()["detail"]


class Counting(ThreadPoolExecutor):
    """Counts what is done on its threads."""

    done = 0

    def submit(self, *args, **kwargs):
        self.done += 1
        return super().submit(*args, **kwargs)


async def test_a_small_body_that_inflates_much_is_read_on_another_thread(app_client):
    asyncio.get_running_loop().set_default_executor(threads := Counting())
    sent = [llm(number, 0, attributes={"gen_ai.prompt": "tea " * 400}) for number in range(1, 400)]
    await send(app_client, sent[:2], zipped=True)
    before = threads.done
    await send(app_client, sent[2:4], zipped=True)
    small = threads.done - before
    await send(app_client, sent, zipped=True)  # a prompt that all calls repeat: more than 50:1
    assert threads.done - before - small > small


def test_finding_what_a_full_trace_has_room_for_looks_at_each_span_once():
    class Row:
        def __init__(self, span_id):
            self.span_id = span_id

        def __eq__(self, other):
            raise AssertionError("spans are told apart by their ids")

        __hash__ = None

    rows = [Row(f"{number:016x}") for number in (*range(1, 10_001), 1)]
    known = {row.span_id for row in rows[:4_000]}
    fitting, refused = ingest._fit(rows, known)
    assert (len(fitting), refused) == (5_001, 5_000)


@pytest.mark.parametrize("cost", [1e305, float("inf"), float("nan"), -1.0])
async def test_a_cost_that_cannot_be_is_left_out_and_said(app_client, cost):
    answer = await send(app_client, [llm(1, 0, attributes={"llm.cost.total": cost})])
    assert answer.partial_success.rejected_spans == 0
    assert "its cost is" in answer.partial_success.error_message


def test_names_are_kept_at_hand_only_as_long_as_they_may_be():
    reading._clean_name.cache_clear()
    name = reading.clean_name("n" * 10**6 + "end")
    assert reading.clean_name("n" * 10**6 + "another end") == name
    assert reading._clean_name.cache_info().currsize == 1, "what is cut off is no part of the key"


async def kept_of(app):
    (row,) = await app.server.db.read(lambda tx: store.list_traces(tx, "", 10))
    (kept,) = await app.server.db.read(lambda tx: store.list_spans(tx, row.execution_id))
    return json.loads(kept.body)


NAMED = "correct-horse-battery-staple"
TOO_LONG = {
    "a prompt": ({"gen_ai.prompt": f"{'x' * (8 * 2**10 - 12)}{NAMED}{'x' * 40_000}"}, {}),
    "a list": ({"gen_ai.input.messages": json.dumps([NAMED] * 2_000)}, {}),
    "an error": ({}, {"error": f"{'e' * 2_036}{NAMED}"}),
    "a traceback": ({}, {"exception": {"stacktrace": f"{'e' * (8 * 2**10 - 12)}{NAMED}"}}),
    "a name": ({}, {"name": f"{'n' * 110}{NAMED}"}),
    "a model": ({"gen_ai.response.model": f"{'n' * 110}{NAMED}"}, {}),
}


@pytest.mark.parametrize("name", TOO_LONG)
async def test_a_cut_leaves_no_half_of_a_secret(app_client, name):
    made = await app_client.put("/v1/secrets/db", json={"value": NAMED})
    assert made.status_code < 300, made.text
    attributes, more = TOO_LONG[name]
    await send(app_client, [llm(1, 0, attributes=attributes, **more)])
    assert NAMED[:8] not in json.dumps(await kept_of(app_client))


async def test_what_is_left_out_is_said(app_client):
    value = AnyValue(string_value="x")
    for _ in range(17):
        value = AnyValue(array_value=ArrayValue(values=[value]))
    made = request([llm(1, 0)], app_client.clock.now_us() - 1_000_000)
    (span,) = made.resource_spans[0].scope_spans[0].spans
    span.attributes.append(KeyValue(key="output.value", value=value))
    for number in range(600):
        text = AnyValue(string_value="hello")
        span.attributes.append(KeyValue(key=f"gen_ai.prompt.{number}.content", value=text))
    headers = {"content-type": PROTOBUF}
    answer = await app_client.post("/v1/traces", content=made.SerializeToString(), headers=headers)
    kept = await kept_of(app_client)
    assert "… (cut)" in json.dumps(kept["output"], ensure_ascii=False)
    assert len(kept["input"]) == 201
    assert kept["input"][-1].startswith("… (cut)")
    assert kept["flags"] == ["94 of its attributes were not read: at most 512 are"]
    assert b"94 of its attributes" in answer.content


async def test_a_trace_of_few_but_long_spans_is_drawn_on_another_thread(app_client):
    asyncio.get_running_loop().set_default_executor(threads := Counting())
    shown = Shower(app_client.server.engine)
    used = []
    for trace, prompt in (("1" * 32, "tea"), ("2" * 32, "tea " * 8_000)):
        long = [llm(each, 0, attributes={"gen_ai.prompt": prompt}, trace=trace) for each in range(1, 30)]
        await send(app_client, long)
        app_client.clock.advance(seconds=5)
        before = threads.done
        assert await shown.run_once() == 1
        used.append(threads.done - before)
    assert used[0] < used[1]


@pytest.mark.parametrize("spans", [1, 2])
async def test_flags_are_shown_also_of_the_span_that_is_the_execution(app_client, spans):
    chain = {"openinference.span.kind": "CHAIN"} | {f"a{number}": 1 for number in range(600)}
    await send(app_client, [S(1, attributes=chain), *([llm(2, 1)] if spans == 2 else [])])
    app_client.clock.advance(seconds=5)
    await Shower(app_client.server.engine).run_once()
    events = (await app_client.get(f"/v1/executions/{execution_id(app_client)}/events")).json()["items"]
    assert ["flags" in each["data"] for each in events].index(True) == (0 if spans == 2 else 1)
