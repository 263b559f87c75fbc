"""Deletion: what belongs to a deleted tenant goes, in portions, beside everything else.

First its executions are asked to stop, then each goes as retention removes one, then table by table what is
left. A portion is one transaction of bounded work: a process that dies in between leaves the rest to the next
look. The tenant's row stays, without its name, for the ledger's entries and the audit log, which are never
removed. It begins a moment after the deletion, when no server believes a key or a session of it any more.
"""

from __future__ import annotations

from typing import Final

from omium.clock import US_PER_S
from omium.server.accounts import throttle
from omium.server.db.tx import Tx
from omium.server.engine.cancel import cancel_open
from omium.server.engine.retention import remove_portion
from omium.server.store import invitations, login_failures, requests, retention, sessions, tenants
from omium.server.store.tenant_tables import delete_some
from omium.states import ENDED_STATUSES

PORTION_ROWS: Final = 250
BEGINS_AFTER_US: Final = 60 * US_PER_S
DAY_US: Final = 24 * 3600 * US_PER_S
KEPT_US: Final = 30 * DAY_US  # invitations and sessions that are over, for whoever asks what happened
_BY: Final = "omium"


def sweep_deleted(tx: Tx) -> int:
    """Remove a portion of one deleted tenant; 0 if none has anything left, or the rest is still ending."""
    tenant = tenants.lock_being_deleted(tx, tx.now_us - BEGINS_AFTER_US)
    if tenant is None:
        return 0
    if cancel_open(tx, tenant.id, by=_BY, comment="the tenant was deleted"):
        return 1
    for status in sorted(ENDED_STATUSES):
        row = retention.lock_due(tx, tenant.id, status.value, tx.now_us + 1)
        if row is not None:
            remove_portion(tx, row)
            return 1
    if requests.has_executions(tx, tenant.id):  # runs that have their time to stop, or a row locked elsewhere
        return 0
    if not delete_some(tx, tenant.id, PORTION_ROWS):
        tenants.mark_emptied(tx, tenant.id)
    return 1


def sweep_accounts(tx: Tx) -> int:
    """Remove a portion of what is over: sessions, invitations, counts of failed log-ins."""
    removed = sessions.delete_old(tx, tx.now_us - KEPT_US, PORTION_ROWS)
    removed += invitations.delete_old(tx, tx.now_us - KEPT_US, PORTION_ROWS)
    removed += login_failures.delete_old(tx, tx.now_us - throttle.FORGOTTEN_AFTER_US, PORTION_ROWS)
    return removed
