"""What came after an event: the rows that a rollback supersedes, compensates or refuses to leave behind."""

from __future__ import annotations

from dataclasses import dataclass

from omium.server.db.tx import Sql, Tx
from omium.server.store.effects import COLUMNS as EFFECT_COLUMNS
from omium.server.store.effects import EffectRow


@dataclass(frozen=True, slots=True)
class CompletedStep:
    """A live, completed record."""

    path: str
    kind: str
    effect_key: str | None
    completed_seq: int


@dataclass(frozen=True, slots=True)
class EventData:
    """An event's number and its JSON."""

    seq: int
    type: str
    data: bytes


STEPS_AFTER = Sql("""
    SELECT path, kind, effect_key, completed_seq
      FROM steps
     WHERE execution_id = :execution_id AND superseded_seq IS NULL AND completed_seq > :after_seq
     ORDER BY completed_seq
""")
STEPS_WITHIN = Sql("""
    SELECT path, kind, effect_key, completed_seq
      FROM steps
     WHERE execution_id = :execution_id AND superseded_seq IS NULL AND completed_seq IS NOT NULL
       AND (path = :path OR (path > :lowest AND path < :beyond))
     ORDER BY completed_seq
""")
UNFINISHED = Sql("""
    SELECT path FROM steps
     WHERE execution_id = :execution_id AND superseded_seq IS NULL AND completed_seq IS NULL ORDER BY path
""")
SUPERSEDE_STEPS = Sql("""
    UPDATE steps SET superseded_seq = :seq
     WHERE execution_id = :execution_id AND superseded_seq IS NULL AND completed_seq > :after_seq
""")
SUPERSEDE_CHECKPOINTS = Sql("""
    UPDATE checkpoints SET superseded_seq = :superseded_seq
     WHERE execution_id = :execution_id AND superseded_seq IS NULL AND seq > :after_seq
""")
HISTORY = Sql("""
    SELECT seq, type, data FROM events
     WHERE execution_id = :execution_id AND seq > :after_seq
       AND type IN ('step.failed', 'step.attempt_failed', 'child.started')
     ORDER BY seq
""")
STARTS_AND_ROLLBACKS = Sql("""
    SELECT seq, type, data FROM events
     WHERE execution_id = :execution_id AND type IN ('child.started', 'execution.rolled_back') ORDER BY seq
""")
DONE_AFTER = Sql(f"""
    SELECT {EFFECT_COLUMNS} FROM effects
     WHERE execution_id = :execution_id AND state = 'done' AND compensated = 0
       AND (done_seq > :after_seq
            OR effect_key IN (SELECT effect_key FROM steps
                               WHERE execution_id = :execution_id AND superseded_seq IS NULL
                                 AND completed_seq > :after_seq AND effect_key IS NOT NULL))
     ORDER BY done_seq DESC
""")  # one that a person has confirmed was done before it was recorded as a step
UNDECIDED_AFTER = Sql(f"""
    SELECT {EFFECT_COLUMNS} FROM effects
     WHERE execution_id = :execution_id AND state IN ('intended', 'unknown') AND intended_seq > :after_seq
       AND decided_by IS NULL
     ORDER BY intended_seq
""")
SKIPPED = Sql("""
    SELECT effect_key FROM compensations
     WHERE execution_id = :execution_id AND status = 'skipped' AND decided_by IS NOT NULL
""")
CARRIED_OVER = Sql("""
    UPDATE compensations SET status = 'skipped', ended_us = :now_us
     WHERE execution_id = :execution_id AND status IN ('pending', 'failed')
""")  # decided by nobody: the next list has them again


def list_completed_after(tx: Tx, execution_id: str, after_seq: int) -> list[CompletedStep]:
    """List what was completed after event `after_seq`, in that order."""
    return tx.all(STEPS_AFTER, CompletedStep, execution_id=execution_id, after_seq=after_seq)


def list_completed_within(tx: Tx, execution_id: str, path: str) -> list[CompletedStep]:
    """List what was completed at `path` or inside it, in that order."""
    return tx.all(
        STEPS_WITHIN,
        CompletedStep,
        execution_id=execution_id,
        path=path,
        lowest=f"{path}/",
        beyond=f"{path}0",
    )


def list_completed_items(tx: Tx, execution_id: str, path: str) -> list[CompletedStep]:
    """List what was completed in the items of the map at `path`."""
    return tx.all(
        STEPS_WITHIN,
        CompletedStep,
        execution_id=execution_id,
        path=path,
        lowest=f"{path}[",
        beyond=f"{path}\\",  # the character after "["
    )


def list_unfinished(tx: Tx, execution_id: str) -> list[str]:
    """List paths whose live record is of failed tries only."""
    return tx.all(UNFINISHED, str, execution_id=execution_id)


def supersede_after(tx: Tx, execution_id: str, after_seq: int, seq: int) -> None:
    """Take records and checkpoints after `after_seq` out of what a resume sees; the event `seq` says why."""
    tx.execute(SUPERSEDE_STEPS, execution_id=execution_id, after_seq=after_seq, seq=seq)
    tx.execute(SUPERSEDE_CHECKPOINTS, execution_id=execution_id, after_seq=after_seq, superseded_seq=seq)


def list_history(tx: Tx, execution_id: str, after_seq: int) -> list[EventData]:
    """List failed tries and started children after an event: the facts that no completed record shows."""
    return tx.all(HISTORY, EventData, execution_id=execution_id, after_seq=after_seq)


def list_starts_and_rollbacks(tx: Tx, execution_id: str) -> list[EventData]:
    """List when children began, and how far each rollback went back."""
    return tx.all(STARTS_AND_ROLLBACKS, EventData, execution_id=execution_id)


def list_done_effects(tx: Tx, execution_id: str, after_seq: int) -> list[EffectRow]:
    """List effects that this execution did, or recorded, after an event and that nothing has undone.

    The newest first.
    """
    return tx.all(DONE_AFTER, EffectRow, execution_id=execution_id, after_seq=after_seq)


def list_undecided_effects(tx: Tx, execution_id: str, after_seq: int) -> list[EffectRow]:
    return tx.all(UNDECIDED_AFTER, EffectRow, execution_id=execution_id, after_seq=after_seq)


def list_skipped_keys(tx: Tx, execution_id: str) -> set[str]:
    """Return the effects whose compensation a person has skipped."""
    return set(tx.all(SKIPPED, str, execution_id=execution_id))


def carry_over(tx: Tx, execution_id: str) -> None:
    """End an earlier list whose rest the next one holds again."""
    tx.execute(CARRIED_OVER, execution_id=execution_id, now_us=tx.now_us)
