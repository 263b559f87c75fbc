"""Routes: one module per noun; each declares its endpoints and delegates, nothing else.

The lists below are the whole of the HTTP surface: a module that is not named here does not exist for anyone.
"""

from __future__ import annotations

from omium.server.routes import (
    accounts,
    admin,
    alerts,
    analytics,
    approvals,
    audit,
    bootstrap,
    breakers,
    credits,
    documentation,
    driver,
    effects,
    estimates,
    executions,
    failures,
    graphs,
    imports,
    key_usage,
    keys,
    logs,
    members,
    meta,
    payments,
    plans,
    prices,
    replay,
    retention,
    rollback,
    schedules,
    secrets,
    sessions,
    slots,
    status,
    streams,
    tasks,
    tenants,
    tokens,
    traces,
    triggers,
    usage,
    webhooks,
    workers,
    workflows,
)
from omium.server.web.endpoint import Endpoint

MODULES = (
    meta,
    status,
    bootstrap,
    accounts,
    sessions,
    members,
    tenants,
    keys,
    key_usage,
    tokens,
    traces,
    workflows,
    executions,
    replay,
    rollback,
    effects,
    logs,
    failures,
    breakers,
    slots,
    usage,
    credits,
    payments,
    plans,
    prices,
    estimates,
    analytics,
    approvals,
    retention,
    audit,
    alerts,
    secrets,
    driver,
    workers,
    tasks,
    webhooks,
    schedules,
    triggers,
    streams,
    admin,
    graphs,
    imports,
)


def list_pages() -> list[Endpoint]:
    """Return what is served to browsers beside the API: in no client, and not in its description."""
    return list(documentation.PAGES)


def list_endpoints() -> list[Endpoint]:
    """Return every declared endpoint, in the order of the modules."""
    return [endpoint for module in MODULES for endpoint in module.ENDPOINTS]
