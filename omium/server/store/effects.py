"""Effects: side effects, one row per key in a whole lineage of replays (semantics 2.7).

Owns the conditional UPDATEs that keep an effect from being recorded twice. What a report means, and whether
an effect may be called, is decided in engine/effects.py.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from omium.server.db.tx import Sql, Tx


@dataclass(frozen=True, slots=True)
class EffectRow:
    """A row of `effects`. `input` and `output` are value columns, `error` is JSON, redacted."""

    tenant_id: str
    effect_key: str
    lineage_root: str
    execution_id: str
    path: str
    redo: int
    mode: str
    state: str
    generation: int
    epoch: int
    attempt: int
    name: str
    compensate: str | None
    input: bytes | None
    input_digest: str
    output: bytes | None
    output_digest: str | None
    error: bytes | None
    intended_seq: int
    done_seq: int | None
    intended_us: int
    ended_us: int | None
    decided_by: str | None
    compensated: int


_NAMES = tuple(field.name for field in fields(EffectRow))
COLUMNS = ", ".join(_NAMES)
_CHANGING = tuple(
    name for name in _NAMES if name not in {"tenant_id", "effect_key", "lineage_root", "path", "redo"}
)

INSERT = Sql(f"""
    INSERT INTO effects ({COLUMNS}) VALUES ({", ".join(f":{name}" for name in _NAMES)})
    ON CONFLICT (tenant_id, effect_key) DO NOTHING
""")


def insert_effect(tx: Tx, row: EffectRow) -> bool:
    """Store a new effect; False if its key is taken: another driver of the lineage was faster."""
    return tx.execute(INSERT, **{name: getattr(row, name) for name in _NAMES}) == 1


FIND = Sql(f"SELECT {COLUMNS} FROM effects WHERE tenant_id = :tenant_id AND effect_key = :effect_key")


def find_effect(tx: Tx, tenant_id: str, effect_key: str) -> EffectRow | None:
    """Return the effect with that key, or None."""
    return tx.one_or_none(FIND, EffectRow, tenant_id=tenant_id, effect_key=effect_key)


LOCK = Sql(
    f"SELECT {COLUMNS} FROM effects WHERE tenant_id = :tenant_id AND effect_key = :effect_key {{for_update}}"
)


def lock_effect(tx: Tx, tenant_id: str, effect_key: str) -> EffectRow | None:
    """Return the effect with that key, locked until the transaction ends, or None."""
    return tx.one_or_none(LOCK, EffectRow, tenant_id=tenant_id, effect_key=effect_key)


LATEST = Sql(f"""
    SELECT {COLUMNS} FROM effects
     WHERE tenant_id = :tenant_id AND lineage_root = :lineage_root AND path = :path
     ORDER BY redo DESC
     LIMIT 1
     {{for_update}}
""")


def lock_latest(tx: Tx, tenant_id: str, lineage_root: str, path: str) -> EffectRow | None:
    """Return the newest redo of the lineage's effect at `path`, locked until the transaction ends."""
    return tx.one_or_none(LATEST, EffectRow, tenant_id=tenant_id, lineage_root=lineage_root, path=path)


UPDATE = Sql(f"""
    UPDATE effects SET {", ".join(f"{name} = :{name}" for name in _CHANGING)}
     WHERE tenant_id = :tenant_id AND effect_key = :effect_key
       AND state = :was_state AND attempt = :was_attempt
""")


def update_effect(tx: Tx, was: EffectRow, row: EffectRow) -> bool:
    """Write `row` in place of `was`; False if the stored row is in another state by now."""
    values = {name: getattr(row, name) for name in _CHANGING}
    values |= {"tenant_id": was.tenant_id, "effect_key": was.effect_key}
    return tx.execute(UPDATE, was_state=was.state, was_attempt=was.attempt, **values) == 1


LOCK_CUT_OFF = Sql("""
    SELECT effect_key FROM effects
     WHERE execution_id = :execution_id AND state = 'intended' AND mode = 'once'
     ORDER BY effect_key
     {for_update}
""")
CUT_OFF = Sql(f"""
    UPDATE effects SET state = 'unknown', ended_us = :now_us
     WHERE execution_id = :execution_id AND state = 'intended' AND mode = 'once'
 RETURNING {COLUMNS}
""")  # nobody can tell whether the call arrived; an idempotent one may simply be called again


def cut_off_effects(tx: Tx, execution_id: str) -> list[EffectRow]:
    """Make every effect that is between intent and result unknown: its driver is gone. Returns those."""
    if not tx.all(LOCK_CUT_OFF, str, execution_id=execution_id):  # several: in one order
        return []
    found = tx.all(CUT_OFF, EffectRow, execution_id=execution_id, now_us=tx.now_us)
    return sorted(found, key=lambda effect: effect.intended_seq)


UNRESOLVED = Sql(f"""
    SELECT {COLUMNS} FROM effects
     WHERE execution_id = :execution_id AND state = 'unknown' AND mode = 'once' AND decided_by IS NULL
     ORDER BY intended_seq
     LIMIT 100
""")


def list_unresolved(tx: Tx, execution_id: str) -> list[EffectRow]:
    """Return effects that need a decision before the execution may go on, in the order of their intents."""
    return tx.all(UNRESOLVED, EffectRow, execution_id=execution_id)


LIST = Sql(f"""
    SELECT {COLUMNS} FROM effects
     WHERE execution_id = :execution_id AND intended_seq > :after_seq
     ORDER BY intended_seq
     LIMIT :limit
""")


def list_effects(tx: Tx, execution_id: str, *, after_seq: int = 0, limit: int) -> list[EffectRow]:
    """Return up to `limit` effects that the execution announced after the event `after_seq`."""
    return tx.all(LIST, EffectRow, execution_id=execution_id, after_seq=after_seq, limit=limit)
