"""What is sent as OTLP becomes executions, steps, failures and usage."""

import pytest

from omium.clock import US_PER_S
from omium.server.analytics.summing import sum_rows
from omium.server.analytics.verify import list_sum_problems
from omium.server.engine.verify import list_problems
from omium.server.store import traces as store
from omium.server.traces.shower import QUIET_US, Shower, sweep_unshown
from omium.server.traces.verify import list_trace_problems
from omium.states import Environment, Scope
from tests.traces.spans import PROTOBUF, TRACE, S, execution_id, kind, llm, request, send, to_span, value
from tests.web.walk import DIGEST, TOKEN

OTHER = "1" * 32


async def show(app):
    app.clock.advance(seconds=11)
    await Shower(app.server.engine).run_once()
    assert await list_problems(app.server.db) == []
    assert await list_trace_problems(app.server.db) == []


async def get(app, trace=TRACE):
    await show(app)
    answer = await app.get(f"/v1/executions/{execution_id(app, trace)}")
    return answer.json() if answer.status_code == 200 else None


async def list_steps(app, trace=TRACE):
    answer = await app.get(f"/v1/executions/{execution_id(app, trace)}/steps")
    return {step["key"]: step for step in answer.json()["items"]}


RUN = [
    S(1, 0, "POST /ask", 0, 100),
    S(2, 1, "researcher", 1, 99, attributes=kind("AGENT", **{"input.value": "why?", "output.value": "so"})),
    llm(3, 2, start_ms=2, end_ms=50),
    S(
        4,
        2,
        "lookup",
        51,
        60,
        attributes={"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "lookup"},
    ),
    llm(5, 2, (7, 3), start_ms=61, end_ms=98),
]


async def test_a_trace_becomes_an_execution_with_steps_and_usage(each_app_client):
    app = each_app_client
    assert not (await send(app, RUN)).partial_success.error_message
    shown = await get(app)
    assert (shown["workflow"], shown["status"], shown["driver"]) == ("shop", "completed", "observed")
    assert (shown["input"], shown["output"]) == ("why?", "so")
    assert shown["runner"] == {"runner": "none", "command": [], "cwd": None}
    assert (shown["usage"]["input_tokens"], shown["usage"]["output_tokens"], shown["usage"]["calls"]) == (
        17,
        8,
        2,
    )
    assert list(await list_steps(app)) == ["chat gpt-small", "lookup", "chat gpt-small#2"]
    assert (await app.get("/v1/usage")).json()["items"][0]["charged_microcredits"] is None


async def test_a_failed_trace_lands_in_the_inbox_at_its_innermost_span(each_app_client):
    app = each_app_client
    wrong = {"type": "openai.RateLimitError", "message": "slow down", "stacktrace": "Traceback..."}
    await send(
        app,
        [
            S(1, 0, "agent", 0, 100, attributes=kind("AGENT"), exception=wrong),
            S(2, 1, "plan", 1, 90, attributes=kind("CHAIN"), exception=wrong),
            llm(3, 2, start_ms=2, end_ms=80, exception=wrong, tokens=(0, 0)),
        ],
    )
    shown = await get(app)
    assert (shown["status"], shown["reason"]) == ("failed", "error")
    assert shown["error"]["type"] == "RateLimitError"
    failures = (await app.get("/v1/failures")).json()["items"]
    assert [(each["step"], each["error_type"], each["count"]) for each in failures] == [
        ("plan/chat gpt-small", "RateLimitError", 1)
    ]
    await send(app, [llm(4, 2, start_ms=3, end_ms=9)])  # the group stays, with its one occurrence
    await show(app)
    assert [each["count"] for each in (await app.get("/v1/failures")).json()["items"]] == [1]


DEEDS = {
    "resume": {},
    "plan": {},
    "replay": {},
    "rollback/plan": {"to_seq": 1},
    "rollback": {"to_seq": 1, "reason": "x"},
    "cancel": {},
    "pause": {},
}


async def test_it_cannot_be_resumed_replayed_rolled_back_cancelled_or_paused(app_client):
    app = app_client
    await send(app, [S(1, 0, "agent", attributes=kind("AGENT"), error="ValueError: no"), llm(2, 1)])
    shown = await get(app)
    assert shown["error"] == {"type": "ValueError", "message": "no"}
    path = f"/v1/executions/{shown['id']}"
    for deed, body in DEEDS.items():
        answer = await app.post_keyed(f"{path}/{deed}", body)
        assert (answer.status_code, answer.json()["code"]) == (409, "illegal-transition"), (deed, answer.text)
        assert "observed" in answer.json()["detail"]


async def test_the_same_spans_twice_change_nothing(each_app_client):
    app = each_app_client
    at_us = app.clock.now_us()
    await send(app, RUN, at_us=at_us)
    first = await get(app)
    rows = await app.server.db.read(lambda tx: store.list_traces(tx, "", 10))
    await send(app, [*RUN, *RUN], at_us=at_us, zipped=True)
    assert await app.server.db.read(lambda tx: store.list_traces(tx, "", 10)) == rows
    assert await get(app) == first


async def test_late_parents_are_waited_for_and_then_found(each_app_client):
    app = each_app_client
    await send(app, RUN[2:])
    shown = await get(app)
    assert (shown["status"], shown["usage"]["calls"]) == ("running", 2)
    await send(app, RUN[:2])
    assert (await get(app))["status"] == "completed"
    assert (await get(app))["input"] == "why?"


async def test_a_parent_that_never_comes_is_given_up(app_client):
    app = app_client
    await send(app, RUN[2:])
    assert (await get(app))["status"] == "running"
    app.clock.advance(seconds=QUIET_US / 1_000_000)
    assert (await get(app))["status"] == "completed"
    await send(app, RUN[:2])  # and taken in when it comes after all
    assert (await get(app))["input"] == "why?"


async def test_calls_that_two_instrumentors_saw_count_once(app_client):
    app = app_client
    answer = '{"id": "chatcmpl-7", "choices": []}'
    openinference = kind("LLM", **{"llm.token_count.prompt": 10, "llm.token_count.completion": 5})
    await send(
        app,
        [
            S(1, 0, "agent", 0, 100, attributes=kind("AGENT")),
            S(2, 1, "ChatOpenAI", 1, 50, scope="langchain", attributes=openinference),  # around the next
            llm(3, 2, start_ms=2, end_ms=49, scope="openai"),
            llm(
                4,
                1,
                start_ms=51,
                end_ms=60,
                scope="traceloop",
                attributes={"gen_ai.response.id": "chatcmpl-7"},
            ),
            S(
                5, 1, "x", 70, 75, scope="openai", attributes=openinference | {"output.value": answer}
            ),  # by its id
            llm(6, 1, start_ms=80, end_ms=90, scope="one"),
            llm(7, 1, start_ms=81, end_ms=89, scope="two"),  # beside it
            llm(8, 1, start_ms=91, end_ms=95, scope="one"),
            llm(9, 1, start_ms=91, end_ms=95, scope="one"),  # really two: one instrumentor tells of both
        ],
    )
    shown = await get(app)
    assert (shown["usage"]["calls"], shown["usage"]["input_tokens"]) == (5, 50)
    assert len(await list_steps(app)) == 5


async def test_parents_that_repeat_usage_are_not_counted(app_client):
    app = app_client
    await send(
        app,
        [
            S(1, 0, "agent", attributes=kind("AGENT") | {"gen_ai.usage.input_tokens": 99}),
            S(2, 1, "outer", attributes=llm(0, 0, (20, 10)).attributes),
            llm(3, 2, (12, 6), end_ms=10),
            llm(4, 2, (8, 4), start_ms=20),
        ],
    )
    assert (await get(app))["usage"]["input_tokens"] == 20


async def test_usage_that_proves_to_be_a_repeat_is_taken_back(each_app_client):
    app = each_app_client
    await send(
        app, [S(1, 0, "agent", attributes=kind("AGENT")), llm(3, 2, start_ms=2, end_ms=49, scope="openai")]
    )
    assert (await get(app))["usage"]["calls"] == 1
    await app.server.db.write(sum_rows)
    await send(app, [llm(2, 1, start_ms=1, end_ms=50, scope="langchain")])
    assert (await get(app))["usage"]["calls"] == 1
    await app.server.db.write(sum_rows)
    assert await list_sum_problems(app.server.db) == []


async def test_what_belongs_to_no_agent_makes_no_execution_and_goes(app_client):
    app = app_client
    await send(app, [S(1, 0, "GET /health"), S(2, 1, "SELECT")])
    assert await get(app) is None
    app.clock.advance(seconds=3_700)
    assert await app.server.db.write(sweep_unshown) == 1
    assert await app.server.db.read(lambda tx: store.list_traces(tx, "", 10)) == []


async def test_spans_that_cannot_be_are_refused_alone_and_the_others_taken(app_client):
    app = app_client
    week = 8 * 86_400_000
    answer = await send(
        app,
        [
            llm(1, 0),
            llm(2, 0, start_ms=-week, end_ms=-week + 1),
            llm(3, 0, start_ms=600_000, end_ms=600_001),
            llm(4, 0, start_ms=5, end_ms=4),
            S(5, 0, "x", trace="0" * 32),
            llm(6, 0, (10**9, 1), trace=OTHER),
        ],
    )
    assert answer.partial_success.rejected_spans == 4
    for said in ("7 days", "5 minutes", "before it starts", "trace id", "flagged: input_tokens"):
        assert said in answer.partial_success.error_message
    assert (await get(app))["usage"]["calls"] == 1
    assert (await get(app, OTHER))["usage"]["input_tokens"] == 0
    events = (await app.get(f"/v1/executions/{execution_id(app, OTHER)}/events")).json()["items"]
    assert "flags" in events[1]["data"]


async def test_json_says_the_same_as_protobuf(app_client):
    app = app_client
    span = {
        "traceId": TRACE.upper(), "spanId": "00000000000000AA", "name": "chat", "kind": 3,
        "status": {"code": 1},
        "startTimeUnixNano": str(app.clock.now_us() * 1000 - 5), "endTimeUnixNano": app.clock.now_us() * 1000,
        "attributes": [
            {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
            {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "11"}},
            {"key": "gen_ai.usage.cache_creation.input_tokens", "value": {"intValue": "4"}},
            {"key": "gen_ai.input.messages", "value": {"arrayValue": {"values": [{"stringValue": "hi"}]}}},
            {"key": "newer", "value": {"laterValue": 1}},
        ],
        "unknown": 1,
    }  # fmt: skip
    body = {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {"name": "x"}, "spans": [span]}]}]}
    answer = await app.post("/v1/traces", json=body)
    assert (answer.status_code, answer.json()) == (200, {})
    used = (await get(app))["usage"]
    assert (used["input_tokens"], used["cache_write_tokens"]) == (11, 4)
    assert next(iter((await list_steps(app)).values()))["input"] == ["hi"]
    span["endTimeUnixNano"] = 1
    answer = await app.post("/v1/traces", json=body)
    assert answer.json()["partialSuccess"]["rejectedSpans"] == "1"


