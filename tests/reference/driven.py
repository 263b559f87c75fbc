"""Drives the product's engine over a real database, one transaction after the other, dying whenever it may.

    driven = Driven(database_url, clock, Script(seed), random.Random(seed), deaths=Deaths.EVERYWHERE)
    story = await driven.run(spec, catalog, {"topic": "tea"})

Stands for everything around the engine: a worker that serves the handler `work`, the loop that judges
conditions, the sweeps, time. Every write is first run and lost before its commit, then run again by a server
that knows nothing but the database; a claim's answer is lost once, too, so that its leases run out, and who
had it reports too late; every report of a task is sent twice. Effects are counted where they happen. The
rules are tests/reference_engine.py, what is to be run tests/reference/specs.py.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import Any, TypeVar

from omium.clock import ManualClock
from omium.errors import LeaseLostProblem
from omium.ids import new_id
from omium.models.execution import ResumeExecution, StartExecution
from omium.models.replay import DecideEffect
from omium.server.db.open import open_database
from omium.server.db.tx import Sql, SqlValue, Tx
from omium.server.engine.decisions import decide_effect
from omium.server.engine.mishaps import pack_error
from omium.server.engine.nodes.conditions import judge_node, list_ending
from omium.server.engine.nodes.inputs import open_column
from omium.server.engine.nodes.sweeps import sweep_nodes
from omium.server.engine.nodes.tasks import (
    TaskLease,
    TaskScope,
    claim_tasks,
    complete_task,
    fail_task,
    grant_task,
    pack_output,
    touch_task,
)
from omium.server.engine.nodes.work import work_on
from omium.server.engine.parts import EngineParts
from omium.server.engine.resume import resume_queued
from omium.server.engine.start import start
from omium.server.engine.values import Vault
from omium.server.engine.workflow_versions import pack_spec, save_version
from omium.server.store import activations, details, engine_runs, steps
from omium.server.store.activations import ActivationRow
from omium.server.store.effects import list_effects
from omium.server.store.executions import ExecutionRow, find_execution
from omium.server.store.tenants import insert_tenant
from omium.spec.check import load_spec
from omium.spec.schedule import InstanceState, parse_key
from omium.states import EffectDecision
from tests.engine.forwarding import ForwardingTx
from tests.engine.harness import digest_of, principal
from tests.reference.scope import Done, Fails, Script, Vector
from tests.reference.specs import normal
from tests.reference.static import SpecDict

T = TypeVar("T")
Place = tuple[str, str, Vector, str]
ENDED = ("completed", "failed", "cancelled")
CHILDREN = Sql("SELECT id, parent_path FROM executions WHERE parent_id = :execution_id")


@dataclass
class Child:
    """A row of `CHILDREN`."""

    id: str
    parent_path: str


class Died(Exception):
    """The process is gone, before the commit."""


class Deaths(Enum):
    """When the server dies."""

    NEVER = "never"
    SOMETIMES = "sometimes"
    EVERYWHERE = "everywhere"


class StuckError(AssertionError):
    """Nothing is left to do, and the execution has not ended."""


class SpyTx(ForwardingTx):
    """Notes the instances that are written: who won is in them, and nowhere else once they are dropped."""

    __slots__ = ("_noted",)

    def __init__(self, tx: Tx, noted: list[tuple[str, str, str, bytes]]) -> None:
        super().__init__(tx)
        self._noted = noted

    def send(self, sql: Sql, **params: SqlValue) -> None:
        if sql is engine_runs.PUT_INSTANCE:
            names = ("execution_id", "scope", "key", "state")
            self._noted.append(tuple(params[name] for name in names))  # type: ignore[arg-type]
        super().send(sql, **params)


@dataclass
class Told:
    """What one execution recorded, and those that it started; the names are those of a reference's story."""

    status: str
    output: Any
    activations: dict[str, tuple[Any, ...]] = field(default_factory=dict)


