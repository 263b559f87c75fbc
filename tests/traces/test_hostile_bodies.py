"""Bodies that are no OTLP, too large, or made to hurt, are refused with a sentence and without effect."""

import gzip
import json
import zlib

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue

from omium.server.store import traces as store
from omium.server.traces import ingest
from tests.traces.spans import PROTOBUF, S, llm, request, send

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


async def test_a_large_value_is_cut(app_client):
    large = json.dumps([{"role": "user", "content": "x" * 100_000}] * 20)
    await send(app_client, [llm(1, 0, attributes={"gen_ai.input.messages": large}, error="e" * 100_000)])
    (row,) = await app_client.server.db.read(lambda tx: store.list_traces(tx, "", 10))
    (kept,) = await app_client.server.db.read(lambda tx: store.list_spans(tx, row.execution_id))
    assert len(kept.body) < 80_000