async def test_secrets_are_redacted_before_anything_is_stored(app_client):
    app = app_client
    planted = "sk-" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6"
    named = "correct-horse-battery"
    made = await app.put("/v1/secrets/db", json={"value": named})
    assert made.status_code < 300, made.text
    given = {"gen_ai.input.messages": f'[{{"content": "use {planted} and {named}", "api_key": "{planted}"}}]'}
    await send(app, [llm(1, 0, attributes=given, error=f"denied for {planted} {named}")])
    rows = await app.server.db.read(lambda tx: store.list_spans(tx, execution_id(app)))
    await show(app)
    steps = str(await list_steps(app)) + str((await app.get(f"/v1/executions/{execution_id(app)}")).json())
    for said in (str([row.body for row in rows]), steps):
        assert "[redacted]" in said
        assert planted not in said
        assert named not in said


async def test_tenants_and_environments_never_share_a_trace(app_client):
    app = app_client
    other = await app.new_tenant()
    staging = app.as_key(await app.new_key(environment=Environment.STAGING))
    await send(app, RUN)
    await send(other, RUN[:2])
    await send(staging, RUN[:3])
    await show(app)
    assert (await get(staging))["environment"] == "staging"
    assert execution_id(app) != execution_id(other)
    assert (await other.get(f"/v1/executions/{execution_id(app)}")).status_code == 404
    assert (await get(other))["usage"]["calls"] == 0
    assert (await get(app))["usage"]["calls"] == 2


