"""The async client: one method per endpoint, models in and out.

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
is); lists take their query by keyword. `omium.sdk.sync_client` is generated from this package.
"""

from __future__ import annotations

from omium.sdk.async_client.account import AsyncAccount
from omium.sdk.async_client.analytics import AsyncAnalytics
from omium.sdk.async_client.automation import AsyncAutomation
from omium.sdk.async_client.credits import AsyncCredits
from omium.sdk.async_client.drivers import AsyncDrivers
from omium.sdk.async_client.executions import AsyncExecutions
from omium.sdk.async_client.failures import AsyncFailures
from omium.sdk.async_client.graphs import AsyncGraphs
from omium.sdk.async_client.nodes import AsyncNodes
from omium.sdk.async_client.oversight import AsyncOversight
from omium.sdk.async_client.people import AsyncPeople
from omium.sdk.async_client.prices import AsyncPrices
from omium.sdk.async_client.replays import AsyncReplays
from omium.sdk.async_client.workflows import AsyncWorkflows


class AsyncClient(
    AsyncAccount,
    AsyncWorkflows,
    AsyncExecutions,
    AsyncReplays,
    AsyncFailures,
    AsyncDrivers,
    AsyncGraphs,
    AsyncCredits,
    AsyncPrices,
    AsyncPeople,
    AsyncOversight,
    AsyncAnalytics,
    AsyncAutomation,
    AsyncNodes,
):
    """Talks to one server from async code; see `AsyncCore` for arguments, retries and errors."""


__all__ = ["AsyncClient"]
