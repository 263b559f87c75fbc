"""Every write in any order, with large values: each payload counts exactly the rows that point at it."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omium.clock import ManualClock
from omium.errors import Problem
from omium.models.replay import DecideEffect
from omium.server.db.open import open_database
from omium.server.engine.decisions import decide_effect
from omium.server.engine.parts import EngineParts
from omium.server.engine.values import Vault
from omium.server.engine.verify import list_problems
from omium.server.store.tenants import insert_tenant
from omium.states import EffectDecision
from tests.engine.harness import Engine, principal

ATTEMPTS = st.integers(1, 3)
BACK = st.sampled_from([0, 0, 0, 1])  # how many tries ago what an effect's driver speaks of was
LARGE = st.sampled_from(["wide" * 20_000, "broad" * 20_000])
DELAYS = st.sampled_from([5, 5, None])
STEPS = st.one_of(
    st.tuples(st.just("complete"), st.just("step"), ATTEMPTS, LARGE, st.booleans()),
    st.tuples(st.just("fail"), st.just("step"), ATTEMPTS, LARGE, DELAYS),
)
PATHS = st.sampled_from(["note", "note", "note", "pay"])  # the receiver of a note honours keys
EFFECTS = st.one_of(
    st.tuples(st.just("intend"), PATHS, BACK, LARGE, st.none()),
    st.tuples(st.sampled_from(["unknown", "unknown", "not_applied"]), PATHS, BACK, LARGE, DELAYS),
    st.tuples(st.just("decide"), PATHS, BACK, LARGE, st.sampled_from(list(EffectDecision))),
)
DONE = st.tuples(st.just("done"), PATHS, BACK, LARGE, st.none())
TRIES = st.tuples(PATHS, LARGE, LARGE).map(  # announced, called, and then the receiver did not answer
    lambda drawn: [("intend", drawn[0], 0, drawn[1], None), ("unknown", drawn[0], 0, drawn[2], 5)]
)
ONES = st.one_of(STEPS, EFFECTS, DONE).map(lambda write: [write])
WRITES = st.lists(st.one_of(TRIES, ONES), min_size=6, max_size=14).map(
    lambda parts: [write for part in parts for write in part]
)


async def apply(engine, run, write):
    """Send one write of a driver, or a person's decision; refusals are the engine's good right."""
    act, path, number, value, more = write
    if path == "step":
        body = engine.about(path, attempt=number, input=value)
        if act == "complete":
            await run.write(type="step.completed", output=value, supersedes=more, **body)
        else:
            await run.write(type="step.attempt_failed", error={"message": "boom"}, delay_us=more, **body)
        return
    known = (await engine.effects(run.id)).get(path)
    newest = known.attempt if known else 0
    attempt = max(newest + (act == "intend") - number, 1)
    body = engine.about(path, kind="effect", attempt=attempt, input=value)
    if act == "intend":
        await run.write(type="effect.intended", mode="idempotent" if path == "note" else "once", **body)
    elif act == "decide" and known is not None:
        packed = engine.parts.vault.pack(engine.who.tenant_id, value)
        command = DecideEffect(decision=more)
        await engine.write(
            lambda tx: decide_effect(tx, engine.who, run.id, known.effect_key, command, packed)
        )
    elif known is not None:
        said = {"output": value} if act == "done" else {"delay_us": more}
        await run.write(type="effect.ended", effect_key=known.effect_key, state=act, **body, **said)


async def record(url, key_file, writes):
    db = await open_database(url, clock=ManualClock())
    try:
        tenant = await db.write(lambda tx: insert_tenant(tx, "test"))
        engine = Engine(EngineParts(db, Vault(key_file)), ManualClock(), principal(tenant.id), principal(""))
        run = await engine.start()
        for write in writes:
            try:
                await apply(engine, run, write)
            except Problem:
                continue
        return await list_problems(db)
    finally:
        await db.close()


@pytest.mark.timeout(300)
def test_every_payload_counts_the_rows_that_point_at_it(tmp_path_factory, key_file):
    """On SQLite only: the statements are the same, and each example takes a database of its own."""

    @settings(max_examples=80, deadline=None)
    @given(WRITES)
    def check(writes):
        place = tmp_path_factory.mktemp("counted") / "omium.db"
        assert asyncio.run(record(str(place), key_file, writes)) == []

    check()
