"""Executions as bare rows, for tests of what stands beside them: the inbox, compensations, logs, usage.

`Rows` writes a row and its first event, and moves it with the engine's own `move`; whoever needs steps and
grants takes the harness instead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from omium.clock import ManualClock
from omium.server.db.tx import Database, Sql, Tx
from omium.server.engine.transitions import append_event, move
from omium.server.principal import Principal, PrincipalKind
from omium.server.store.executions import ExecutionRow, get_execution, insert_execution
from omium.server.store.tenants import insert_tenant
from omium.states import Environment, EventType, ExecutionStatus, Scope

T = TypeVar("T")

DETAILS = Sql("""
    INSERT INTO execution_details (execution_id, request_digest, input, input_digest, comparable, limits)
    VALUES (:id, '', :input, '', 'full', :limits)
""")
EPOCH = Sql("""
    INSERT INTO epochs (execution_id, epoch, granted_us, granted_to, cause, code)
    VALUES (:id, :epoch, 0, 'test', 'start', :code)
""")
RUNNING = {"lease_digest": "x", "lease_touched_us": 0}


@dataclass
class Rows:
    """A database with one tenant; every method is one transaction."""

    db: Database
    clock: ManualClock
    tenant_id: str

    @property
    def principal(self) -> Principal:
        return Principal(
            self.tenant_id, "key_test", PrincipalKind.KEY, Environment.DEV, frozenset(Scope), None
        )

    async def write(self, work: Callable[[Tx], T]) -> T:
        return await self.db.write(work)

    async def start(self, workflow: str = "report", *, code: bytes | None = None, **columns) -> ExecutionRow:
        """Insert a running execution of `workflow`, with its first event."""

        def work(tx: Tx) -> ExecutionRow:
            id_ = columns.pop("id", None) or tx.new_id("ex")
            values = dict.fromkeys(ExecutionRow.__dataclass_fields__)
            values |= {"id": id_, "tenant_id": self.tenant_id, "environment": "dev", "workflow": workflow}
            values |= {"queue": "default", "driver": "worker", "durability": "strict", "takeover": "never"}
            values |= {"status": "running", "generation": 1, "epoch": 1, "last_seq": 0, "interruptions": 0}
            values |= {"steps_completed": 0, "silent": 0, "lineage_root": id_, "started_by": "key_test"}
            values |= {"max_interruptions": 5, "interruption_streak": 0, "interruption_steps": 0}
            values |= {"created_us": tx.now_us, "started_us": tx.now_us, "updated_us": tx.now_us}
            row = ExecutionRow(**(values | RUNNING | columns))
            assert insert_execution(tx, row)
            tx.execute(DETAILS, id=id_, input=b"{}", limits=b"{}")
            tx.execute(EPOCH, id=id_, epoch=1, code=code)
            return append_event(tx, row, EventType.EXECUTION_STARTED)

        return await self.db.write(work)

    async def get(self, execution_id: str) -> ExecutionRow:
        return await self.db.read(lambda tx: get_execution(tx, self.tenant_id, execution_id))

    async def move(self, row: ExecutionRow, to: ExecutionStatus, event: EventType, **more) -> ExecutionRow:
        return await self.db.write(
            lambda tx: move(tx, get_execution(tx, self.tenant_id, row.id), to, event, **more)
        )


async def make_rows(db: Database, clock: ManualClock) -> Rows:
    tenant = await db.write(lambda tx: insert_tenant(tx, "test"))
    return Rows(db, clock, tenant.id)
