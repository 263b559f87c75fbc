"""Routes: one module per noun; each declares its endpoints and delegates, nothing else.

The list below is the whole of the HTTP surface: a module that is not named here does not exist for anyone.
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
    driver,
    effects,
    estimates,
    executions,
    failures,
    graphs,
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
    secrets,
    sessions,
    status,
    streams,
    tasks,
    tenants,
    tokens,
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
    workflows,
    executions,
    replay,
    rollback,
    effects,
    logs,
    failures,
    breakers,
    usage,
    credits,
    payments,
    plans,
    prices,
    estimates,
    analytics,
    retention,
    audit,
    alerts,
    secrets,
    driver,
    workers,
    tasks,
    webhooks,
    approvals,
    streams,
    admin,
    graphs,
)


def list_endpoints() -> list[Endpoint]:
    """Return every declared endpoint, in the order of the modules."""
    return [endpoint for module in MODULES for endpoint in module.ENDPOINTS]
