"""Approvals: nodes that wait for a person, the oldest first."""

from __future__ import annotations

from omium.server.db.tx import Sql, Tx
from omium.server.store.activations import COLUMNS, ActivationRow

BEGINNING = (-1, "", "")

LIST = Sql(f"""
    SELECT {COLUMNS} FROM activations
     WHERE tenant_id = :tenant_id AND state = 'waiting' AND waiting_reason = 'approval'
       AND (ready_us, execution_id, path) > (:after_us, :after_id, :after_path)
     ORDER BY ready_us, execution_id, path LIMIT :limit
""")  # the columns are a constant of activations.py


def list_waiting(tx: Tx, tenant_id: str, after: tuple[int, str, str], limit: int) -> list[ActivationRow]:
    """Return what of a tenant waits for a person; begin with `BEGINNING`."""
    after_us, after_id, after_path = after
    return tx.all(
        LIST,
        ActivationRow,
        tenant_id=tenant_id,
        after_us=after_us,
        after_id=after_id,
        after_path=after_path,
        limit=limit,
    )
