"""The same spans give the same execution, whatever order, batches and repetitions they came in."""

import asyncio
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from omium.jsonvalue import canonical_bytes
from omium.server.engine.verify import list_problems
from omium.server.traces.merging import grow, sort_spans
from omium.server.traces.picture import draw
from omium.server.traces.reading import Span as Kept
from omium.server.traces.reading import pack_span, unpack_span
from omium.server.traces.shower import Shower
from omium.server.traces.verify import list_trace_problems
from tests.serverfixture import open_app_client, test_settings
from tests.traces.spans import S, execution_id, llm, send

KINDS = ("", "llm", "embedding", "tool", "agent", "workflow", "retriever", "other")


@st.composite
def kept_spans(draw_one: st.DrawFn) -> list[Kept]:
    """Draw spans that may hang on each other in any way, in circles, on nothing, and repeat calls."""
    count = draw_one(st.integers(1, 9))
    spans = []
    for number in range(1, count + 1):
        start = draw_one(st.integers(0, 20))
        tokens = draw_one(st.sampled_from([None, 3, 8]))
        spans.append(
            Kept(
                span_id=f"{number:016x}",
                parent_id=draw_one(st.sampled_from(["", *(f"{i:016x}" for i in range(1, count + 2))])),
                name=draw_one(st.sampled_from(["a", "b", "a/b#2"])),
                scope=draw_one(st.sampled_from(["one", "two"])),
                kind=draw_one(st.sampled_from(KINDS)),
                start_us=start,
                end_us=start + draw_one(st.integers(0, 20)),
                failed=draw_one(st.booleans()),
                response_id=draw_one(st.sampled_from(["", "", "r1", "r2"])),
                input_tokens=tokens,
                output_tokens=tokens,
            )
        )
    return spans


@given(kept_spans(), st.randoms(use_true_random=False), st.booleans())
@settings(max_examples=300, deadline=None)
def test_any_order_gives_the_same_picture(spans, chance, closed):
    first = draw("ex_1", spans, closed=closed)
    mixed = [unpack_span(span.span_id, canonical_bytes(pack_span(span))) for span in spans]
    chance.shuffle(mixed)
    assert draw("ex_1", mixed, closed=closed) == first
    if first is None:
        assert not any(span.kind for span in spans)
        return
    assert len({step.path for step in first.steps}) == len(first.steps)
    tree = grow(sort_spans(spans))
    told = tree.metered()
    assert {call.span.span_id for call in first.usage} <= told
    ids = [span.response_id for span in tree.spans.values() if span.response_id and span.calls_model]
    assert len(ids) == len(set(ids)), "an answer of the model is in the tree twice"


TRACE_SPANS = [
    S(1, 0, "POST /ask", 0, 100),
    S(2, 1, "agent", 1, 99, attributes={"openinference.span.kind": "AGENT"}, error="ValueError: no"),
    S(3, 2, "ChatOpenAI", 2, 50, scope="langchain", attributes={"openinference.span.kind": "LLM"}),
    llm(4, 3, (5, 2), start_ms=3, end_ms=49, scope="openai"),
    S(5, 2, "tool", 51, 60, attributes={"gen_ai.operation.name": "execute_tool"}, error="KeyError: 'x'"),
    S(6, 2, "tool", 51, 70, attributes={"gen_ai.operation.name": "execute_tool"}),
]


async def play(app, batches, at_us, shown_after):
    for number, batch in enumerate(batches):
        await send(app, batch, at_us=at_us)
        if number in shown_after:
            app.clock.advance(seconds=11)
            await Shower(app.server.engine).run_once()
    app.clock.advance(seconds=11)
    await Shower(app.server.engine).run_once()
    assert await list_problems(app.server.db) == []
    assert await list_trace_problems(app.server.db) == []
    path = f"/v1/executions/{execution_id(app)}"
    detail = (await app.get(path)).json()
    steps = (await app.get(f"{path}/steps")).json()["items"]
    events = (await app.get(f"{path}/events")).json()["items"]
    failures = (await app.get("/v1/failures")).json()["items"]
    for name in ("id", "lineage_root", "started_by", "updated_at_us"):
        detail.pop(name)
    events[0]["data"].pop("by")
    inbox = [(each["step"], each["error_type"], each["status"]) for each in failures]
    return detail, steps, events, inbox


async def test_any_order_split_and_repetition_gives_the_same_execution(tmp_path):
    chance = random.Random(7)
    async with open_app_client(test_settings(tmp_path)) as first:
        at_us = first.clock.now_us() - 1_000_000
        wanted = await play(first, [TRACE_SPANS], at_us, ())
        assert wanted[3] == [("tool", "KeyError", "open")]
        for number in range(12):
            tenant = await first.new_tenant(f"tenant {number}")
            spans = TRACE_SPANS * chance.choice([1, 1, 2])
            chance.shuffle(spans)
            batches = [spans[at : at + 2] for at in range(0, len(spans), 2)]
            shown = {at for at in range(len(batches)) if chance.random() < 0.5}
            assert await play(tenant, batches, at_us, shown) == wanted
            await asyncio.sleep(0)
