"""What waits in queues for long, of tenants that want to be alerted (engine/unserved.py)."""

from __future__ import annotations

from dataclasses import dataclass

from omium.server.db.tx import Sql, Tx


@dataclass(frozen=True, slots=True)
class Waiting:
    """A workflow that waits in a queue, and since when its oldest execution does."""

    tenant_id: str
    environment: str
    queue: str
    workflow: str
    oldest_us: int


WAITING = Sql("""
    SELECT tenant_id, environment, queue, workflow, MIN(queued_us) AS oldest_us FROM executions
     WHERE status = 'queued' AND queued_us < :before_us
       AND tenant_id IN (SELECT tenant_id FROM alert_rules)
       AND (tenant_id, environment, queue, workflow) > (:tenant_id, :environment, :queue, :workflow)
     GROUP BY tenant_id, environment, queue, workflow
     ORDER BY tenant_id, environment, queue, workflow LIMIT :limit
""")


Place = tuple[str, str, str, str]
"""Tenant, environment, queue and workflow."""


def list_waiting(tx: Tx, before_us: int, after: Place, limit: int) -> list[Waiting]:
    """List what has waited since before `before_us`, by place, in places after `after`."""
    names = ("tenant_id", "environment", "queue", "workflow")
    return tx.all(WAITING, Waiting, before_us=before_us, limit=limit, **dict(zip(names, after, strict=True)))
