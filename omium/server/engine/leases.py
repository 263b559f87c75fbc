"""Leases: the sweep that finds drivers which said nothing for too long. losses.py decides.

Time is looked at here and nowhere else, on a clock that only goes forward (`tx.lease_now_us`). A sweep that
comes late, twice, or on several servers at once does the same: rows are locked, and what another one took is
skipped.
"""

from __future__ import annotations

from omium.server.db.tx import Tx
from omium.server.engine.losses import lose_driver
from omium.server.engine.policy import Policy
from omium.server.store import leases as store

SWEEP_ROWS = 1  # each may lock groups of failures, and those come after every execution


def sweep_leases(tx: Tx, policy: Policy, limit: int = SWEEP_ROWS) -> int:
    """Take up to `limit` executions from drivers whose lease and grace are over; return how many."""
    now_us = tx.lease_now_us
    expired = store.lock_expired(tx, now_us - policy.expiry_us, now_us - policy.silent_us, limit)
    for row in expired:
        lose_driver(tx, row, policy)
    return len(expired)


def restart_leases(tx: Tx) -> int:
    """Let every lease run anew: called once when a server starts, because nobody could extend them before.

    The lease clock may have begun again with the machine, so what was stored says nothing. Returns how many.
    """
    store.forget_workers(tx)
    return store.restart(tx)
