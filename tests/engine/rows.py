"""Executions as bare rows, for tests of what stands beside them: the inbox, compensations, logs, usage.

`Rows` writes a row and its first event, and moves it with the engine's own `move`; whoever needs steps and
grants takes the harness instead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from omium.clock import ManualClock
from omium.jsonvalue import digest
from omium.server.db.tx import Database, Sql, Tx
from omium.server.engine.transitions import append_event, move
from omium.server.principal import Principal, PrincipalKind
from omium.server.store.checkpoints import CheckpointRow, insert_checkpoint
from omium.server.store.effects import EffectRow, insert_effect
from omium.server.store.executions import ExecutionRow, get_execution, insert_execution, lock_execution
from omium.server.store.steps import StepRow, list_live_steps, put_step
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
            values |= {"ran_us": 0, "payload_bytes": 0}
            values |= {"created_us": tx.now_us, "started_us": tx.now_us, "updated_us": tx.now_us}
            row = ExecutionRow(**(values | RUNNING | columns))
            assert insert_execution(tx, row)
            tx.execute(DETAILS, id=id_, input=b"{}", limits=b"{}")
            tx.execute(EPOCH, id=id_, epoch=1, code=code)
            return append_event(tx, row, EventType.EXECUTION_STARTED)

        return await self.db.write(work)

    async def step(self, row: ExecutionRow, path: str, **columns) -> int:
        """Record a completed step (or what `columns` say) and return the number of its event."""

        def work(tx: Tx) -> int:
            locked = lock_execution(tx, self.tenant_id, row.id)
            status = columns.get("status", "completed")
            event = EventType.STEP_COMPLETED if status == "completed" else EventType.STEP_FAILED
            now = append_event(tx, locked, event, {"path": path})
            values = dict.fromkeys(StepRow.__dataclass_fields__)
            values |= {
                "execution_id": row.id,
                "path": path,
                "name": path.rsplit("/", maxsplit=1)[-1],
                "occurrence": 1,
            }
            values |= {"explicit_key": 0, "kind": "step", "generation": now.generation, "epoch": 1}
            values |= {"status": status, "attempt": 1, "interruptions": 0}
            values |= {"input_digest": digest(path.encode()), "comparable": "full"}
            values |= {"output": b'"out"', "output_digest": digest(b'"out"')}
            values |= {"started_us": tx.now_us, "ended_us": tx.now_us}
            values |= {"completed_seq": now.last_seq if status == "completed" else None}
            assert put_step(tx, StepRow(**(values | columns)))
            return now.last_seq

        return await self.db.write(work)

    async def effect(self, row: ExecutionRow, path: str, state: str = "done", **columns) -> str:
        """Record an effect, for `done` with its step, and return its key."""
        done_seq = (
            await self.step(row, path, kind="effect", effect_key=f"{row.id}:{path}")
            if state == "done"
            else None
        )

        def work(tx: Tx) -> str:
            locked = append_event(
                tx, lock_execution(tx, self.tenant_id, row.id), EventType.EFFECT_INTENDED, {"path": path}
            )
            values = dict.fromkeys(EffectRow.__dataclass_fields__)
            values |= {"tenant_id": self.tenant_id, "effect_key": f"{row.id}:{path}", "path": path, "redo": 0}
            values |= {"lineage_root": row.lineage_root, "execution_id": row.id, "mode": "once"}
            values |= {
                "state": state,
                "generation": locked.generation,
                "epoch": 1,
                "attempt": 1,
                "name": path,
            }
            values |= {"input": b"1", "input_digest": "", "intended_seq": locked.last_seq, "compensated": 0}
            values |= {"intended_us": tx.now_us, "done_seq": done_seq}
            effect = EffectRow(**(values | columns))
            assert insert_effect(tx, effect)
            return effect.effect_key

        return await self.db.write(work)

    async def checkpoint(self, row: ExecutionRow, name: str) -> str:
        """Save a state and return its id."""

        def work(tx: Tx) -> str:
            locked = append_event(
                tx, lock_execution(tx, self.tenant_id, row.id), EventType.CHECKPOINT_SAVED, {"name": name}
            )
            id_ = tx.new_id("cp")
            insert_checkpoint(
                tx,
                CheckpointRow(
                    id_,
                    row.id,
                    locked.generation,
                    "",
                    name,
                    locked.last_seq,
                    b"{}",
                    digest(b"{}"),
                    tx.now_us,
                    None,
                ),
            )
            return id_

        return await self.db.write(work)

    async def child(self, row: ExecutionRow, path: str, **columns) -> ExecutionRow:
        """Start a child at `path`."""
        child = await self.start("part", parent_id=row.id, parent_path=path, **columns)
        await self.db.write(
            lambda tx: append_event(
                tx,
                lock_execution(tx, self.tenant_id, row.id),
                EventType.CHILD_STARTED,
                {"path": path, "child_id": child.id},
            )
        )
        return child

    async def live_paths(self, row: ExecutionRow) -> list[str]:
        """Return what a resume would see, in the order of paths."""
        return [each.path for each in await self.db.read(lambda tx: list_live_steps(tx, row.id, limit=1000))]

    async def get(self, execution_id: str) -> ExecutionRow:
        return await self.db.read(lambda tx: get_execution(tx, self.tenant_id, execution_id))

    async def move(self, row: ExecutionRow, to: ExecutionStatus, event: EventType, **more) -> ExecutionRow:
        return await self.db.write(
            lambda tx: move(tx, get_execution(tx, self.tenant_id, row.id), to, event, **more)
        )


async def make_rows(db: Database, clock: ManualClock) -> Rows:
    tenant = await db.write(lambda tx: insert_tenant(tx, "test"))
    return Rows(db, clock, tenant.id)
