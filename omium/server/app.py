"""The app: how an open database, settings and the endpoint table become one ASGI application.

Owns the order in which parts are opened and closed. The process around it (sockets, signals, logs) is
serve.py; tests use `open_app` directly.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from omium.clock import Clock, SystemClock
from omium.later import later
from omium.server.alerts.deliver import Deliverer
from omium.server.analytics.verify import list_sum_problems
from omium.server.audit.verify import list_audit_problems
from omium.server.background import build_sweeps, list_first_works
from omium.server.background.runner import Runner
from omium.server.background.storing import StorageMeter
from omium.server.builtin.conditions import Conditions
from omium.server.builtin.expressions import ExpressionFailed
from omium.server.builtin.runners import BuiltIn
from omium.server.db.open import open_database
from omium.server.db.settings import DatabaseSettings
from omium.server.db.tx import Database
from omium.server.engine.live import AnnouncingDatabase
from omium.server.engine.money import list_money_problems
from omium.server.engine.nodes.loop import NodeLoop
from omium.server.engine.nodes.sweeps import free_server_tasks
from omium.server.engine.unmetered import end_metering
from omium.server.engine.verify import list_problems
from omium.server.ledger.verify import list_ledger_problems, warn_of_damage
from omium.server.live import LiveHub
from omium.server.routes import list_endpoints, list_pages
from omium.server.seal import KeyFile
from omium.server.secrets.named import open_secret
from omium.server.settings import ServerSettings
from omium.server.store import tenants
from omium.server.traces.exporter import Exporter
from omium.server.traces.shower import Shower
from omium.server.traces.verify import list_trace_problems
from omium.server.web.context import ServerContext, build_context
from omium.server.web.dispatch import Application
from omium.server.web.metrics import counter, gauge
from omium.server.web.openapi import build_openapi
from omium.server.webhooks.keeping import Keeper
from omium.server.webhooks.pusher import Pusher

if TYPE_CHECKING:
    from prometheus_client.core import Metric

_site = later("omium.server.web.manual.site")


@asynccontextmanager
async def open_app(
    settings: ServerSettings, *, clock: Clock | None = None, sweeps: bool = True
) -> AsyncIterator[Application]:
    """Open everything that a server of `settings` needs, yield its application, and close it again.

    With `sweeps=False` nothing runs in the background. Raises what opening the database or the key file
    raises.
    """
    clock = clock or SystemClock()
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    database_settings = DatabaseSettings(ballast_bytes=settings.ballast_bytes)
    live = LiveHub()
    opened = await open_database(settings.database, clock=clock, settings=database_settings)
    db = AnnouncingDatabase(opened, live)
    try:
        # Beside a database with tenants a fresh key file would make every key and sealed value unreadable.
        fresh = await db.read(tenants.find_any_tenant_id) is None
        key_file = KeyFile.open(settings.key_file, create=fresh)
        server = build_context(settings, db, key_file, clock, live)
        server.checks.append(("executions", list_problems))
        server.checks.append(("ledger", list_ledger_problems))
        server.checks.append(("credits of executions", list_money_problems))
        server.checks.append(("analytics", list_sum_problems))
        server.checks.append(("traces", list_trace_problems))
        server.checks.append(("audit log", functools.partial(list_audit_problems, key_file=key_file)))
        server.metrics.add_source(lambda: database_metrics(db))
        server.metrics.add_source(lambda: server_metrics(server))
        for work in list_first_works(settings):
            await db.write(work)
        await warn_of_damage(db)
        if not settings.metering:
            await end_metering(db)
        chosen = build_sweeps(settings, server.engine.policy, server) if sweeps else []
        runner = Runner(db, chosen, server.metrics)
        runner.start()
        built_in = BuiltIn.load(settings)
        if db.dialect == "sqlite":  # nobody else has this file open, so whoever did its tasks is gone
            await db.write(lambda tx: free_server_tasks(tx, server.engine))
        nodes = build_loop(server, built_in)
        deliverer = Deliverer(db, server.channels, clock)
        pusher = Pusher(server.engine, server.webhooks, server.known_secrets, live, clock)
        keeper = Keeper(server.engine, server.webhooks, server.known_secrets, pusher, clock)
        shower = Shower(server.engine)
        exporter = Exporter.load(settings, db)
        storage = StorageMeter(db, metered=settings.metering)
        if sweeps:
            shower.start()
            if exporter is not None:
                exporter.start()
            nodes.start()
            deliverer.start()
            pusher.start()
            keeper.start()
            storage.start()
        try:
            endpoints = list_endpoints()
            server.describe = functools.cache(lambda: build_openapi(endpoints))
            server.open_site = functools.cache(lambda: _site().Site(server.describe))
            yield Application(server, [*endpoints, *list_pages()])
        finally:
            server.drain()
            if exporter is not None:
                await exporter.stop()
            await storage.stop()
            await shower.stop()
            await keeper.stop()
            await pusher.stop()
            await deliverer.stop()
            await nodes.stop()
            await built_in.close()
            await runner.stop()
            await server.auth.close()
            server.passwords.close()
            server.bootstrap.withdraw()
            if server.credits is not None:
                await server.credits.close()
            await server.payments.close()
    finally:
        await db.close()


def build_loop(server: ServerContext, built_in: BuiltIn) -> NodeLoop:
    """Return the loop that goes on with executions of specs, with what this server does itself."""

    async def secret(tenant_id: str, environment: str, name: str) -> str:
        return await server.db.write(
            lambda tx: open_secret(tx, server.key_file, tenant_id, environment, name)
        )

    return NodeLoop(
        server.engine,
        server.live,
        run_task=built_in.run_task,
        runs=frozenset(built_in.runners),
        evaluate=Conditions(server.db, built_in.expressions).evaluate,
        fault=ExpressionFailed,
        secret=secret,
    )


def database_metrics(db: Database) -> Iterable[Metric]:
    """Return what the database's counters say."""
    now = db.counters()
    return [
        counter("omium_db_works", "Works that were answered.", now.works),
        counter("omium_db_works_failed", "Works that raised and undid only themselves.", now.works_failed),
        counter("omium_db_works_repeated", "Works that were run again.", now.works_repeated),
        counter("omium_db_batches", "Transactions that the writer committed.", now.batches),
        counter("omium_db_refused", "Works turned away.", now.refused),
        counter("omium_db_commit_seconds", "Time spent in COMMIT.", now.commit_us / 1_000_000),
        counter("omium_db_reads", "Reads.", now.reads),
        counter("omium_db_reads_timed_out", "Reads that took too long.", now.reads_timed_out),
        counter("omium_db_outcomes_unknown", "Commits whose answer was lost.", now.outcomes_unknown),
        gauge("omium_db_waiting", "Works that wait for the writer.", now.waiting),
        gauge("omium_db_largest_batch", "Most works in one transaction so far.", now.largest_batch),
    ]


def server_metrics(server: ServerContext) -> Iterable[Metric]:
    """Return what the server's own parts say."""
    uptime_s = (server.clock.now_us() - server.started_us) / 1_000_000
    return [
        gauge("omium_streams_open", "Open streams.", server.streams.open),
        gauge("omium_polls_open", "Workers that wait for work.", server.polls.open),
        gauge("omium_uptime_seconds", "Time since the start.", uptime_s),
    ]