async def test_a_key_needs_the_scope(app_client):
    reader = app_client.as_key(await app_client.new_key(Scope.READ, Scope.RUN))
    answer = await reader.post("/v1/traces", json={})
    assert (answer.status_code, answer.json()["code"]) == (403, "scope-missing")


@pytest.mark.parametrize("depth", [500, 3_000])
async def test_a_deep_trace_is_shown_within_the_bounds_of_paths(app_client, depth):
    app = app_client
    spans = [S(i, i - 1, "n" * 60, i, 10_000 - i, attributes=kind("CHAIN")) for i in range(1, depth)]
    await send(app, spans)
    assert (await get(app))["steps_completed"] == depth - 2


async def test_spans_in_a_circle_are_shown_all_the_same(app_client):
    app = app_client
    await send(app, [llm(1, 2), llm(2, 3), llm(3, 1), llm(4, 4)])
    assert (await get(app))["status"] == "completed"


def test_helpers_make_what_they_say():
    assert request(RUN, 0).resource_spans[0].scope_spans[0].spans[0].name == "POST /ask"
    assert to_span(RUN[0], 0).parent_span_id == b""
    assert value(True).bool_value is True


@pytest.mark.parametrize("first", ["the agent's", "the client's"])
async def test_a_call_that_the_client_told_in_a_trace_of_its_own_counts_once(each_app_client, first):
    app, at_us = each_app_client, each_app_client.clock.now_us() - 1_000_000
    same = {"gen_ai.response.id": "chatcmpl-1"}
    agent = [
        S(1, 0, "agent", attributes=kind("AGENT")),
        llm(2, 1, start_ms=5, end_ms=50, scope="langchain", attributes=same),
    ]
    client = [llm(1, 0, start_ms=6, end_ms=49, scope="openai", attributes=same, trace=OTHER)]
    later = [llm(1, 0, start_ms=60_000, end_ms=60_001, scope="openai", attributes=same, trace="2" * 32)]
    for spans in (agent, client) if first == "the agent's" else (client, agent):
        await send(app, spans, at_us=at_us)
        await show(app)
        await app.server.db.write(sum_rows)
    await send(app, later, at_us=at_us)  # a server that counts its answers anew gives the id again
    await show(app)
    await show(app)
    assert (await get(app))["usage"]["calls"] == 1
    assert await get(app, OTHER) is None
    assert (await get(app, "2" * 32))["usage"]["calls"] == 1
    await app.server.db.write(sum_rows)
    assert await list_sum_problems(app.server.db) == []


