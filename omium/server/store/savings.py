"""Savings: what did not run, and was not paid, again. One row for each resume, takeover and replay."""

from __future__ import annotations

from dataclasses import dataclass

from omium.server.db.tx import Sql, Tx


@dataclass(frozen=True, slots=True)
class SavingRow:
    """What one execution had at the moment at which it went on, or began as a replay."""

    tenant_id: str
    at_us: int
    execution_id: str
    seq: int
    cause: str
    environment: str
    workflow: str
    started_by: str
    steps: int
    saved_us: int
    saved_microcredits: int


@dataclass(frozen=True, slots=True)
class LiveStep:
    """A recorded step that will not run again."""

    path: str
    took_us: int


@dataclass(frozen=True, slots=True)
class SavingSum:
    """Savings of one value in one span of time."""

    start_us: int
    value: str
    times: int
    steps: int
    saved_us: int
    saved_microcredits: int


_COLUMNS = SavingRow.__slots__
INSERT = Sql(f"""
    INSERT INTO savings ({", ".join(_COLUMNS)}) VALUES ({", ".join(f":{name}" for name in _COLUMNS)})
    ON CONFLICT (tenant_id, at_us, execution_id, seq) DO NOTHING
""")
LIVE = Sql("""
    SELECT path, ended_us - started_us AS took_us FROM steps
     WHERE execution_id = :execution_id AND status = 'completed' AND superseded_seq IS NULL
""")
SUM = Sql("""
    SELECT at_us - at_us % :step_us AS start_us,
           CASE :by WHEN 'cause' THEN cause WHEN 'workflow' THEN workflow WHEN 'environment' THEN environment
                    WHEN 'key' THEN started_by ELSE '' END AS value,
           CAST(COUNT(*) AS {int64}) AS times, CAST(SUM(steps) AS {int64}) AS steps,
           CAST(SUM(saved_us) AS {int64}) AS saved_us,
           CAST(SUM(saved_microcredits) AS {int64}) AS saved_microcredits
      FROM savings
     WHERE tenant_id = :tenant_id AND at_us >= :from_us AND at_us < :until_us
       AND (:workflow = '' OR workflow = :workflow) AND (:environment = '' OR environment = :environment)
     GROUP BY 1, 2
""")


def insert_saving(tx: Tx, row: SavingRow) -> None:
    """Store what was saved; the same event again is the same row."""
    tx.execute(INSERT, **{name: getattr(row, name) for name in _COLUMNS})


def list_live_steps(tx: Tx, execution_id: str) -> list[LiveStep]:
    """List the recorded steps that an execution goes on from."""
    return tx.all(LIVE, LiveStep, execution_id=execution_id)


def sum_savings(
    tx: Tx,
    tenant_id: str,
    by: str,
    from_us: int,
    until_us: int,
    step_us: int,
    *,
    workflow: str,
    environment: str,
) -> list[SavingSum]:
    """Add savings up by `by` (cause, workflow, environment, key; else all) and spans of `step_us`."""
    return tx.all(
        SUM,
        SavingSum,
        tenant_id=tenant_id,
        by=by,
        from_us=from_us,
        until_us=until_us,
        step_us=step_us,
        workflow=workflow,
        environment=environment,
    )
