"""Unserved work: executions that have waited for minutes in a queue that no worker serves.

Owns when that becomes a fact to be alerted of: once for each oldest execution of a queue and workflow. What
`omium status` shows at any moment is status.py's.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial

from omium.clock import US_PER_S
from omium.server.alerts.facts import note_fact
from omium.server.db.tx import Tx
from omium.server.engine.policy import Policy
from omium.server.store import unserved as store
from omium.server.store import workers
from omium.states import AlertKind

UNSERVED_AFTER_S = 300
QUEUES_MAX = 200  # in one look
_FIRST = ("", "", "", "")


class UnservedWork:
    """Goes round what waits, a portion at a look, so that one tenant's many queues do not hide another's."""

    def __init__(self, policy: Policy, looked_at: int = QUEUES_MAX) -> None:
        self._policy = policy
        self._looked_at = looked_at
        self._after: store.Place = _FIRST

    def sweep(self, tx: Tx) -> int:
        """Note what waits for nobody; returns how much was looked at. A second time: nothing is noted."""
        before_us = tx.now_us - UNSERVED_AFTER_S * US_PER_S
        waiting = store.list_waiting(tx, before_us, self._after, self._looked_at)
        _note_unserved(tx, waiting, tx.lease_now_us - self._policy.worker_seen_us)
        last = waiting[-1] if len(waiting) == self._looked_at else None
        after = (last.tenant_id, last.environment, last.queue, last.workflow) if last else _FIRST
        tx.after_commit(partial(self._go_on_after, after))
        return len(waiting)

    def _go_on_after(self, place: store.Place) -> None:
        self._after = place


def _note_unserved(tx: Tx, waiting: Sequence[store.Waiting], since_us: int) -> None:
    """Note what of `waiting` no worker serves that was seen since `since_us`."""
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
