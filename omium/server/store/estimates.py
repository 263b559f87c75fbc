"""What executions of a workflow were charged, as the journal says; ledger/estimates.py makes sense of it."""

from __future__ import annotations

from dataclasses import dataclass

from omium.server.db.tx import Sql, Tx


@dataclass(frozen=True, slots=True)
class ChargedPart:
    """What one completed execution was charged for one step's usage, or, without a path, for its steps."""

    execution_id: str
    ended_us: int
    path: str
    microcredits: int


# The newest executions by one index, their entries by another. Sums are cast: PostgreSQL adds BIGINTs to
# a NUMERIC. What was given back (a debit of the usage account) counts against.
CHARGED = Sql("""
    WITH recent AS (
      SELECT id, COALESCE(ended_us, created_us) AS ended_us FROM executions
       WHERE tenant_id = :tenant_id AND workflow = :workflow AND environment = :environment
         AND status = 'completed' AND replay_of IS NULL
       ORDER BY created_us DESC, id DESC LIMIT :last
    )
    SELECT recent.id AS execution_id, recent.ended_us, COALESCE(entry.path, '') AS path,
           CAST(SUM(CASE WHEN entry.credit_kind = 'usage' THEN entry.amount_microcredits
                         WHEN entry.debit_kind = 'usage' THEN -entry.amount_microcredits
                         ELSE 0 END) AS {int64}) AS microcredits
      FROM recent JOIN ledger_entries AS entry ON entry.execution_id = recent.id
     WHERE entry.tenant_id = :tenant_id
     GROUP BY recent.id, recent.ended_us, entry.path
""")


def list_charged(tx: Tx, tenant_id: str, workflow: str, environment: str, last: int) -> list[ChargedPart]:
    """List what the `last` newest completed executions were charged, by execution and path."""
    return tx.all(
        CHARGED,
        ChargedPart,
        tenant_id=tenant_id,
        workflow=workflow,
        environment=environment,
        last=last,
    )