async def test_a_run_of_langsmith_with_an_exception_failed_whatever_its_status_says(app_client):
    app = app_client
    wrong = {"type": "Exception", "message": "ValueError('no ink')Traceback (most recent call last):\n x"}
    run = S(
        1, 0, "LangGraph", scope="langsmith", attributes={"langsmith.span.kind": "chain"}, exception=wrong
    )
    made = request([run], app.clock.now_us() - 1_000_000)
    made.resource_spans[0].scope_spans[0].spans[0].status.code = 1
    await app.post("/v1/traces", content=made.SerializeToString(), headers={"content-type": PROTOBUF})
    shown = await get(app)
    assert (shown["status"], shown["error"]["type"], shown["error"]["message"]) == (
        "failed",
        "ValueError",
        "no ink",
    )


async def test_an_execution_that_ran_here_is_never_replaced_by_what_was_seen(app_client):
    app = app_client
    start = {"id": execution_id(app), "workflow": "report", "driver": "local"}
    start |= {"input_digest": DIGEST, "lease_token": TOKEN}
    made = await app.post("/v1/executions", json=start)
    assert made.status_code < 300, made.text
    await send(app, RUN)
    app.clock.advance(seconds=11)
    await Shower(app.server.engine).run_once()
    stored = (await app.get(f"/v1/executions/{execution_id(app)}")).json()
    assert (stored["driver"], stored["workflow"], stored["status"]) == ("local", "report", "running")


async def test_one_call_is_found_among_many_answers_of_a_server_that_repeats_its_ids(app_client):
    app, at_us = app_client, app_client.clock.now_us() - 4_000_000_000
    same = {"gen_ai.response.id": "chatcmpl-1"}
    agent = {"attributes": kind("AGENT")}
    for number in range(25):
        trace = f"{number + 1:032x}"
        call = llm(2, 1, start_ms=5, end_ms=50, scope="langchain", attributes=same, trace=trace)
        await send(app, [S(1, 0, "agent", trace=trace, **agent), call], at_us=at_us + number * 60_000_000)
    await show(app)
    rows = await app.server.db.read(lambda tx: store.list_traces(tx, "", 100))
    last = max(range(25), key=lambda number: execution_id(app, f"{number + 1:032x}"))
    assert len(rows) == 25
    client = llm(1, 0, start_ms=6, end_ms=49, scope="openai", attributes=same, trace=OTHER)
    await send(app, [client], at_us=at_us + last * 60_000_000)
    await show(app)
    assert await get(app, OTHER) is None


async def test_nobody_starts_an_execution_as_observed(app_client):
    start = {"workflow": "report", "driver": "observed", "input_digest": DIGEST, "lease_token": TOKEN}
    answer = await app_client.post_keyed("/v1/executions", start)
    assert answer.status_code in {400, 422}, answer.text


async def test_a_large_trace_that_goes_on_is_shown_less_often(app_client):
    contents = {"gen_ai.input.messages": "why do otters hold hands " * 1_200}
    at_us = app_client.clock.now_us() - 1_000_000
    await send(app_client, [llm(n, 0, end_ms=n, attributes=contents) for n in range(1, 81)], at_us=at_us)
    await show(app_client)  # the first time soon, however large it is
    shown_us = app_client.clock.now_us()

    await send(app_client, [llm(81, 0)], at_us=at_us)

    trace = await app_client.server.db.read(lambda tx: store.find_trace(tx, execution_id(app_client)))
    assert trace.shown_us == shown_us
    assert trace.due_us - shown_us == trace.kept_bytes * US_PER_S // 2**20 > 2 * US_PER_S
