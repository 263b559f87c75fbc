"""The sync client: one method per endpoint, models in and out.

Generated from omium/sdk/async_client by tools/generate_sync_client.py: edit there.

    core.py         what every call has in common     account.py    server, tenant, keys
    executions.py   look, follow, start, resume       replays.py    replay, rollback, effects
    failures.py     inbox and breakers                drivers.py    writes, claims, workers, usage
    credits.py      credits, payments, plans
    graphs.py       a graph framework's saver         prices.py     the price book, what things cost
    people.py       users, sessions, members, tenants
    oversight.py    audit log, alerts, named secrets
    workflows.py    documents, their versions and tags
    analytics.py    usage, errors and savings over time
    automation.py   schedules and triggers
    nodes.py        nodes of specs: tasks, webhooks, signals, approvals

A method has its endpoint's name. It takes the path's parameters, then the command (optional where every field
is); lists take their query by keyword.
"""

from __future__ import annotations

from omium.sdk.sync_client.account import SyncAccount
from omium.sdk.sync_client.analytics import SyncAnalytics
from omium.sdk.sync_client.automation import SyncAutomation
from omium.sdk.sync_client.credits import SyncCredits
from omium.sdk.sync_client.drivers import SyncDrivers
from omium.sdk.sync_client.executions import SyncExecutions
from omium.sdk.sync_client.failures import SyncFailures
from omium.sdk.sync_client.graphs import SyncGraphs
from omium.sdk.sync_client.nodes import SyncNodes
from omium.sdk.sync_client.oversight import SyncOversight
from omium.sdk.sync_client.people import SyncPeople
from omium.sdk.sync_client.prices import SyncPrices
from omium.sdk.sync_client.replays import SyncReplays
from omium.sdk.sync_client.workflows import SyncWorkflows


class Client(
    SyncAccount,
    SyncWorkflows,
    SyncExecutions,
    SyncReplays,
    SyncFailures,
    SyncDrivers,
    SyncGraphs,
    SyncCredits,
    SyncPrices,
    SyncPeople,
    SyncOversight,
    SyncAnalytics,
    SyncAutomation,
    SyncNodes,
):
    """Talks to one server from sync code; see `SyncCore` for arguments, retries and errors."""


__all__ = ["Client"]
