"""Unserved work: executions that have waited for minutes in a queue that no worker serves.

Owns when that becomes a fact to be alerted of: once for each oldest execution of a queue and workflow. What
`omium status` shows at any moment is status.py's.
"""

from __future__ import annotations

import json

from omium.clock import US_PER_S
from omium.server.alerts.facts import note_fact
from omium.server.db.tx import Tx
from omium.server.engine.policy import Policy
from omium.server.store import unserved as store
from omium.server.store import workers
from omium.states import AlertKind

UNSERVED_AFTER_S = 300
QUEUES_MAX = 200


def sweep_unserved(tx: Tx, policy: Policy) -> int:
    """Note what waits for nobody; returns how much was looked at. A second time: nothing is noted."""
    waiting = store.list_waiting(tx, tx.now_us - UNSERVED_AFTER_S * US_PER_S, QUEUES_MAX)
    since_us = tx.lease_now_us - policy.worker_seen_us
    served: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for each in waiting:
        place = (each.tenant_id, each.environment)
        if place not in served:
            live = workers.list_live(tx, *place, since_us)
            served[place] = {
                (worker.queue, workflow) for worker in live for workflow in json.loads(worker.workflows)
            }
        if (each.queue, each.workflow) in served[place]:
            continue
        minutes = (tx.now_us - each.oldest_us) // (60 * US_PER_S)
        note_fact(
            tx,
            AlertKind.WORK_UNSERVED,
            each.tenant_id,
            subject=each.workflow,
            text=f"{each.workflow} waits in queue {each.queue} for {minutes} minutes: no worker serves it.",
            environment=each.environment,
            workflow=each.workflow,
            once=f"unserved {each.environment} {each.queue} {each.workflow} {each.oldest_us}",
        )
    return len(waiting)
