"""Drivers, people and time in any order: whatever they do, the invariants hold and the log tells the row.

Every work runs twice, the first time undone, as after a serialization failure.
"""

import asyncio
import contextlib
import itertools

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from omium.clock import ManualClock
from omium.errors import AlreadyDecided, LeaseLostProblem, NotFound, Problem
from omium.models.replay import DecideEffect
from omium.server.db.open import open_database
from omium.server.engine.decisions import decide_effect
from omium.server.engine.fold import find_differences, fold_events
from omium.server.engine.parts import EngineParts
from omium.server.engine.values import Vault
from omium.server.engine.verify import list_problems
from omium.server.store import effects, events
from omium.server.store.tenants import insert_tenant
from omium.states import EffectDecision
from tests.engine.harness import Engine, Run, principal, process
from tests.engine.locks import LockDatabase
from tests.engine.watched import TwiceDatabase

PATHS = st.sampled_from(["a", "b", "b/in", "b/in#2"])
EFFECTS = st.sampled_from(["pay", "b/mail"])
OUTPUTS = st.sampled_from([1, 2, "long" * 20_000])
ATTEMPTS = st.integers(1, 3)
SECONDS = st.sampled_from([1, 20, 36, 1000])
SELDOM = st.sampled_from([False] * 9 + [True])  # what ends an execution ends the example's use, too
FINAL = {"completed", "cancelled"}
numbers = itertools.count()