class Driven:
    """A server and a worker, in turns."""

    def __init__(
        self,
        url: str,
        clock: ManualClock,
        vault: Vault,
        script: Script,
        chance: random.Random,
        deaths: Deaths = Deaths.NEVER,
        *,
        reopened: float = 1.0,
        commits_max: int = 3_000,
    ) -> None:
        self.url, self.clock, self.vault, self.script, self.chance = url, clock, vault, script, chance
        self.deaths, self.reopened, self.commits_max = deaths, reopened, commits_max
        self.commits = self.died = 0
        self.effects: dict[str, list[str]] = {}
        """The keys under which each effect was called, by path: what the outside has seen."""
        self.winners: dict[Place, str] = {}
        self._noted: list[tuple[str, str, str, bytes]] = []
        self._tokens = itertools.count(1)
        self._granted: dict[tuple[str, str], tuple[TaskLease, ActivationRow]] = {}
        self._lost: set[tuple[str, str]] = set()
        self._zombies: dict[tuple[str, str], TaskLease] = {}
        self._prefixes: dict[str, str] = {}

    # ---- life and death

    async def open(self) -> None:
        self.db = await open_database(self.url, clock=self.clock)
        self.parts = EngineParts(self.db, self.vault)

    async def close(self) -> None:
        await self.db.close()

    async def die(self) -> None:
        """Begin again with nothing but the database; now and then with the file opened anew, too."""
        self.died += 1
        if self.chance.random() < self.reopened:
            await self.close()
            await self.open()
        else:
            self.parts = EngineParts(self.db, self.vault)

    def _is_doomed(self) -> bool:
        if self.deaths is Deaths.SOMETIMES:
            return self.chance.random() < 0.1
        return self.deaths is Deaths.EVERYWHERE

    async def write(self, work: Callable[[Tx], T]) -> T:
        """Run `work` once in vain and once for good."""
        if self._is_doomed():
            try:
                await self.db.write(lambda tx: _lose(work, tx))
            except Died:
                await self.die()
        noted: list[tuple[str, str, str, bytes]] = []
        result = await self.db.write(lambda tx: work(SpyTx(tx, noted)))
        self.commits += 1
        if self.commits > self.commits_max:
            raise StuckError(f"{self.commits} commits, and no end")
        self._noted += noted
        if self._is_doomed():
            await self.die()
        return result

    # ---- one execution

    async def run(self, spec: SpecDict, catalog: dict[str, SpecDict], given: Any) -> dict[str, Told]:
        """Run `spec` to its end; return what it recorded, and what the executions below it did, by prefix."""
        tenant = await self.db.write(lambda tx: insert_tenant(tx, "test"))
        self.who = principal(tenant.id)
        for each in (*catalog.values(), spec):
            packed = pack_spec(load_spec(each))
            await self.db.write(lambda tx, packed=packed: save_version(tx, self.who, packed))
        command = StartExecution(
            workflow=spec["name"],
            driver="worker",
            input=given,
            input_digest=digest_of(given),
            id=new_id("ex", self.clock.now_us()),
            lease_token="t" * 32,
        )
        started = await start(self.parts, self.who, command)
        self._prefixes[started.id] = ""
        while await self._do_something():
            pass
        told = {prefix: await self._tell(id_) for id_, prefix in self._prefixes.items()}
        await self._note_winners()
        return told

    async def _do_something(self) -> bool:
        """Take one turn of who has something to do; False when all executions have ended."""
        live = await self.db.read(self._look)
        rows = [row for execution, listed in live if execution.status not in ENDED for row in listed]
        turns: list[Callable[[], Any]] = []
        if any(row.state == "ready" and row.executor == "worker" for row in rows):
            turns += [self._claim]
        turns += [lambda held=held: self._finish(held) for held in self._granted]
        turns += [self._judge for row in rows if row.state == "ending"]
        if turns:
            await self.chance.choice(turns)()
            return True
        if all(execution.status in ENDED for execution, _ in live):
            return False
        for seconds in (0, 2, 40):  # what is due; timers; leases
            self.clock.advance(seconds)
            if await self._sweep():
                return True
        for execution, listed in live:
            for row in listed:
                if row.waiting_reason == "effect" and await self._decide(execution, row):
                    return True
            if execution.status == "paused":
                await self.write(partial(self._resume, execution.id))
                return True
        shown = [
            (execution.id, execution.status, [(row.path, row.state, row.waiting_reason) for row in listed])
            for execution, listed in live
        ]
        raise StuckError(str(shown)[:1_000])

    def list_doubled(self) -> list[str]:
        """Return the effects that happened again, but for the key by which a receiver knows them."""
        return [
            path for path, keys in self.effects.items() if len(set(keys)) > 1 or self._is_again(path, keys)
        ]

    def _is_again(self, path: str, keys: list[str]) -> bool:
        node = re.split("[/>]", path)[-1].partition("#")[0]
        return len(keys) > 1 and not node.endswith("same")

    def _look(self, tx: Tx) -> list[tuple[ExecutionRow, list[ActivationRow]]]:
        found = []
        waiting = list(self._prefixes)
        while waiting:
            execution_id = waiting.pop(0)
            row = find_execution(tx, self.who.tenant_id, execution_id)
            assert row is not None
            found.append((row, activations.list_activations(tx, execution_id)))
            for child in tx.all(CHILDREN, Child, execution_id=execution_id):
                if child.id not in self._prefixes:
                    self._prefixes[child.id] = f"{self._prefixes[execution_id]}{child.parent_path}>"
                    waiting.append(child.id)
        return found

    # ---- the worker

    async def _claim(self) -> None:
        for _ in range(2 if self._is_doomed() else 1):
            tokens = [str(next(self._tokens)).zfill(64) for _ in range(self.chance.randint(1, 3))]
            claimed = await self.write(partial(self._claim_in, tokens))
            fresh = [row for row in claimed if self._may_lose(row)]
            for row in claimed:
                assert row.lease_digest is not None
                lease = TaskLease(row.tenant_id, row.execution_id, row.path, row.epoch, row.lease_digest)
                self._granted[row.execution_id, row.path] = (lease, row)
            if self._is_doomed() and fresh:
                await self._lose_grants(fresh)

    def _claim_in(self, tokens: list[str], tx: Tx) -> list[ActivationRow]:
        scope = TaskScope("worker", self.who.tenant_id, "dev", "default", ("work",))
        return claim_tasks(tx, self.parts, scope, len(tokens), tokens, "w1").tasks

    def _may_lose(self, row: ActivationRow) -> bool:
        return (row.execution_id, row.path) not in self._lost

    async def _lose_grants(self, rows: list[ActivationRow]) -> None:
        """Let these leases run out; who had them wakes up once somebody else is at it."""
        for row in rows:
            self._lost.add((row.execution_id, row.path))
            self._zombies[row.execution_id, row.path] = self._granted.pop((row.execution_id, row.path))[0]
            if row.effect_key is not None and self.chance.random() < 0.5:
                self._call(row)
        self.clock.advance(self.parts.policy.lease_s + self.parts.policy.grace_s + 1)
        for lease, _ in self._granted.values():
            await self.db.write(lambda tx, lease=lease: touch_task(tx, lease))
        while await self._sweep():
            pass

    async def _wake_zombie(self, held: tuple[str, str]) -> None:
        """Let whoever lost the task say that it has done it, and something wrong; nobody may believe it."""
        zombie = self._zombies.pop(held, None)
        if zombie is None:
            return
        wrong = pack_output(self.parts, zombie, "from a zombie")
        with suppress(LeaseLostProblem):
            await self.db.write(lambda tx: complete_task(tx, self.parts, zombie, wrong))

    def _call(self, row: ActivationRow) -> None:
        """Let an effect happen."""
        assert row.effect_key is not None
        self.effects.setdefault(self._prefixes[row.execution_id] + row.path, []).append(row.effect_key)

    async def _finish(self, held: tuple[str, str]) -> None:
        lease, row = self._granted.pop(held)
        await self._wake_zombie(held)
        grant = await self.db.read(lambda tx: grant_task(tx, self.parts, row))
        path = self._prefixes[row.execution_id] + row.path
        definition = {"id": grant.node, "type": "function"}
        if row.effect_key is not None:
            self._call(row)
        outcome = self.script.act(path, definition, grant.inputs)

        def report(tx: Tx) -> Any:
            if isinstance(outcome, Done):
                return complete_task(tx, self.parts, lease, pack_output(self.parts, lease, outcome.output))
            info = {"type": "Refused", "message": outcome.code, "code": outcome.code}
            error = pack_error(self.vault, info)
            return fail_task(tx, self.parts, lease, error, retryable=False, not_applied=True)

        said = await self.write(report)
        if self.deaths is not Deaths.NEVER:  # the answer was lost, so it is said again
            try:
                again = await self.db.write(report)
            except LeaseLostProblem:
                assert isinstance(outcome, Fails), f"{path} is done, and its worker is told otherwise"
            else:
                assert again.state == said.state

    # ---- the person who looks whether an effect happened

    async def _decide(self, execution: ExecutionRow, row: ActivationRow) -> bool:
        """Tell what became of an effect whose caller was lost; False where nobody asks."""
        path = self._prefixes[execution.id] + row.path
        effects = await self.db.read(lambda tx: list_effects(tx, execution.id, limit=1_000))
        open_ones = [each for each in effects if each.path == row.path and each.state == "unknown"]
        effect = next((each for each in open_ones if each.decided_by is None), None)
        if effect is None:
            return False
        given = await self.db.read(partial(self._given, execution, row))
        outcome = self.script.act(path, {"id": row.node, "type": "function"}, given)
        happened = effect.effect_key in self.effects.get(path, [])
        if isinstance(outcome, Fails) and happened:  # what fails has not happened
            self.effects[path].remove(effect.effect_key)
        if isinstance(outcome, Done) and happened:
            command = DecideEffect(decision=EffectDecision.CONFIRM)
            output = self.vault.pack(row.tenant_id, outcome.output, what="output")
        else:
            command, output = DecideEffect(decision=EffectDecision.REDO), None
        await self.write(
            lambda tx: decide_effect(tx, self.who, execution.id, effect.effect_key, command, output)
        )
        return True

    def _given(self, execution: ExecutionRow, row: ActivationRow, tx: Tx) -> Any:
        assert row.input is not None
        return open_column(work_on(tx, self.parts, execution), row.input)

    def _resume(self, execution_id: str, tx: Tx) -> None:
        resume_queued(tx, self.who, execution_id, ResumeExecution(), self.parts.policy, self.parts)

    # ---- the server's loop

    async def _sweep(self) -> bool:
        return bool(await self.write(lambda tx: sweep_nodes(tx, self.parts)))

    async def _judge(self) -> None:
        """Evaluate the conditions of one node, outside of a transaction, and go on behind it."""
        asked = self.chance.choice(await self.db.read(lambda tx: list_ending(tx, self.parts, 100)))
        held: dict[str, bool] = {}
        fault = None
        for question in asked.questions:
            found = self.script.holds(question.source, question.values)
            if found is None:
                fault = f"{question.source} says nothing"
                break
            held[question.edge] = found
            if found and asked.is_choice:
                break
        await self.write(lambda tx: judge_node(tx, self.parts, asked, held, fault))

    # ---- what it did

    async def _tell(self, execution_id: str) -> Told:
        def read(tx: Tx) -> Told:
            row = find_execution(tx, self.who.tenant_id, execution_id)
            assert row is not None
            work = work_on(tx, self.parts, row)
            said = details.get_details(tx, execution_id).output
            told = Told(row.status, open_column(work, said) if said is not None else None)
            for step in steps.list_live_steps(tx, execution_id, limit=100_000):
                given = open_column(work, step.input) if step.input is not None else None
                if step.status == "completed":
                    output = open_column(work, step.output) if step.output is not None else None
                    told.activations[step.path] = (given, "done", output)
                else:
                    told.activations[step.path] = (given, step.status, open_column(work, step.error)["code"])
            return told

        return await self.db.read(read)

    async def _note_winners(self) -> None:
        def read(tx: Tx) -> None:
            for execution_id, prefix in self._prefixes.items():
                row = find_execution(tx, self.who.tenant_id, execution_id)
                assert row is not None
                work = work_on(tx, self.parts, row)
                for noted_id, scope, key, kept in self._noted:
                    if noted_id != execution_id:
                        continue
                    graph = work.definition.scope(scope).graph
                    region = graph.regions[key.partition("#")[0]]
                    vector = parse_key(key, region.depth)[1]
                    inner = f"{prefix}{scope}/" if scope else prefix
                    for unit, edge in InstanceState.from_bytes(kept).winners.items():
                        place = (inner, region.id, vector, region.units_order[unit])
                        self.winners.setdefault(place, graph.edges[edge].id)

        await self.db.read(read)


