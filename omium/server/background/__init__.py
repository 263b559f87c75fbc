"""Background: the explicit list of everything that the server does on its own. `runner.py` runs it.

Nothing registers itself: what is not named here does not run. Each sweep does a bounded portion in one
transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from omium.server.accounts import deletion
from omium.server.analytics import summing
from omium.server.background.alerting import list_alert_sweeps
from omium.server.background.runner import Sweep
from omium.server.background.scheduling import list_schedule_sweeps
from omium.server.db.tx import Tx
from omium.server.engine import batches, cancel, credit_pauses, inbox, leases, retention, step_slots, timers
from omium.server.engine.nodes.credit_pauses import NodeCreditPauses
from omium.server.engine.nodes.sweeps import restart_tasks
from omium.server.engine.policy import Policy
from omium.server.ledger import caps, charges, holds, lots, plans, price_versions, state
from omium.server.settings import ServerSettings
from omium.server.traces.shower import SWEEP_ROWS, sweep_unshown
from omium.server.web import idempotency
from omium.server.web.context import ServerContext
from omium.server.webhooks import keeping

HOLDS_PER_SWEEP = 100


def list_first_works(settings: ServerSettings) -> list[Callable[[Tx], object]]:
    """Return what is done once, before the first request is served."""
    follow_release = partial(price_versions.follow_release, credits_per_usd=settings.credits_per_usd)
    return [leases.restart_leases, restart_tasks, step_slots.restart_slots, follow_release]


def build_sweeps(
    settings: ServerSettings, policy: Policy | None = None, server: ServerContext | None = None
) -> list[Sweep]:
    """Return every sweep of a server with `settings`; `policy` holds the engine's times.

    Batch replays open and pack values, so they need the `server`'s vault and keys.
    """
    policy = policy or Policy()
    sweeps = [
        Sweep("ignored failures", 10.0, inbox.end_ignores, 1),
        Sweep("retention", 60.0, retention.sweep_executions, 1),
        Sweep("unused payloads", 60.0, retention.sweep_payloads, retention.PORTION_ROWS),
        Sweep("leases", 2.0, partial(leases.sweep_leases, policy=policy), leases.SWEEP_ROWS),
        Sweep("timers", 1.0, partial(timers.sweep_timers, policy=policy), timers.SWEEP_ROWS),
        Sweep("slots of drivers that are gone", 2.0, step_slots.sweep_void, step_slots.SWEEP_ROWS),
        Sweep("cancels", 2.0, partial(cancel.sweep_cancels, policy=policy), cancel.SWEEP_ROWS),
        Sweep("cancels of trees", 1.0, cancel.sweep_trees, 1),
        Sweep("deleted tenants", 10.0, deletion.sweep_deleted, 1),
        Sweep("old sessions", 300.0, deletion.sweep_accounts, deletion.PORTION_ROWS),
        Sweep("pauses for credits", 1.0, credit_pauses.CreditPauses().sweep, credit_pauses.QUEUED_MAX),
        Sweep("usage without a price", 15.0, charges.sweep_unpriced, charges.PORTION),
        Sweep("sums of keys", 10.0, caps.sweep_rollups, 1),
        Sweep("sums", 5.0, summing.sum_rows, summing.PORTION),
        Sweep("sums of spending", 10.0, summing.sum_spending, 1),
        Sweep("old sums", 600.0, summing.compact_sums, summing.PORTION),
        Sweep("holds with an end", 10.0, partial(holds.expire_due, limit=HOLDS_PER_SWEEP), HOLDS_PER_SWEEP),
        Sweep("old pushes", 600.0, keeping.sweep_old, keeping.PAGE_ROWS),
        Sweep("traces of no agent", 60.0, sweep_unshown, SWEEP_ROWS),
        Sweep("plans", 60.0, plans.sweep_plans, 1),
        Sweep("credits with an end", 60.0, partial(lots.sweep_lots, limit=lots.SWEEP_ROWS), lots.SWEEP_ROWS),
        Sweep("rates of spending", 300.0, state.sweep_usage_marks, state.MARKS_PER_SWEEP),
        Sweep(
            "idempotency records",
            60.0,
            partial(idempotency.sweep_records, retention_s=settings.idempotency_retention_s),
            idempotency.SWEEP_ROWS,
        ),
    ]
    sweeps += list_alert_sweeps(policy)
    if server is not None:
        replay_next = partial(batches.sweep_batches, parts=server.engine, keys=server.key_file)
        sweeps.append(Sweep("batch replays", float(batches.STAGGER_S), replay_next, 1))
        sweeps.append(Sweep("nodes paused for credits", 1.0, NodeCreditPauses(server.engine).sweep, 1))
        sweeps += list_schedule_sweeps(server.engine)
    return sweeps
