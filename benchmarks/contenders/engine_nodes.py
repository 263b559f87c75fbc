"""Omium's engine: a chain of ten nodes, done by a worker in this process, without HTTP in between.

Every node is granted in one transaction and recorded in another one, with what follows from it; both are
durable before they are answered. With --itself the engine does the nodes (a `wait` of no seconds): a chain is
one transaction then.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import secrets
import time
from pathlib import Path

from benchmarks.contenders.work import RESULT, STEPS, tell
from omium.clock import SystemClock
from omium.ids import new_id
from omium.jsonvalue import JsonValue, canonical_bytes, digest
from omium.models.execution import StartExecution
from omium.server.db.open import open_database
from omium.server.engine.nodes.claiming import TaskScope, claim_tasks
from omium.server.engine.nodes.tasks import TaskLease, complete_task, pack_output
from omium.server.engine.parts import EngineParts
from omium.server.engine.start import start
from omium.server.engine.values import Vault
from omium.server.engine.workflow_versions import pack_spec, save_version
from omium.server.principal import Principal, PrincipalKind
from omium.server.seal import KeyFile
from omium.server.store.activations import ActivationRow
from omium.server.store.tenants import insert_tenant
from omium.spec.check import load_spec
from omium.states import Driver, Environment, ExecutionStatus, Scope

GIVEN: JsonValue = {}
PORTION = 8


def make_spec(*, itself: bool) -> JsonValue:
    """Return the chain."""
    names = [f"work{number}" for number in range(STEPS)]
    pause: JsonValue = {"type": "wait", "parameters": {"seconds": 0}}
    function: JsonValue = {"type": "function", "parameters": {"handler": "work"}}
    made = pause if itself else function
    assert isinstance(made, dict)
    return {
        "omium": "0",
        "name": "chain",
        "nodes": [{"id": name, **made} for name in names],
        "edges": [{"from": before, "to": after} for before, after in itertools.pairwise(names)],
    }


class Run:
    """An engine on a fresh database, with a worker that does nothing and returns the result."""

    def __init__(self, parts: EngineParts, who: Principal) -> None:
        self.parts, self.who = parts, who
        self.done = 0

    async def begin(self) -> None:
        """Start an execution of the chain."""
        command = StartExecution(
            id=new_id("ex", time.time_ns() // 1_000),
            workflow="chain",
            driver=Driver.WORKER,
            input=GIVEN,
            input_digest=digest(canonical_bytes(GIVEN)),
            lease_token=secrets.token_urlsafe(32),
        )
        await start(self.parts, self.who, command)

    async def do_some(self, limit: int) -> None:
        """Do up to `limit` tasks, beside each other; each execution that ends is followed by a new one."""
        scope = TaskScope("worker", self.who.tenant_id, self.who.environment, "default", ("work",))
        tokens = [secrets.token_hex(32) for _ in range(limit)]
        claimed = await self.parts.db.write(
            lambda tx: claim_tasks(tx, self.parts, scope, limit, tokens, "bench")
        )
        await asyncio.gather(*(self.complete(row) for row in claimed.tasks))

    async def complete(self, row: ActivationRow) -> None:
        """Report the result of one task."""
        assert row.lease_digest is not None
        lease = TaskLease(row.tenant_id, row.execution_id, row.path, row.epoch, row.lease_digest)
        output = pack_output(self.parts, lease, dict(RESULT))
        ended = await self.parts.db.write(lambda tx: complete_task(tx, self.parts, lease, output))
        self.done += 1
        if ended.execution.status == ExecutionStatus.COMPLETED:
            await self.begin()


async def measure(folder: Path, seconds: float, at_once: int, *, itself: bool) -> None:
    """Count nodes until the time is over."""
    db = await open_database(str(folder / "omium.db"), clock=SystemClock())
    try:
        parts = EngineParts(db, Vault(KeyFile.open(folder / "keys")))
        tenant = await db.write(lambda tx: insert_tenant(tx, "bench"))
        who = Principal(tenant.id, "key_bench", PrincipalKind.KEY, Environment.DEV, frozenset(Scope))
        packed = pack_spec(load_spec(make_spec(itself=itself)))
        await db.write(lambda tx: save_version(tx, who, packed))
        run = Run(parts, who)
        await asyncio.gather(*(run.begin() for _ in range(at_once)))
        started_s = time.perf_counter()

        async def work() -> None:
            while time.perf_counter() - started_s < seconds:
                if itself:
                    await run.begin()
                    run.done += STEPS
                else:
                    await run.do_some(1 if at_once == 1 else PORTION)

        await asyncio.gather(*(work() for _ in range(at_once)))
        tell(run.done, time.perf_counter() - started_s)
    finally:
        await db.close()


def main() -> None:
    """Run alone, or with executions beside each other."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--at-once", type=int, default=1)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--itself", type=int, default=0, help="1: the engine does the nodes")
    asked = parser.parse_args()
    asyncio.run(measure(asked.folder, asked.seconds, asked.at_once, itself=bool(asked.itself)))


if __name__ == "__main__":
    main()
