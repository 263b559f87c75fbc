"""Charges of an execution: the journal's entries that name it, added up; holds that nothing runs for."""

from __future__ import annotations

from dataclasses import dataclass

from omium.server.db.tx import Sql, Tx


@dataclass(frozen=True, slots=True)
class ChargeSums:
    """What an execution was charged; `unknown_reports` charges name a usage record that is not there."""

    steps_microcredits: int
    usage_microcredits: int
    unknown_reports: int


SUMS = Sql("""
    SELECT CAST(COALESCE(SUM(CASE WHEN reference IS NULL THEN amount_microcredits ELSE 0 END), 0) AS {int64})
             AS steps_microcredits,
           CAST(COALESCE(SUM(CASE WHEN reference IS NULL THEN 0 ELSE amount_microcredits END), 0) AS {int64})
             AS usage_microcredits,
           CAST(COALESCE(SUM(CASE WHEN reference IS NULL OR EXISTS (
                  SELECT 1 FROM usage_records u
                   WHERE u.tenant_id = ledger_entries.tenant_id AND u.id = ledger_entries.reference)
                THEN 0 ELSE 1 END), 0) AS {int64}) AS unknown_reports
      FROM ledger_entries
     WHERE execution_id = :execution_id AND tenant_id = :tenant_id AND credit_kind = 'usage'
""")


def sum_charges(tx: Tx, tenant_id: str, execution_id: str) -> ChargeSums:
    """Add up what the journal says that an execution was charged, for its steps and for reported usage."""
    return tx.one(SUMS, ChargeSums, tenant_id=tenant_id, execution_id=execution_id)


@dataclass(frozen=True, slots=True)
class PathCharge:
    """What reported usage of one step was charged, all its attempts together."""

    path: str
    microcredits: int


BY_PATH = Sql("""
    SELECT COALESCE(path, '') AS path, CAST(SUM(amount_microcredits) AS {int64}) AS microcredits
      FROM ledger_entries
     WHERE execution_id = :execution_id AND tenant_id = :tenant_id AND credit_kind = 'usage'
       AND reference IS NOT NULL
     GROUP BY 1
""")


FREE = Sql("""
    SELECT s.path FROM steps AS s
      JOIN events AS e ON e.execution_id = s.execution_id AND e.seq = s.completed_seq
     WHERE s.execution_id = :execution_id AND s.kind = 'effect' AND s.superseded_seq IS NULL
       AND s.reused_from IS NULL AND e.type = 'step.reused'
     ORDER BY s.path
""")


def list_free_steps(tx: Tx, execution_id: str) -> list[str]:
    """List effects that the execution did not report itself, so that they were recorded without a price."""
    return tx.all(FREE, str, execution_id=execution_id)


def list_path_charges(tx: Tx, tenant_id: str, execution_id: str) -> list[PathCharge]:
    """List what reported usage of an execution was charged, by step."""
    return tx.all(BY_PATH, PathCharge, tenant_id=tenant_id, execution_id=execution_id)


@dataclass(frozen=True, slots=True)
class StrayHold:
    """An open hold of an execution that does not run."""

    id: str
    purpose: str


STRAY = Sql("""
    SELECT holds.id, holds.purpose FROM holds
      LEFT JOIN executions ON executions.id = holds.purpose AND executions.tenant_id = holds.tenant_id
     WHERE holds.status = 'open' AND holds.expires_us IS NULL
       AND (executions.id IS NULL OR executions.status <> 'running')
     ORDER BY holds.tenant_id, holds.purpose LIMIT :limit
""")


def list_stray_holds(tx: Tx, limit: int) -> list[StrayHold]:
    """List open holds, without an end of their own, for which no execution runs."""
    return tx.all(STRAY, StrayHold, limit=limit)
