"""Executions: the small, hot row of each, which decides everything; what is large stands in details.py.

Owns reading, locking, inserting, and the conditional UPDATE that every change of a row goes through. Does not
know which change is legal (engine/transitions.py) or whose turn it is (engine/claims.py). Pages of many
executions are execution_lists.py.
"""

from __future__ import annotations

from dataclasses import fields

from omium.errors import NotFound
from omium.server.db.light import light
from omium.server.db.tx import Sql, SqlValue, Tx


@light(frozen=True, slots=True)
class ExecutionRow:
    """A row of `executions`. Numbers that only grow: generation, epoch, last_seq, interruptions."""

    id: str
    tenant_id: str
    environment: str
    workflow: str
    queue: str
    driver: str
    durability: str
    takeover: str
    status: str
    reason: str | None
    generation: int
    epoch: int
    last_seq: int
    interruptions: int
    steps_completed: int
    lease_digest: str | None
    lease_touched_us: int | None  # the lease clock (`tx.lease_now_us`), comparable with nothing else
    silent: int
    worker_id: str | None
    parent_id: str | None
    parent_path: str | None
    replay_of: str | None
    replay_batch: str | None
    lineage_root: str
    started_by: str
    queued_us: int | None
    wake_us: int | None
    suspend: str | None  # the paused reason that a running driver has been asked for
    cancel_requested_us: int | None
    cancel_outcome: str | None
    max_steps: int | None
    max_interruptions: int
    interruption_streak: int  # interruptions since a step was completed, or a person resumed
    interruption_steps: int  # steps_completed at the latest interruption
    created_us: int
    started_us: int | None
    ended_us: int | None
    updated_us: int
    max_duration_us: int | None
    max_payload_bytes: int | None
    ran_us: int  # for which drivers have held it, but for the one that holds it since `run_since_us`
    run_since_us: int | None
    payload_bytes: int  # of JSON that it has recorded
    covered_steps: int | None  # how many completed steps its hold pays; None where it is not metered


_NAMES = tuple(field.name for field in fields(ExecutionRow))
COLUMNS = ", ".join(_NAMES)
FIXED = frozenset(
    {"id", "tenant_id", "driver", "parent_id", "parent_path", "replay_of", "lineage_root", "started_by"}
    | {"created_us", "covered_steps"}  # the cover is the ledger's: store/meters.py writes it
)
_CHANGING = tuple(name for name in _NAMES if name not in FIXED)


def column_values(row: ExecutionRow) -> dict[str, SqlValue]:
    """Return every column of `row` by name."""
    return {name: getattr(row, name) for name in _NAMES}


FIND = Sql(f"SELECT {COLUMNS} FROM executions WHERE id = :id AND tenant_id = :tenant_id")
LOCK = Sql(f"SELECT {COLUMNS} FROM executions WHERE id = :id AND tenant_id = :tenant_id {{for_update}}")


def find_execution(tx: Tx, tenant_id: str, execution_id: str) -> ExecutionRow | None:
    """Return the tenant's execution, or None."""
    return tx.one_or_none(FIND, ExecutionRow, id=execution_id, tenant_id=tenant_id)


def get_execution(tx: Tx, tenant_id: str, execution_id: str) -> ExecutionRow:
    """Return the tenant's execution, or raise `NotFound`."""
    return _found(find_execution(tx, tenant_id, execution_id), execution_id)


def lock_execution(tx: Tx, tenant_id: str, execution_id: str) -> ExecutionRow:
    """Return the tenant's execution, locked until the transaction ends, or raise `NotFound`."""
    return _found(lock_if_there(tx, tenant_id, execution_id), execution_id)


def lock_if_there(tx: Tx, tenant_id: str, execution_id: str) -> ExecutionRow | None:
    """Return the tenant's execution, locked, or None, as where retention has removed it."""
    return tx.one_or_none(LOCK, ExecutionRow, id=execution_id, tenant_id=tenant_id)


def _found(row: ExecutionRow | None, execution_id: str) -> ExecutionRow:
    if row is None:
        raise NotFound(f"There is no execution {execution_id} here; see `omium executions list`.")
    return row


INSERT = Sql(f"""
    INSERT INTO executions ({COLUMNS}) VALUES ({", ".join(f":{name}" for name in _NAMES)})
    ON CONFLICT (id) DO NOTHING
""")  # the same id again is the same start again, or another tenant's: the caller looks


def insert_execution(tx: Tx, row: ExecutionRow) -> bool:
    """Store a new execution; False if its id is taken, by whomever."""
    return tx.execute(INSERT, **column_values(row)) == 1


UPDATE = Sql(f"""
    UPDATE executions
       SET {", ".join(f"{name} = :{name}" for name in _CHANGING)}
     WHERE id = :id AND tenant_id = :tenant_id
       AND last_seq = :was_seq AND status = :was_status AND epoch = :was_epoch
""")  # nothing is changed of a row that is not the one that was decided on


def update_execution(tx: Tx, was: ExecutionRow, row: ExecutionRow) -> bool:
    """Write `row` in place of `was`; False if the stored row is another than `was` by now."""
    values: dict[str, SqlValue] = {name: getattr(row, name) for name in _CHANGING}
    values |= {"id": was.id, "tenant_id": was.tenant_id}
    values |= {"was_seq": was.last_seq, "was_status": was.status, "was_epoch": was.epoch}
    return tx.execute(UPDATE, **values) == 1


FENCE = Sql(f"""
    UPDATE executions
       SET last_seq = last_seq + :events, steps_completed = steps_completed + :steps,
           payload_bytes = payload_bytes + :payload_bytes,
           lease_touched_us = :lease_now_us, updated_us = :now_us
     WHERE id = :id AND tenant_id = :tenant_id AND epoch = :epoch AND lease_digest = :lease_digest
       AND status = 'running'
 RETURNING {COLUMNS}
""")  # the fence is equality; no time is compared (docs/concepts.md, Leases)


def pass_fence(
    tx: Tx,
    tenant_id: str,
    execution_id: str,
    epoch: int,
    lease_digest: str,
    *,
    events: int,
    steps: int,
    payload_bytes: int,
) -> ExecutionRow | None:
    """Take `events` numbers, count what is recorded and extend the lease; None under another grant.

    The row that is returned carries the last of the numbers, and is locked until the transaction ends.
    """
    return tx.one_or_none(
        FENCE,
        ExecutionRow,
        id=execution_id,
        tenant_id=tenant_id,
        epoch=epoch,
        lease_digest=lease_digest,
        events=events,
        steps=steps,
        payload_bytes=payload_bytes,
        now_us=tx.now_us,
        lease_now_us=tx.lease_now_us,
    )


GIVE_BACK = Sql("""
    UPDATE executions
       SET last_seq = last_seq - :events, steps_completed = steps_completed - :steps,
           payload_bytes = payload_bytes - :payload_bytes
     WHERE id = :id AND last_seq = :last_seq
""")  # in the transaction that took them, so nobody has seen them


def give_back(tx: Tx, row: ExecutionRow, *, events: int, steps: int, payload_bytes: int = 0) -> None:
    """Return numbers that `pass_fence` took for a write that turned out to be a repeat."""
    given = tx.execute(
        GIVE_BACK,
        id=row.id,
        last_seq=row.last_seq,
        events=events,
        steps=steps,
        payload_bytes=payload_bytes,
    )
    assert given == 1, f"{row.id}: its numbers were taken in this transaction, nobody can have taken more"
