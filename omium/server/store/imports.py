"""Imports: what executions have that were made of another framework's store, and what was made of it.

Their other rows are those of observed executions: traces.py.
"""

from __future__ import annotations

from omium.server.db.tx import Sql, Tx
from omium.server.store.retention import Values

SET_REQUEST_DIGEST = Sql("""
    UPDATE execution_details SET request_digest = :request_digest WHERE execution_id = :execution_id
""")
STATES = Sql("SELECT state AS first, NULL AS second FROM checkpoints WHERE execution_id = :execution_id")
DELETE_STATES = Sql("DELETE FROM checkpoints WHERE execution_id = :execution_id")


def set_request_digest(tx: Tx, execution_id: str, request_digest: str) -> None:
    """Note what a locked execution was made of."""
    tx.execute(SET_REQUEST_DIGEST, execution_id=execution_id, request_digest=request_digest)


def take_states(tx: Tx, execution_id: str) -> list[Values]:
    """Remove the states of a locked execution; returns the values that it held."""
    values = tx.all(STATES, Values, execution_id=execution_id)
    tx.execute(DELETE_STATES, execution_id=execution_id)
    return values
