"""The engine without HTTP, for tests: start, claim, write and move the clock, on a real database.

    run = await engine.start("report")                 # a local driver with a grant
    await run.step("search", output=[1, 2])
    with pytest.raises(LeaseLostProblem):
        await old.step("write", output="late")

Every method of a `Run` goes the whole way that a request goes below HTTP: packed outside, one transaction,
opened outside. A refused write raises the problem that it was answered with; `run.send` returns answers
instead.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from omium.clock import ManualClock
from omium.errors import from_problem
from omium.ids import new_id
from omium.models.driver import Claimed, ClaimWork, EffectAnswer, Grant, GroupResult, WriteGroup, WriteResult
from omium.models.execution import (
    CancelExecution,
    Event,
    Execution,
    PauseExecution,
    ProcessIdentity,
    ResumeAnswer,
    ResumeExecution,
    StartExecution,
)
from omium.server.db.tx import Database, Tx
from omium.server.engine.cancel import (
    reach_children,
    request_cancel,
    request_pause,
    sweep_cancels,
    sweep_trees,
)
from omium.server.engine.claims import claim
from omium.server.engine.leases import sweep_leases
from omium.server.engine.parts import EngineParts
from omium.server.engine.resume import resume, resume_queued
from omium.server.engine.start import start
from omium.server.engine.timers import sweep_timers
from omium.server.engine.views import view_event
from omium.server.engine.writes import write_group
from omium.server.ledger.book import About, EntryKind
from omium.server.ledger.funding import fund
from omium.server.principal import Principal, PrincipalKind
from omium.server.store import effects, events, failures, steps
from omium.server.store.effects import EffectRow
from omium.server.store.executions import ExecutionRow, get_execution
from omium.server.store.failures import OccurrenceRow
from omium.server.store.steps import StepRow
from omium.states import Environment, Scope

T = TypeVar("T")


def digest_of(value: object) -> str:
    """Return an input digest for tests: equal values, equal digests."""
    return hashlib.sha256(repr(value).encode()).hexdigest()


def process(pid: int = 100, boot: str = "boot-a", started: int = 5) -> ProcessIdentity:
    """Return a process on the host whose boot id is `boot`."""
    return ProcessIdentity(
        host_name="host", boot_id=boot, pid_namespace="ns-1", pid=pid, started_ticks=started
    )


def principal(tenant_id: str, key_id: str = "key_test", **fields: Any) -> Principal:
    """Return a key of the environment dev with every scope."""
    values: dict[str, Any] = {"environment": Environment.DEV, "scopes": frozenset(Scope)}
    return Principal(tenant_id, key_id, PrincipalKind.KEY, **(values | fields))


@dataclass
class Run:
    """A driver with its grant."""

    engine: Engine
    grant: Grant
    who: Principal

    @property
    def id(self) -> str:
        return self.grant.execution.id

    async def send(self, *writes: dict[str, Any]) -> GroupResult:
        """Send writes in one group and return the answer."""
        group = WriteGroup.model_validate(
            {
                "execution_id": self.id,
                "epoch": self.grant.epoch,
                "lease_token": self.grant.lease_token,
                "writes": list(writes),
            }
        )
        return await write_group(self.engine.parts, self.who, group)

    async def write(self, **write: Any) -> WriteResult:
        """Send one write; raises the problem that it is answered with."""
        (result,) = (await self.send(write)).results
        if result.problem is not None:
            raise from_problem(result.problem, int(result.problem["status"]))
        return result

    async def step(self, path: str, output: Any = "done", **fields: Any) -> int:
        """Complete a plain step and return its number."""
        seq = (await self.write(**self.engine.completed(path, output, **fields))).seq
        assert seq is not None
        return seq

    async def fail_step(
        self, path: str, *, delay_us: int | None = None, message: str = "boom", **fields: Any
    ) -> int:
        """Report a failed try; with `delay_us` another follows."""
        body = self.engine.about(path, **fields)
        error = {"type": "ValueError", "message": message}
        seq = (await self.write(type="step.attempt_failed", error=error, delay_us=delay_us, **body)).seq
        assert seq is not None
        return seq

    async def intend(self, path: str, *, mode: str = "once", **fields: Any) -> EffectAnswer:
        """Announce an effect."""
        body = self.engine.about(path, kind="effect", **fields)
        result = await self.write(type="effect.intended", mode=mode, **body)
        assert result.effect is not None
        return result.effect

    async def end_effect(self, path: str, key: str, state: str = "done", **fields: Any) -> WriteResult:
        """Report what became of an effect."""
        ending = {name: fields.pop(name) for name in ("output", "error", "delay_us") if name in fields}
        body = self.engine.about(path, kind="effect", **fields)
        return await self.write(type="effect.ended", effect_key=key, state=state, **body, **ending)

    async def effect(self, path: str, output: Any = "sent", **fields: Any) -> str:
        """Announce an effect, do it, report it; returns its key."""
        answer = await self.intend(path, **fields)
        assert answer.may_call
        await self.end_effect(path, answer.effect_key, output=output)
        return answer.effect_key

    async def heartbeat(self, *running: str) -> GroupResult:
        return await self.send({"type": "heartbeat", "running": list(running)})

    async def checkpoint(self, name: str, state: Any, **fields: Any) -> int:
        now_us = self.engine.clock.now_us()
        body = {"id": new_id("cp", now_us), "name": name, "state": state, "at_us": now_us} | fields
        seq = (await self.write(type="checkpoint.saved", **body)).seq
        assert seq is not None
        return seq

    async def complete(self, output: Any = "all done") -> WriteResult:
        return await self.write(type="execution.completed", output=output)

    async def fail(self, path: str = "", message: str = "boom") -> WriteResult:
        error = {"type": "ValueError", "message": message}
        return await self.write(type="execution.failed", path=path, error=error)

    async def wait(self, reason: str = "timer", wake_at_us: int | None = None) -> WriteResult:
        """Wait; a timer that is not told is an hour."""
        if wake_at_us is None and reason == "timer":
            wake_at_us = self.engine.clock.now_us() + 3_600_000_000
        return await self.write(type="execution.waits", reason=reason, wake_at_us=wake_at_us)

    async def suspend(self, reason: str, outcome: str = "stopped") -> WriteResult:
        return await self.write(type="execution.suspends", reason=reason, outcome=outcome)


@dataclass
class Engine:
    """A database with one tenant, and whatever tests ask of the engine."""

    parts: EngineParts
    clock: ManualClock
    who: Principal
    stranger: Principal
    """A key of another tenant."""

    @property
    def db(self) -> Database:
        return self.parts.db

    async def write(self, work: Callable[[Tx], T]) -> T:
        return await self.db.write(work)

    async def read(self, work: Callable[[Tx], T]) -> T:
        return await self.db.read(work)

    async def fund(self, amount_microcredits: int, kind: EntryKind = EntryKind.GRANT) -> None:
        """Give the tenant credits."""
        tenant_id, about = self.who.tenant_id, About(actor_id="test")
        await self.write(lambda tx: fund(tx, tenant_id, kind, amount_microcredits, about))

    def about(self, path: str, **fields: Any) -> dict[str, Any]:
        """Return what every report of a step says."""
        now_us = self.clock.now_us()
        given = fields.pop("input", "in")
        return {
            "path": path,
            "name": path.rpartition("/")[2].partition("#")[0],
            "attempt": 1,
            "input": given,
            "input_digest": digest_of(given),
            "started_at_us": now_us,
            "ended_at_us": now_us,
        } | fields

    def completed(self, path: str, output: Any = "done", **fields: Any) -> dict[str, Any]:
        """Return the report of a plain step that ended well."""
        return {"type": "step.completed", "output": output} | self.about(path, **fields)

    # ---- beginnings

    def command(self, workflow: str, driver: str, **fields: Any) -> StartExecution:
        given = fields.pop("input", {"topic": "tea"})
        values = {
            "id": new_id("ex", self.clock.now_us()),
            "lease_token": "t" * 32,
            "process": process(),
        } | fields
        return StartExecution(
            workflow=workflow, driver=driver, input=given, input_digest=digest_of(given), **values
        )

    async def start(self, workflow: str = "report", *, who: Principal | None = None, **fields: Any) -> Run:
        """Start a local execution."""
        by = who or self.who
        grant = await start(self.parts, by, self.command(workflow, "local", **fields))
        assert isinstance(grant, Grant)
        return Run(self, grant, by)

    async def queue(self, workflow: str = "report", *, who: Principal | None = None, **fields: Any) -> str:
        """Queue an execution for workers and return its id."""
        started = await start(self.parts, who or self.who, self.command(workflow, "worker", **fields))
        assert isinstance(started, Execution)
        return started.id

    async def ask(
        self, *workflows: str, worker: str = "w1", who: Principal | None = None, **fields: Any
    ) -> Claimed:
        """Ask for work once, as a worker."""
        values: dict[str, Any] = {"process": process(pid=200)} | fields
        command = ClaimWork(worker_id=worker, workflows=list(workflows) or ["report"], **values)
        return await claim(self.parts, who or self.who, command)

    async def claim(self, *workflows: str, who: Principal | None = None, **fields: Any) -> Run:
        """Claim one execution as a worker."""
        claimed = await self.ask(*workflows, who=who, **fields)
        assert claimed.grants, "there was nothing to claim"
        return Run(self, claimed.grants[0], who or self.who)

    async def worker_run(self, workflow: str = "report", **fields: Any) -> Run:
        """Queue an execution and claim it."""
        await self.queue(workflow, **fields)
        return await self.claim(workflow)

    async def resume(self, execution_id: str, **fields: Any) -> Run:
        """Go on in a process of one's own."""
        values: dict[str, Any] = {"process": process(pid=300)} | fields
        grant = await resume(self.parts, self.who, execution_id, ResumeExecution(**values))
        return Run(self, grant, self.who)

    async def requeue(self, execution_id: str, **fields: Any) -> ResumeAnswer:
        """Resume without a process: queue it for a worker."""
        command = ResumeExecution(**fields)
        return await self.write(
            lambda tx: resume_queued(tx, self.who, execution_id, command, self.parts.policy, self.parts)
        )

    async def cancel(self, execution_id: str) -> Execution:
        asked = await self.write(lambda tx: request_cancel(tx, self.who, execution_id, CancelExecution()))
        await reach_children(self.db)
        return asked

    async def pause(self, execution_id: str) -> Execution:
        return await self.write(lambda tx: request_pause(tx, self.who, execution_id, PauseExecution()))

    # ---- time

    async def sweep(self) -> int:
        """Run every sweep of the engine until it finds nothing."""
        policy = self.parts.policy
        done = 0
        for sweep in (sweep_leases, sweep_cancels, sweep_timers):
            while count := await self.write(lambda tx, s=sweep: s(tx, policy)):  # type: ignore[misc]
                done += count
        while await self.write(sweep_trees):
            pass
        return done

    async def advance(self, seconds: float) -> int:
        """Let time pass, then run the sweeps."""
        self.clock.advance(seconds)
        return await self.sweep()

    async def expire(self) -> int:
        """Let every lease run out."""
        return await self.advance(self.parts.policy.lease_s + self.parts.policy.grace_s + 1)

    # ---- looking

    async def row(self, execution_id: str) -> ExecutionRow:
        return await self.read(lambda tx: get_execution(tx, self.who.tenant_id, execution_id))

    async def steps(self, execution_id: str) -> dict[str, StepRow]:
        """Return the live steps by path."""
        found = await self.read(lambda tx: steps.list_live_steps(tx, execution_id, limit=1000))
        return {step.path: step for step in found}

    async def effects(self, execution_id: str) -> dict[str, EffectRow]:
        """Return the effects that the execution announced last, by path."""
        found = await self.read(lambda tx: effects.list_effects(tx, execution_id, limit=1000))
        return {effect.path: effect for effect in found}

    async def events(self, execution_id: str) -> list[Event]:
        tenant_id = self.who.tenant_id
        rows = await self.read(lambda tx: events.list_events(tx, tenant_id, execution_id, 0, 10_000))
        return [view_event(row) for row in rows]

    async def event_types(self, execution_id: str) -> list[str]:
        return [event.type for event in await self.events(execution_id)]

    async def inbox(self, execution_id: str) -> list[tuple[str, str, str]]:
        """Return (kind, path, status) of every occurrence of an execution, oldest first."""

        def read(tx: Tx) -> list[tuple[str, str, str]]:
            found: list[OccurrenceRow] = failures.list_of_execution(tx, execution_id, limit=100)
            listed = []
            for each in sorted(found, key=lambda occurrence: occurrence.seq):
                group = failures.find_failure(tx, self.who.tenant_id, each.failure_id)
                assert group is not None
                listed.append((group.kind, each.path, each.status))
            return listed

        return await self.read(read)
