"""The machine of breakers: processes, people and clocks on the shared state, against lists and counting.

Three breakers that must not touch each other: one name in two environments, and in another tenant. The
clock moves in twelfths of the window, where the bounded window (twelve numbers) and a list of every call
agree exactly.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from omium.clock import ManualClock
from omium.errors import NotFound
from omium.models.breaker import BreakerCall, BreakerPolicy, SetBreaker
from omium.server.engine.breakers import get_breaker, report_calls, set_breaker
from omium.server.store.tenants import insert_tenant
from omium.states import Environment
from tests.engine.harness import principal

POLICY = BreakerPolicy(window_s=60, min_calls=4, failure_rate=0.5, cooldown_s=30, probes=2)
TICK_S = 5
TICKS = 12
WHICH = st.sampled_from([0, 0, 0, 1, 2])
FEW = st.sampled_from([0, 0, 1, 2, 3])


@dataclass
class Circuit:
    """What is known of a breaker: every call, by the tick in which it was reported."""

    state: str = "closed"
    ends_at: float | None = None  # of the cooldown; None: by hand
    newest: int = 0
    calls: list[tuple[int, int, int]] = field(default_factory=list)  # tick, succeeded, failed
    started: int = 0
    succeeded: int = 0
    probed_at: float = 0.0

    def report(self, now: float, succeeded: int, failed: int) -> None:
        if not succeeded and not failed:
            return
        self.newest = max(self.newest, int(now) // TICK_S)  # a clock that stepped back loses nothing
        self.calls.append((self.newest, succeeded, failed))
        made, broken = self.within(now)
        if self.state == "half_open" and failed:
            self.open(now)
        elif self.state == "half_open":
            self.succeeded += succeeded
            if self.succeeded >= POLICY.probes:
                self.__init__(newest=int(now) // TICK_S)  # type: ignore[misc]  # all is forgotten
        elif self.state == "closed" and failed and made >= max(POLICY.min_calls, 1):
            self.state = "closed" if broken < POLICY.failure_rate * made else "open"
            self.ends_at = now + POLICY.cooldown_s

    def within(self, now: float) -> tuple[int, int]:
        newest = max(self.newest, int(now) // TICK_S)
        kept = [(good, bad) for tick, good, bad in self.calls if tick > newest - TICKS]
        return sum(good + bad for good, bad in kept), sum(bad for _, bad in kept)

    def open(self, now: float) -> None:
        self.state, self.ends_at = "open", now + POLICY.cooldown_s

    def ask(self, now: float) -> tuple[bool, float | None]:
        """Return whether one call may pass, else when to ask again."""
        if self.state == "closed":
            return True, None
        if self.state == "open":
            if self.ends_at is None:
                return False, None
            self.ends_at = min(self.ends_at, now + POLICY.cooldown_s)
            if self.ends_at > now:
                return False, self.ends_at - now
            self.state, self.started, self.succeeded = "half_open", 0, 0
        if self.started >= POLICY.probes:
            self.probed_at = min(self.probed_at, now)
            if self.probed_at + POLICY.cooldown_s > now:
                return False, self.probed_at + POLICY.cooldown_s - now
            self.started = self.succeeded  # who probed is gone
        self.started += 1
        self.probed_at = now
        return True, None


class Breakers(RuleBasedStateMachine):
    """Subclasses give a database."""

    make_database: Callable[[ManualClock], Any]

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.clock = ManualClock()
        self.circuits = [Circuit(newest=int(self.now) // TICK_S) for _ in range(3)]
        self.known = [False] * 3

    @property
    def now(self) -> float:
        return self.clock.now_us() / 1_000_000

    @initialize()
    def begin(self) -> None:
        async def open_database() -> None:
            made = self.make_database(self.clock)
            self.db = await made if asyncio.iscoroutine(made) else made
            ours, theirs = [await self.db.write(lambda tx: insert_tenant(tx, "test")) for _ in range(2)]
            self.who = [
                principal(ours.id),
                replace(principal(ours.id), environment=Environment.PROD),
                principal(theirs.id),
            ]

        self.loop.run(open_database())

    def teardown(self) -> None:
        if hasattr(self, "db"):
            self.loop.run(self.db.close())
        self.loop.close()

    @rule(which=WHICH, succeeded=FEW, failed=FEW, ask=st.booleans())
    def call(self, which: int, succeeded: int, failed: int, ask: bool) -> None:
        self.call_and_compare(which, succeeded, failed, ask=ask)

    def call_and_compare(self, which: int, succeeded: int, failed: int, *, ask: bool) -> None:
        circuit, who = self.circuits[which], self.who[which]
        made = BreakerCall(name="llm", policy=POLICY, succeeded=succeeded, failed=failed, want_permission=ask)
        answer = self.loop.run(self.db.write(lambda tx: report_calls(tx, who, made)))
        if not self.known[which]:
            self.known[which], circuit.newest = True, int(self.now) // TICK_S
        circuit.report(self.now, succeeded, failed)
        allowed, again_s = circuit.ask(self.now) if ask else (circuit.state == "closed", None)
        assert (answer.state, answer.allowed, answer.retry_after_s) == (circuit.state, allowed, again_s)

    @rule(which=WHICH, times=st.integers(1, 4))
    def ask(self, which: int, times: int) -> None:
        """Many processes ask at once; none of them may live to report."""
        for _ in range(times):
            self.call_and_compare(which, 0, 0, ask=True)

    @rule(which=WHICH)
    def fail(self, which: int) -> None:
        self.call_and_compare(which, 0, 4, ask=False)

    @rule(which=WHICH, state=st.sampled_from(["open", "closed"]), seldom=st.integers(0, 7))
    def set_by_hand(self, which: int, state: Any, seldom: int) -> None:
        if seldom:
            return
        circuit, who = self.circuits[which], self.who[which]
        for _ in range(2):  # a repeat changes nothing more
            self.loop.run(self.db.write(lambda tx: set_breaker(tx, who, "llm", SetBreaker(state=state))))
        if not self.known[which]:
            self.known[which], circuit.newest = True, int(self.now) // TICK_S
        if state == "closed":
            circuit.__init__(newest=int(self.now) // TICK_S)  # type: ignore[misc]
        else:
            circuit.state, circuit.ends_at = "open", None

    @rule(ticks=st.sampled_from([1, 1, 2, 6, 13]))
    def advance(self, ticks: int) -> None:
        self.clock.advance(ticks * TICK_S)

    @rule(ticks=st.sampled_from([1, 7]))
    def step_back(self, ticks: int) -> None:
        self.clock.step_wall(-ticks * TICK_S)

    @invariant()
    def everybody_sees_the_same(self) -> None:
        if not hasattr(self, "db"):
            return
        for who, circuit, known in zip(self.who, self.circuits, self.known, strict=True):
            try:
                seen = self.loop.run(self.db.read(lambda tx, who=who: get_breaker(tx, who, "llm")))
            except NotFound:
                assert not known
                continue
            made, broken = circuit.within(self.now)
            assert (seen.state, seen.calls, seen.failures) == (circuit.state, made, broken)
