"""The machine of executions: two of them, their drivers, people, time and a stranger, against the reference.

Every rule does the same to the engine and to the reference (reference.py) and compares the answers, then
the rows. What a driver says may be said again, too late, or by somebody of another tenant.
`check_execution` of verify.py (the log folds to the row, every record has its event) holds after each rule,
all of verify at the end of each example.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from omium.clock import ManualClock
from omium.errors import IllegalTransition, NotFound
from omium.models.replay import ReplayExecution
from omium.server.engine.parts import EngineParts
from omium.server.engine.replay_requests import replay
from omium.server.engine.values import Vault
from omium.server.engine.verify import list_problems
from omium.server.seal import KeyFile
from omium.server.store.tenants import insert_tenant
from tests.engine.harness import Engine, Run, principal, process
from tests.properties.reference import FINAL, SEEN_S, Reference

WHICH = st.integers(0, 1)
OLD = st.sampled_from([0, 0, 0, 0, 1, 2])  # mostly the newest driver
PATHS = st.sampled_from(["a", "b", "b/in"])
OUTPUTS = st.sampled_from([1, "x"])
ATTEMPTS = st.sampled_from([1, 1, 1, 2, 3])
SECONDS = st.sampled_from([1, 1, 20, 36, 1_000])
SELDOM = st.integers(0, 3).map(lambda number: number == 3)
TIMER_S = 60
_serials = itertools.count()
WORDS = {"lease-lost": "lost", "step-conflict": "conflict", "illegal-transition": "illegal"}


class Executions(RuleBasedStateMachine):
    """Subclasses give a database and a key file."""

    make_database: Callable[[ManualClock], Any]
    key_file: KeyFile
    verify_every = False

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.clock = ManualClock()
        self.now = 0.0
        self.ids: list[str] = []
        self.refs: list[Reference] = []
        self.runs: list[list[Run]] = [[], []]  # the newest driver first
        self.seen_at: list[float | None] = [None, None]
        self.said: tuple[int, Run, dict[str, Any], Callable[[], str]] | None = None

    def run(self, coroutine: Any) -> Any:
        return self.loop.run(coroutine)

    @initialize(kinds=st.tuples(*[st.sampled_from(["local", "relaxed", "worker"])] * 2))
    def begin(self, kinds: tuple[str, str]) -> None:
        self.db = self.run(self._open())
        serial = next(_serials)  # PostgreSQL keeps what former examples have left
        for number, kind in enumerate(kinds):
            if kind == "worker":
                fields = {"limits": {"max_interruptions": 2}, "id": f"ex_{serial:013}{number:013}"}
                started = [self.run(self.engine.queue(f"w{number}", **fields)) for _ in range(2)]
                assert started[0] == started[1], "the same start was another execution"
                self.ids.append(started[0])
                self.refs.append(Reference("worker"))
                continue
            durability = {"durability": "relaxed"} if kind == "relaxed" else {}
            fields = {"id": f"ex_{serial:013}{number:013}", "limits": {"max_interruptions": 2}} | durability
            runs = [self.run(self.engine.start(f"w{number}", **fields)) for _ in range(2)]
            assert runs[0].grant.epoch == runs[1].grant.epoch
            reference = Reference("local", relaxed=kind == "relaxed")
            reference.grant(self.now)
            self.ids.append(runs[0].id)
            self.refs.append(reference)
            self.runs[number].append(runs[0])

    async def _open(self) -> Any:
        db = self.make_database(self.clock)
        if asyncio.iscoroutine(db):
            db = await db
        tenant, other = [await db.write(lambda tx: insert_tenant(tx, "test")) for _ in range(2)]
        parts = EngineParts(db, Vault(self.key_file))
        self.engine = Engine(parts, self.clock, principal(tenant.id), principal(other.id, "key_other"))
        return db

    def teardown(self) -> None:
        try:
            if self.ids:
                try:
                    self.leave_nothing()
                    assert self.run(list_problems(self.db)) == []
                finally:
                    self.run(self.db.close())
        finally:
            self.loop.close()

    def leave_nothing(self) -> None:
        """End what lives, so that the next example's sweeps find only its own."""
        for id_ in self.ids:
            with contextlib.suppress(IllegalTransition):
                self.run(self.engine.cancel(id_))
        self.run(self.engine.advance(10_000))

    # ---- what drivers say

    def say(self, which: int, run: Run, write: dict[str, Any], predict: Callable[[], str]) -> None:
        self.said = (which, run, write, predict)
        (result,) = self.run(run.send(write)).results
        answered = "ok" if result.problem is None else WORDS[str(result.problem["code"])]
        assert answered == predict(), (write, answered)

    def driver(self, which: int, old: int) -> Run:
        return self.runs[which][min(old, len(self.runs[which]) - 1)]

    @precondition(lambda self: any(self.runs))
    @rule(which=WHICH, old=OLD, path=PATHS, attempt=ATTEMPTS, output=OUTPUTS)
    def complete_step(self, which: int, old: int, path: str, attempt: int, output: Any) -> None:
        if not self.runs[which]:
            return
        run, ref = self.driver(which, old), self.refs[which]
        write = self.engine.completed(path, output, attempt=attempt)
        self.say(
            which,
            run,
            write,
            lambda: ref.complete_step(run.grant.epoch, path, attempt, output, self.now),
        )

    @precondition(lambda self: any(self.runs))
    @rule(which=WHICH, old=OLD, path=PATHS, attempt=ATTEMPTS, delay=st.sampled_from([None, 5]))
    def fail_step(self, which: int, old: int, path: str, attempt: int, delay: int | None) -> None:
        if not self.runs[which]:
            return
        run, ref = self.driver(which, old), self.refs[which]
        error = {"type": "ValueError", "message": "boom"}
        about = self.engine.about(path, attempt=attempt)
        write = {"type": "step.attempt_failed", "error": error, "delay_us": delay, **about}
        said = f"{delay} {about['started_at_us']}"
        self.say(which, run, write, lambda: ref.fail_step(run.grant.epoch, path, attempt, said, self.now))

    @precondition(lambda self: any(self.runs))
    @rule(
        which=WHICH,
        old=OLD,
        word=st.sampled_from(["heartbeat", "complete", "fail", "wait", "operator", "drain"]),
        output=OUTPUTS,
        seldom=SELDOM,
    )
    def end(self, which: int, old: int, word: str, output: Any, seldom: bool) -> None:
        if not self.runs[which] or (word == "complete" and not seldom):
            return
        run, ref = self.driver(which, old), self.refs[which]
        epoch = run.grant.epoch
        error = {"type": "ValueError", "message": str(output)}
        wake_at_us = self.clock.now_us() + TIMER_S * 1_000_000
        match word:
            case "heartbeat":
                write: dict[str, Any] = {"type": "heartbeat", "running": ["a"]}
                self.say(which, run, write, lambda: ref.heartbeat(epoch, self.now))
            case "complete":
                write = {"type": "execution.completed", "output": output}
                self.say(which, run, write, lambda: ref.complete(epoch, output, self.now))
            case "fail":
                write = {"type": "execution.failed", "error": error}
                self.say(which, run, write, lambda: ref.fail(epoch, str(output), self.now))
            case "wait":
                write = {"type": "execution.waits", "reason": "timer", "wake_at_us": wake_at_us}
                at = self.now + TIMER_S
                self.say(which, run, write, lambda: ref.wait(epoch, at - self.now, self.now))
            case _:
                write = {"type": "execution.suspends", "reason": word}
                self.say(which, run, write, lambda: ref.give_back(epoch, word, self.now))

    @precondition(lambda self: self.said is not None)
    @rule(twice=st.booleans())
    def say_again(self, twice: bool) -> None:
        """The same words again, as after a lost answer; maybe in one group with themselves."""
        assert self.said is not None
        which, run, write, predict = self.said
        if not twice:
            self.say(which, run, write, predict)
            return
        for result in self.run(run.send(write, write)).results:
            answered = "ok" if result.problem is None else WORDS[str(result.problem["code"])]
            assert answered == predict(), (write, answered)

    # ---- workers, people, time

    @rule(which=WHICH, worker=st.sampled_from(["v", "w"]))
    def claim(self, which: int, worker: str) -> None:
        asked = self.run(self.engine.ask(f"w{which}", worker=f"{worker}-{self.ids[which]}"))
        assert ("ok" if asked.grants else "nothing") == self.refs[which].claim(self.now)
        self.seen_at[which] = self.now
        for grant in asked.grants:
            self.runs[which].insert(0, Run(self.engine, grant, self.engine.who))
            live = {path for path, each in self.refs[which].records.items() if each.status == "completed"}
            assert {each.path for each in grant.records if each.status == "completed"} == live

    @rule(which=WHICH)
    def resume(self, which: int) -> None:
        token = f"token-{self.refs[which].epoch:032}"
        again = []
        for _ in range(2):  # sent twice: one grant
            try:
                answered = self.run(
                    self.engine.resume(self.ids[which], process=process(pid=300), lease_token=token)
                )
            except IllegalTransition:
                answered = None
            again.append(answered)
        predicted = self.refs[which].resume(self.now)
        assert ("ok" if again[0] else "illegal") == predicted
        if again[0]:
            assert again[1] is not None
            assert again[0].grant.epoch == again[1].grant.epoch == self.refs[which].epoch
            self.runs[which].insert(0, again[0])

    @rule(which=WHICH)
    def requeue(self, which: int) -> None:
        self.expect(self.refs[which].requeue(), self.engine.requeue(self.ids[which]))

    @rule(which=WHICH)
    def pause(self, which: int) -> None:
        self.expect(self.refs[which].pause(), self.engine.pause(self.ids[which]))

    @rule(which=WHICH, seldom=SELDOM)
    def cancel(self, which: int, seldom: bool) -> None:
        if seldom:
            self.expect(self.refs[which].cancel(self.now), self.engine.cancel(self.ids[which]))

    def expect(self, predicted: str, asked: Any) -> None:
        try:
            self.run(asked)
        except IllegalTransition:
            assert predicted == "illegal"
        else:
            assert predicted == "ok", "what is not legal was done"

    @rule(seconds=SECONDS)
    def advance(self, seconds: int) -> None:
        self.now += seconds
        self.run(self.engine.advance(seconds))
        for number, reference in enumerate(self.refs):
            seen_at = self.seen_at[number]
            reference.sweep(self.now, served=seen_at is not None and self.now - seen_at <= SEEN_S)

    @rule(which=WHICH, what=st.sampled_from(["write", "resume", "cancel", "pause", "claim"]))
    def strange(self, which: int, what: str) -> None:
        """Somebody of another tenant, who knows the id and even the token, changes and learns nothing."""
        engine, stranger = self.engine, self.engine.stranger
        before = self.run(engine.row(self.ids[which]))
        other = Engine(engine.parts, engine.clock, stranger, engine.who)
        try:
            match what:
                case "write":
                    for run in self.runs[which][:1]:
                        same = Run(other, run.grant, stranger)
                        (result,) = self.run(same.send({"type": "execution.completed", "output": 1})).results
                        assert result.problem is not None
                        assert result.problem["code"] == "not-found"
                case "claim":
                    assert self.run(other.ask(f"w{which}", worker=f"s-{self.ids[which]}")).grants == []
                case "resume":
                    self.run(other.resume(self.ids[which]))
                    raise AssertionError("it was resumed by a stranger")
                case _:
                    self.run(getattr(other, what)(self.ids[which]))
                    raise AssertionError("it was changed by a stranger")
        except NotFound:
            pass
        assert self.run(engine.row(self.ids[which])) == before

    @precondition(lambda self: any(ref.status in FINAL | {"failed", "paused"} for ref in self.refs))
    @rule(which=WHICH)
    def replay(self, which: int) -> None:
        """An unedited replay of what has completed re-runs nothing; its source only has an event more."""
        if self.refs[which].status != "completed":
            return
        before = self.run(self.engine.row(self.ids[which]))
        command = ReplayExecution(id=f"ex_9{next(_serials):025}")
        answer = self.run(replay(self.engine.parts, self.key_file, self.engine.who, self.ids[which], command))
        done = {path for path, each in self.refs[which].records.items() if each.status == "completed"}
        plan = {each.path: each.disposition for each in answer.plan.steps}
        assert {path for path, word in plan.items() if word == "reuse"} == done
        assert set(self.run(self.engine.steps(answer.execution.id))) >= done
        after = self.run(self.engine.row(self.ids[which]))
        assert after.last_seq == before.last_seq + 1
        assert replace(after, last_seq=before.last_seq, updated_us=before.updated_us) == before
        self.run(self.engine.cancel(answer.execution.id))  # it is not part of this example

    # ---- what always holds

    @invariant()
    def stands_as_the_reference(self) -> None:
        for id_, reference in zip(self.ids, self.refs, strict=True):
            row = self.run(self.engine.row(id_))
            stands = (row.status, row.reason, row.epoch, row.suspend, bool(row.silent), row.interruptions)
            wanted = (
                reference.status,
                reference.reason,
                reference.epoch,
                reference.suspend,
                reference.silent,
                reference.interruptions,
            )
            assert stands == wanted
            assert row.steps_completed == reference.completed
            steps = self.run(self.engine.steps(id_))
            known = {path: (each.status, each.attempt) for path, each in steps.items()}
            assert {path: ("failed" if s == "retrying" else s, a) for path, (s, a) in known.items()} == {
                path: (each.status, each.attempt) for path, each in reference.records.items()
            }

    @invariant()
    def verify_finds_nothing(self) -> None:
        if self.ids and self.verify_every:
            assert self.run(list_problems(self.db)) == []
