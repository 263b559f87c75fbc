"""Specs and their executions for tests of the engine: import one, start it, do its tasks by hand.

run = await nodes.start(chain("a", "b"))
task = await nodes.claim()                    # the task of `a`, as a worker
await nodes.complete(task, {"text": "tea"})
assert (await nodes.row(run)).status == "completed"
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from omium.ids import new_id
from omium.models.execution import StartExecution
from omium.server.engine.mishaps import pack_error
from omium.server.engine.nodes.conditions import judge_node, list_ending
from omium.server.engine.nodes.deciding import decide_approval, deliver_signal
from omium.server.engine.nodes.sweeps import sweep_nodes
from omium.server.engine.nodes.tasks import (
    Ended,
    TaskLease,
    TaskScope,
    claim_tasks,
    complete_task,
    fail_task,
    pack_output,
    touch_task,
)
from omium.server.engine.start import start
from omium.server.store import activations, workflows
from omium.server.store.activations import ActivationRow
from omium.server.store.workflows import WorkflowRow, WorkflowVersionRow
from omium.spec.canonical import canonical_bytes, spec_digest
from omium.spec.check import load_spec
from tests.engine.harness import Engine, digest_of


def function(node_id: str, **fields: Any) -> dict[str, Any]:
    """Return a node that a worker's handler of the same name does."""
    return {"id": node_id, "type": "function", "parameters": {"handler": node_id}} | fields


def chain(*ids: str, **fields: Any) -> dict[str, Any]:
    """Return a spec of functions, one after the other."""
    edges = [{"from": one, "to": other} for one, other in pairwise(ids)]
    return spec([function(each) for each in ids], edges, **fields)


def spec(nodes: list[dict[str, Any]], edges: list[dict[str, Any]] = (), **fields: Any) -> dict[str, Any]:
    return {"omium": "0", "name": "flow", "nodes": nodes, "edges": list(edges)} | fields