class Machine(RuleBasedStateMachine):
    """One execution, its drivers old and new, and a model of what was acknowledged."""

    url: str
    key_file: object

    def __init__(self):
        super().__init__()
        self.loop = asyncio.Runner()
        self.clock = ManualClock()
        self.workflow = f"workflow-{next(numbers)}"
        self.drivers = []
        self.recorded = {}  # path -> output that was acknowledged and not replaced
        self.called = {}  # effect key -> (epoch, attempt) that may have called it
        self.final = None
        self.sent = None

    async def open_database(self):
        """Return what this history happens in: one file for all of them."""
        return await open_database(self.url, clock=self.clock)

    async def close_database(self):
        await self.db.close()

    def run(self, coroutine):
        return self.loop.run(coroutine)

    @initialize(driver=st.sampled_from(["local", "relaxed", "auto", "worker"]))
    def begin(self, driver):
        async def open_engine():
            self.db = await self.open_database()
            tenant = await self.db.write(lambda tx: insert_tenant(tx, "test"))
            parts = EngineParts(TwiceDatabase(LockDatabase(self.db)), Vault(self.key_file))
            self.engine = Engine(parts, self.clock, principal(tenant.id), principal(tenant.id, "key_other"))
            if driver == "worker":
                self.id = await self.engine.queue(
                    self.workflow, limits={"max_interruptions": 1, "max_steps": 6}
                )
                return
            kinds = {"local": {}, "relaxed": {"durability": "relaxed"}, "auto": {"takeover": "auto"}}
            run = await self.engine.start(self.workflow, **kinds[driver])
            self.id = run.id
            self.drivers.append(run)

        self.run(open_engine())

    def teardown(self):
        async def close():
            with contextlib.suppress(Problem):  # leave nothing for the next example's sweeps
                await self.engine.cancel(self.id)
                await self.engine.advance(100_000)
            await self.close_database()

        self.run(close())
        self.loop.close()

    # ---- drivers, current and former

    def send(self, which, **write):
        """Send a write of any driver that there ever was; refusals are the engine's good right."""
        self.sent = (which, write)
        run = self.drivers[which % len(self.drivers)]
        before = self.run(self.engine.row(self.id))
        (result,) = self.run(run.send(write)).results
        after = self.run(self.engine.row(self.id))
        if run.grant.epoch != before.epoch and write["type"] != "effect.ended":
            assert result.problem is not None, "a former driver's write was taken"
            assert after == before, "a former driver changed something"
        if result.problem is not None and write["type"] != "effect.ended":
            assert after.last_seq == before.last_seq, "a refused write left a number behind"
        return run, result

    def about(self, path, **fields):
        return self.engine.about(path, **fields)

    @precondition(lambda self: self.drivers)
    @rule(which=st.integers(0, 3), path=PATHS, output=OUTPUTS, attempt=ATTEMPTS, supersedes=st.booleans())
    def complete_step(self, which, path, output, attempt, supersedes):
        write = self.engine.completed(path, output, attempt=attempt, supersedes=supersedes)
        _, result = self.send(which, **write)
        if result.problem is None:
            key = (path, attempt, result.seq)
            assert self.recorded.setdefault(key, output) == output, "one result became another"

    @precondition(lambda self: self.drivers)
    @rule(which=st.integers(0, 3), path=PATHS, attempt=ATTEMPTS, delay=st.sampled_from([None, 5]))
    def fail_step(self, which, path, attempt, delay):
        error = {"type": "ValueError", "message": "boom"}
        body = self.about(path, attempt=attempt)
        self.send(which, type="step.attempt_failed", error=error, delay_us=delay, **body)

    @precondition(lambda self: self.drivers)
    @rule(which=st.integers(0, 3), path=EFFECTS, attempt=ATTEMPTS)
    def intend(self, which, path, attempt):
        body = self.about(path, kind="effect", attempt=attempt)
        run, result = self.send(which, type="effect.intended", **body)
        if result.effect is not None and result.effect.may_call:
            key, now = result.effect.effect_key, (run.grant.epoch, attempt)
            assert self.called.get(key, now) == now, "an effect may be called twice"
            self.called[key] = now

    @precondition(lambda self: self.drivers and self.called)
    @rule(
        which=st.integers(0, 3),
        path=EFFECTS,
        pick=st.integers(0, 5),
        state=st.sampled_from(["done", "not_applied", "unknown"]),
        output=st.sampled_from([1, 2]),
    )
    def end_effect(self, which, path, pick, state, output):
        key = list(self.called)[pick % len(self.called)]  # as they came: keys are random
        attempt = self.called[key][1] if self.called[key] else 1
        body = self.about(path, kind="effect", attempt=attempt)
        write = {"type": "effect.ended", "effect_key": key, "state": state} | body
        if state == "done":
            write["output"] = output
        _, result = self.send(which, **write)
        if result.problem is None and result.effect.state == "not_applied":
            del self.called[key]

    @precondition(lambda self: self.sent is not None)
    @rule()
    def send_again(self):
        which, write = self.sent
        if write["type"] != "effect.intended":  # a driver that has called does not ask again
            self.send(which, **write)

    @precondition(lambda self: self.drivers)
    @rule(
        which=st.integers(0, 3),
        chance=SELDOM,
        write=st.sampled_from(
            [
                {"type": "heartbeat", "running": ["a"]},
                {"type": "execution.completed", "output": 1},
                {"type": "execution.failed", "error": {"type": "ValueError", "message": "boom"}},
                {"type": "execution.waits", "reason": "timer", "wake_at_us": 1_800_000_000_000_000 + 10**9},
                {"type": "execution.suspends", "reason": "operator"},
                {"type": "execution.suspends", "reason": "effect"},
                {"type": "execution.suspends", "reason": "drain"},
                {"type": "checkpoint.saved", "id": "cp_1", "name": "x", "state": 1, "at_us": 1},
            ]
        ),
    )
    def say(self, which, write, chance):
        if write["type"] == "execution.completed" and not chance:
            return
        if write["type"] == "checkpoint.saved":
            write = write | {"id": f"cp_{self.workflow}"}
        self.send(which, **write)

    # ---- workers, people, time

    def attempt(self, coroutine):
        try:
            return self.run(coroutine)
        except (Problem, LeaseLostProblem):
            return None

    @rule(number=st.integers(1, 2))
    def claim(self, number):
        asked = self.run(
            self.engine.ask(self.workflow, worker=f"{self.workflow}-{number}", process=process(pid=number))
        )
        if asked.grants:
            self.drivers.insert(0, Run(self.engine, asked.grants[0], self.engine.who))

    @rule(gone=st.booleans(), pid=st.integers(500, 502))
    def resume(self, gone, pid):
        row = self.run(self.engine.row(self.id))
        former = row.epoch if gone and row.epoch else None
        run = self.attempt(self.engine.resume(self.id, process=process(pid=pid), former_gone=former))
        if run is not None:
            self.drivers.insert(0, run)

    @rule(more=st.booleans())
    def requeue(self, more):
        self.attempt(self.engine.requeue(self.id, max_steps=100 if more else None))

    @rule()
    def pause(self):
        self.attempt(self.engine.pause(self.id))

    @rule(chance=SELDOM)
    def cancel(self, chance):
        if chance:
            self.attempt(self.engine.cancel(self.id))

    @rule(seconds=SECONDS)
    def advance(self, seconds):
        self.run(self.engine.advance(seconds))

    @precondition(lambda self: self.called)
    @rule(pick=st.integers(0, 5), decision=st.sampled_from(list(EffectDecision)))
    def decide(self, pick, decision):
        key = list(self.called)[pick % len(self.called)]  # as they came: keys are random
        command = DecideEffect(decision=decision)
        packed = self.engine.parts.vault.pack(self.engine.who.tenant_id, "by hand")
        with contextlib.suppress(AlreadyDecided, NotFound):
            self.run(
                self.engine.write(
                    lambda tx: decide_effect(tx, self.engine.who, self.id, key, command, packed)
                )
            )

    # ---- what always holds

    @invariant()
    def the_log_tells_the_row(self):
        if not hasattr(self, "id"):
            return
        row = self.run(self.engine.row(self.id))
        tenant_id = self.engine.who.tenant_id
        logged = self.run(self.engine.read(lambda tx: events.list_events(tx, tenant_id, self.id, 0, 10_000)))
        assert find_differences(row, fold_events(logged)) == []

    @invariant()
    def final_statuses_stay(self):
        if not hasattr(self, "id"):
            return
        status = self.run(self.engine.row(self.id)).status
        assert self.final in (None, status)
        if status in FINAL:
            self.final = status

    @invariant()
    def nothing_is_stuck(self):
        if not hasattr(self, "id"):
            return
        row = self.run(self.engine.row(self.id))
        match row.status:
            case "running":
                assert row.lease_digest is not None
                assert row.lease_touched_us is not None
            case "queued":
                assert row.queued_us is not None
            case "waiting":
                assert row.wake_us is not None or row.reason is not None
            case "paused" | "failed":
                assert row.reason is not None, "a person must see what it waits for"
        if row.status != "running":
            open_ = self.run(self.engine.read(lambda tx: effects.list_effects(tx, self.id, limit=100)))
            assert all(effect.state != "intended" for effect in open_), "nobody will ever report this effect"


@pytest.mark.timeout(600)
def test_any_order_of_drivers_people_and_time(database_url, key_file):
    machine = type("Bound", (Machine,), {"url": database_url, "key_file": key_file})
    sqlite = "://" not in database_url
    run_state_machine_as_test(
        machine, settings=settings(max_examples=30 if sqlite else 10, stateful_step_count=60, deadline=None)
    )
    assert asyncio.run(find_problems(database_url)) == []


async def find_problems(url):
    """Return what `verify` finds in what all the examples have left."""
    db = await open_database(url, clock=ManualClock())
    try:
        return await list_problems(db)
    finally:
        await db.close()
