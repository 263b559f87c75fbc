"""The machine of the inbox: failures, their executions going on, and people who close, ignore and wait.

The reference is a list of occurrences and what a person said last of each group; docs/failures.md is its
source.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from omium.clock import ManualClock
from omium.errors import NotFound
from omium.models.failure import IgnoreFailure
from omium.server.engine import inbox
from omium.server.engine.failures import close_occurrences, record_occurrence
from omium.server.engine.transitions import append_event
from omium.server.store import failures as store
from omium.server.store.executions import lock_execution
from omium.server.store.tenants import insert_tenant
from omium.states import EventType, FailureStatus
from tests.engine.harness import principal
from tests.engine.rows import make_rows

WHO = st.integers(0, 2)
STEPS = ["read", "write"]


@dataclass
class Occurrence:
    execution: int
    status: str


@dataclass
class Group:
    """One item: its occurrences, and the ignore that stands."""

    occurrences: list[Occurrence] = field(default_factory=list)
    status: str = "open"
    until: float | None = None
    left: int | None = None

    @property
    def open(self) -> list[Occurrence]:
        return [each for each in self.occurrences if each.status == "open"]

    def happen(self, execution: int, now: float) -> None:
        covered = (
            self.status == "ignored"
            and (self.until is not None or self.left is not None)
            and (self.until is None or now < self.until)
            and (self.left is None or self.left > 0)
        )
        self.occurrences.append(Occurrence(execution, "ignored" if covered else "open"))
        if not covered:
            self.status, self.until, self.left = "open", None, None
        elif self.left is not None:
            self.left -= 1

    def close(self, which: list[Occurrence], status: str) -> None:
        for each in which:
            each.status = status
        if which and not self.open:
            self.status = status

    def come_back(self, now: float) -> None:
        """A date has come: what is still as it failed is open again. (Here no execution has gone on.)"""
        if self.until is None or now < self.until or self.status != "ignored":
            return
        for each in self.occurrences:
            each.status = "open" if each.status == "ignored" else each.status
        self.status = "open" if self.open else "resolved"
        self.until = self.left = None


class Inbox(RuleBasedStateMachine):
    """Subclasses give a database."""

    make_database: Callable[[ManualClock], Any]

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.clock = ManualClock()
        self.groups: dict[str, Group] = {}

    def run(self, coroutine: Any) -> Any:
        return self.loop.run(coroutine)

    @property
    def now(self) -> float:
        return self.clock.now_us() / 1_000_000

    @initialize()
    def begin(self) -> None:
        async def open_database() -> None:
            made = self.make_database(self.clock)
            self.db = await made if asyncio.iscoroutine(made) else made
            self.rows = await make_rows(self.db, self.clock)
            self.executions = [
                await self.rows.start(status="failed", reason="error", ended_us=1) for _ in range(3)
            ]
            other = await self.db.write(lambda tx: insert_tenant(tx, "other"))
            self.stranger = principal(other.id)

        self.run(open_database())

    def teardown(self) -> None:
        if hasattr(self, "db"):
            self.run(self.db.close())
        self.loop.close()

    def list_groups(self) -> dict[str, Any]:
        tenant_id = self.rows.tenant_id
        found = self.run(
            self.db.read(
                lambda tx: inbox.list_failures(tx, tenant_id, inbox.Filters(), before=(2**62, "~"), limit=10)
            )
        )
        return {each.step: each for each in found}

    @rule(who=WHO, step=st.sampled_from(STEPS), twice=st.booleans())
    def fail(self, who: int, step: str, twice: bool) -> None:
        def work(tx: Any) -> None:
            row = lock_execution(tx, self.rows.tenant_id, self.executions[who].id)
            row = append_event(tx, row, EventType.FAILURE_CAPTURED)
            error = {"type": "ValueError", "message": f"no {row.last_seq}"}
            ids = {
                record_occurrence(tx, row, kind="error", path=f"{step}#2", seq=row.last_seq, error=error)
                for _ in range(1 + twice)
            }
            assert len(ids) == 1, "one event became two failures"

        self.run(self.db.write(work))
        self.groups.setdefault(step, Group()).happen(who, self.now)

    @rule(who=WHO, status=st.sampled_from(["resolved", "replayed", "rolled_back"]))
    def go_on(self, who: int, status: str) -> None:
        def work(tx: Any) -> int:
            row = lock_execution(tx, self.rows.tenant_id, self.executions[who].id)
            return close_occurrences(tx, row, status=FailureStatus(status), by="someone", reason="went on")

        closed = self.run(self.db.write(work))
        assert self.run(self.db.write(work)) == 0, "what was closed was closed again"
        mine = [
            (group, [each for each in group.open if each.execution == who]) for group in self.groups.values()
        ]
        assert closed == sum(len(each) for _, each in mine)
        for group, each in mine:
            group.close(each, status)

    @rule(
        step=st.sampled_from(STEPS),
        count=st.sampled_from([None, 1, 3]),
        seconds=st.sampled_from([None, 5, 50]),
        stranger=st.booleans(),
    )
    def ignore(self, step: str, count: int | None, seconds: int | None, stranger: bool) -> None:
        found = self.list_groups().get(step)
        if found is None:
            return
        until_us = None if seconds is None else self.clock.now_us() + seconds * 1_000_000
        command = IgnoreFailure(reason="known", until_count=count, until_us=until_us)
        if stranger:
            self.refuse(inbox.ignore_failure(self.db, self.stranger, found.id, command))
            return
        for _ in range(2):  # the same request again is the same
            self.run(inbox.ignore_failure(self.db, self.rows.principal, found.id, command))
        group = self.groups[step]
        group.close(group.open, "ignored")
        group.status, group.left = "ignored", count
        group.until = None if seconds is None else self.now + seconds

    @rule(step=st.sampled_from(STEPS), stranger=st.booleans())
    def resolve(self, step: str, stranger: bool) -> None:
        found = self.list_groups().get(step)
        if found is None:
            return
        if stranger:
            self.refuse(inbox.resolve_failure(self.db, self.stranger, found.id, "mine"))
            return
        self.run(inbox.resolve_failure(self.db, self.rows.principal, found.id, "fixed"))
        group = self.groups[step]
        group.close(group.open, "resolved")
        group.status, group.until, group.left = "resolved", None, None

    def refuse(self, asked: Any) -> None:
        try:
            self.run(asked)
        except NotFound:
            return
        raise AssertionError("a stranger has changed an inbox")

    @rule(seconds=st.sampled_from([1, 4, 30]))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds)
        while self.run(self.db.write(inbox.end_ignores)):
            pass
        for group in self.groups.values():
            group.come_back(self.now)

    @invariant()
    def stands_as_the_reference(self) -> None:
        if not hasattr(self, "db"):
            return
        found = self.list_groups()
        assert found.keys() == self.groups.keys()
        for step, row in found.items():
            group = self.groups[step]
            listed = self.run(
                self.db.read(
                    lambda tx, row=row: store.list_occurrences(
                        tx, row.id, before_us=2**62, before_id="~", limit=1_000
                    )
                )
            )
            assert Counter(each.status for each in listed) == Counter(
                each.status for each in group.occurrences
            )
            assert (row.status, row.open_count, row.count) == (
                group.status,
                len(group.open),
                len(group.occurrences),
            )
            assert row.ignored_count_left == group.left