@dataclass
class Nodes:
    """The engine with workflows in its store, and a worker that does what it is told."""

    engine: Engine

    @property
    def parts(self):
        return self.engine.parts

    async def store(self, document: dict[str, Any]) -> None:
        """Store a spec as a version of its workflow."""
        loaded = load_spec(document)
        engine, now_us = self.engine, self.engine.clock.now_us()

        def insert(tx):
            known = workflows.lock_workflow(tx, engine.who.tenant_id, loaded.name)
            number = known.version + 1 if known else 1
            row = known or WorkflowRow(
                tx.new_id("wf"), engine.who.tenant_id, loaded.name, 1, None, None, now_us, "t", now_us
            )
            if known is None:
                workflows.insert_workflow(tx, row)
            workflows.insert_version(
                tx,
                WorkflowVersionRow(
                    tenant_id=engine.who.tenant_id,
                    workflow_id=row.id,
                    number=number,
                    document=canonical_bytes(loaded),
                    digest=spec_digest(loaded),
                    mode=loaded.runtime.mode,
                    label="",
                    description="",
                    source_framework="custom",
                    note="",
                    author="t",
                    restored_from=None,
                    created_us=now_us,
                ),
            )
            if known is not None:
                workflows.advance_workflow(tx, row, number)

        await engine.write(insert)

    async def start(self, document: dict[str, Any] | str = "flow", given: Any = None, **fields: Any) -> str:
        """Store a spec where one is given, start it, and return the execution's id."""
        if not isinstance(document, str):
            await self.store(document)
            document = document["name"]
        given = {} if given is None else given
        command = StartExecution(
            id=fields.pop("id", new_id("ex", self.engine.clock.now_us())),
            workflow=document,
            driver="worker",
            input=given,
            input_digest=digest_of(given),
            **fields,
        )
        started = await start(self.parts, self.engine.who, command)
        return started.id

    # ---- tasks

    def scope(self, executor: str = "worker", handlers: list[str] | None = None) -> TaskScope:
        who = self.engine.who
        if executor == "server":
            return TaskScope("server")
        return TaskScope(executor, who.tenant_id, who.environment.value, "default", handlers or HANDLERS)

    async def claim_all(self, limit: int = 16, **fields: Any) -> list[ActivationRow]:
        """Claim what there is, up to `limit` tasks of one execution."""
        digests = [f"{hashlib.sha256(str(at).encode()).hexdigest()}" for at in range(limit)]
        scope = self.scope(**fields)
        taken = await self.engine.write(lambda tx: claim_tasks(tx, self.parts, scope, limit, digests, "w1"))
        return taken.tasks

    async def claim(self, **fields: Any) -> ActivationRow:
        tasks = await self.claim_all(1, **fields)
        assert tasks, "there was nothing to claim"
        return tasks[0]

    async def claim_of(self, execution_id: str) -> ActivationRow:
        """Claim the next task of one execution; tasks of others are left to their leases."""
        while True:
            task = await self.claim()
            if task.execution_id == execution_id:
                return task

    @staticmethod
    def lease(task: ActivationRow) -> TaskLease:
        assert task.lease_digest is not None
        return TaskLease(task.tenant_id, task.execution_id, task.path, task.epoch, task.lease_digest)

    async def complete(self, task: ActivationRow, output: Any = None, **fields: Any) -> Ended:
        lease = self.lease(task)
        packed = pack_output(self.parts, lease, output)
        return await self.engine.write(lambda tx: complete_task(tx, self.parts, lease, packed, **fields))

    async def fail(self, task: ActivationRow, type_: str = "ValueError", **fields: Any) -> Ended:
        error = pack_error(self.parts.vault, {"type": type_, "message": "boom"} | fields.pop("error", {}))
        lease = self.lease(task)
        return await self.engine.write(lambda tx: fail_task(tx, self.parts, lease, error, **fields))

    async def touch(self, task: ActivationRow):
        return await self.engine.write(lambda tx: touch_task(tx, self.lease(task)))

    async def do(self, *outputs: Any, **fields: Any) -> None:
        """Claim and complete one task after the other."""
        for output in outputs:
            await self.complete(await self.claim(**fields), output)

    async def do_all(self, output: Any = None, limit: int = 1000) -> list[str]:
        """Do every task that comes until there is none; returns their paths in order."""
        done: list[str] = []
        for _ in range(limit):
            await self.sweep()
            tasks = await self.claim_all()
            if not tasks:
                return done
            for task in tasks:
                await self.complete(task, output)
                done.append(task.path)
        raise AssertionError("it never ended")

    # ---- what people and others say

    async def judge(self, answers: dict[str, bool] | None = None, fault: str | None = None) -> list[Any]:
        """Judge the conditions of every node that has ended; returns what was asked."""
        asked = await self.engine.read(lambda tx: list_ending(tx, self.parts, 100))
        for ending in asked:
            said = {each.edge: (answers or {}).get(each.edge, False) for each in ending.questions}
            await self.engine.write(lambda tx, e=ending, s=said: judge_node(tx, self.parts, e, s, fault))
        return asked

    async def signal(self, execution_id: str, name: str, payload: Any = None, id_: str = "s1", who=None):
        by = who or self.engine.who
        packed = self.parts.vault.pack(by.tenant_id, payload)
        return await self.engine.write(
            lambda tx: deliver_signal(tx, self.parts, by, execution_id, name, packed, id_)
        )

    async def decide(self, execution_id: str, path: str, decision: str = "approved", who=None):
        by = who or self.engine.who
        return await self.engine.write(
            lambda tx: decide_approval(tx, self.parts, by, execution_id, path, decision, "fine")
        )

    # ---- time

    async def sweep(self) -> int:
        done = 0
        while count := await self.engine.write(lambda tx: sweep_nodes(tx, self.parts)):
            done += count
        return done

    async def advance(self, seconds: float) -> int:
        self.engine.clock.advance(seconds)
        return await self.sweep()

    # ---- looking

    async def row(self, execution_id: str):
        return await self.engine.row(execution_id)

    async def status(self, execution_id: str) -> tuple[str, str | None]:
        row = await self.row(execution_id)
        return row.status, row.reason

    async def output(self, execution_id: str) -> Any:
        from omium.server.store import details

        column = (await self.engine.read(lambda tx: details.get_details(tx, execution_id))).output
        return json.loads(column) if column is not None else None

    async def live(self, execution_id: str) -> dict[str, tuple[str, str | None]]:
        """Return state and waiting reason of what has not ended, by path."""
        found = await self.engine.read(lambda tx: activations.list_activations(tx, execution_id))
        return {each.path: (each.state, each.waiting_reason) for each in found}


HANDLERS = ["a", "b", "c", "d", "e", "draft", "check", "send", "each", "work"]