def _lose(work: Callable[[Tx], Any], tx: Tx) -> None:
    work(tx)
    raise Died


def list_differences(told: dict[str, Told], reference: Any) -> Iterator[str]:
    """Yield what the engine and the reference disagree on."""
    ours = {prefix + path: facts for prefix, each in told.items() for path, facts in each.activations.items()}
    theirs = {
        path: (each.inputs, "done" if each.state == "done" else "failed", each.output)
        for path, each in reference.activations.items()
        if each.state not in ("ready", "running")
    }
    if told[""].status != reference.status:
        yield f"status {told[''].status}, not {reference.status}"
        return
    if normal(told[""].output) != normal(reference.output):
        yield f"output {told[''].output}, not {reference.output}"
    failed = any(scope.failing for scope in reference.scopes.values())
    for path in ours.keys() | theirs.keys():
        if path not in ours or path not in theirs:
            if not failed:
                yield f"{path} is only in {'the engine' if path in ours else 'the reference'}"
            continue
        (given, state, output), (wanted, ended, gives) = ours[path], theirs[path]
        if isinstance(given, dict) and "inputs" in given and "items" in given:
            given = given["inputs"]
        if isinstance(given, dict) and "seconds" in given:
            given = {name: each for name, each in given.items() if name != "seconds"}
        if given is not None and normal(given) != normal(wanted):
            yield f"{path} was given {given}, not {wanted}"
        if (state, normal(output)) != (ended, normal(gives)):
            yield f"{path} is {state} with {output}, not {ended} with {gives}"
