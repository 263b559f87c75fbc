"""Status: how a tenant stands, and what is left to do before it is of use. What `omium status` shows."""

from __future__ import annotations

import json

from omium import __version__
from omium.clock import US_PER_S
from omium.models.account import ChecklistItem, Status
from omium.money import to_credits
from omium.server.db.tx import Tx
from omium.server.engine.policy import Policy
from omium.server.ledger.state import CreditsState, burn, credits_state
from omium.server.principal import Principal
from omium.server.store import status as store
from omium.server.store import tenants, workers
from omium.server.store.workers import WorkerRow
from omium.states import Environment, ExecutionStatus

DAY_US = 24 * 3600 * US_PER_S


def read_status(tx: Tx, principal: Principal, policy: Policy, *, metering: bool) -> Status:
    """Return the status of the principal's tenant; a day begins at midnight UTC."""
    tenant = tenants.get_tenant(tx, principal.tenant_id)
    alive = store.count_alive(tx, tenant.id)
    live = _list_live(tx, tenant.id, policy)
    money = credits_state(tx, tenant.id) if metering else None
    rate = burn(tx, tenant.id, money) if money is not None else None
    return Status(
        tenant=tenant.name,
        tenant_id=tenant.id,
        environment=principal.environment,
        credits=to_credits(money.balance_microcredits) if money is not None else None,
        held_credits=to_credits(money.held_microcredits) if money is not None else None,
        burn_credits_per_day=to_credits(rate.microcredits_per_day) if rate is not None else None,
        empty_at_us=rate.empty_us if rate is not None else None,
        credits_low=money.is_low if money is not None else None,
        checklist=_make_checklist(tx, principal, money),
        running=alive.get(ExecutionStatus.RUNNING, 0),
        queued=alive.get(ExecutionStatus.QUEUED, 0),
        waiting=alive.get(ExecutionStatus.WAITING, 0),
        paused=alive.get(ExecutionStatus.PAUSED, 0),
        open_failures=store.count_open_failures(tx, tenant.id),
        executions_today=store.count_since(tx, tenant.id, tx.now_us - tx.now_us % DAY_US),
        success_rate=_find_success_rate(tx, tenant.id),
        workers=len(live),
        unserved=_list_unserved(tx, tenant.id, live),
        server_version=__version__,
    )


def _list_live(tx: Tx, tenant_id: str, policy: Policy) -> list[WorkerRow]:
    since_us = tx.lease_now_us - policy.worker_seen_us
    return [
        worker
        for environment in Environment
        for worker in workers.list_live(tx, tenant_id, environment.value, since_us)
    ]


def _list_unserved(tx: Tx, tenant_id: str, live: list[WorkerRow]) -> list[str]:
    served = {
        (worker.environment, worker.queue, workflow)
        for worker in live
        for workflow in json.loads(worker.workflows)
    }
    queued = store.list_queued(tx, tenant_id)
    return sorted(
        {each.workflow for each in queued if (each.environment, each.queue, each.workflow) not in served}
    )


def _find_success_rate(tx: Tx, tenant_id: str) -> float | None:
    """Return the share of completed ones among the last day's that ended, None where none did."""
    since_us = tx.now_us - DAY_US
    completed = store.count_since(tx, tenant_id, since_us, ExecutionStatus.COMPLETED)
    failed = store.count_since(tx, tenant_id, since_us, ExecutionStatus.FAILED)
    return completed / (completed + failed) if completed + failed else None


def _make_checklist(tx: Tx, principal: Principal, money: CreditsState | None) -> list[ChecklistItem]:
    """Return the three things that come first; credits only where they are `money`, so where it is metered.

    Credits once added stay ticked when they are spent: what is low is said elsewhere.
    """
    items = [
        ChecklistItem(
            name="create an API key",
            done=principal.api_key_id is not None or store.has_keys(tx, principal.tenant_id),
            command="omium keys create --name my-laptop",
        ),
        ChecklistItem(
            name="run your first workflow",
            done=store.has_executions(tx, principal.tenant_id),
            command="python my_agents.py",
        ),
    ]
    if money is not None:
        added = money.available_microcredits > 0 or money.usage_microcredits > 0
        items.insert(0, ChecklistItem(name="add credits", done=added, command="omium credits topup 20"))
    return items
