"""The server's parts, as one object that every call carries: no globals, so tests make what they like."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from omium.clock import Clock
from omium.server.accounts.passwords import Passwords
from omium.server.alerts.channels import Channels
from omium.server.audit import AuditLog
from omium.server.audit.refusals import Refusals
from omium.server.db.tx import Database
from omium.server.engine.parts import EngineParts
from omium.server.engine.policy import Policy
from omium.server.engine.values import Vault
from omium.server.live import LiveHub
from omium.server.payments import Providers, open_providers
from omium.server.seal import KeyFile
from omium.server.secrets.known import KnownSecrets
from omium.server.settings import ServerSettings
from omium.server.web.auth import Authenticator
from omium.server.web.bootstrap import BootstrapToken
from omium.server.web.credit_headers import CreditHeaders
from omium.server.web.hosts import HostPolicy
from omium.server.web.limits import StreamQuota, TokenBuckets
from omium.server.web.metrics import Metrics
from omium.server.webhooks.sending import Sender

if TYPE_CHECKING:
    from omium.server.web.manual.site import Site

Check = Callable[[Database], Awaitable[list[str]]]


def _no_site() -> Site:
    raise RuntimeError("This server shows no documentation.")


@dataclass(slots=True)
class ServerContext:
    """What a running server consists of. `draining` turns every new request away."""

    settings: ServerSettings
    db: Database
    engine: EngineParts
    clock: Clock
    key_file: KeyFile
    audit: AuditLog
    refusals: Refusals
    channels: Channels
    webhooks: Sender
    known_secrets: KnownSecrets
    live: LiveHub
    auth: Authenticator
    hosts: HostPolicy
    streams: StreamQuota
    polls: StreamQuota
    per_key: TokenBuckets
    per_tenant: TokenBuckets
    per_address: TokenBuckets
    metrics: Metrics
    bootstrap: BootstrapToken
    payments: Providers
    passwords: Passwords
    started_us: int
    describe: Callable[[], bytes] = lambda: b"{}"  # the OpenAPI document; app.py knows the endpoints
    open_site: Callable[[], Site] = _no_site  # the documentation; app.py, too
    draining: bool = False
    credits: CreditHeaders | None = None  # None where this server does not meter
    checks: list[tuple[str, Check]] = field(default_factory=list)  # of stored data, by name

    def drain(self) -> None:
        """Turn new requests away and end streams and long polls; what runs may end."""
        self.draining = True
        self.live.close()


def make_policy(settings: ServerSettings) -> Policy:
    """Return the engine's times as the operator chose them."""
    return Policy(
        lease_s=settings.lease_s,
        heartbeat_s=settings.heartbeat_s,
        self_fence_s=settings.self_fence_s,
        grace_s=settings.lease_grace_s,
        silent_after_s=settings.silent_after_s,
        cancel_grace_s=settings.cancel_grace_s,
    )


def build_context(
    settings: ServerSettings, db: Database, key_file: KeyFile, clock: Clock, live: LiveHub | None = None
) -> ServerContext:
    """Return the parts of a server on an open database."""
    burst_s = settings.rate_burst_s

    def buckets(rate_per_s: float, whose: str) -> TokenBuckets:
        return TokenBuckets(clock, rate_per_s, rate_per_s * burst_s, whose)

    audit = AuditLog(key_file)
    known_secrets = KnownSecrets(db, key_file, clock)
    vault = Vault(key_file, known_of=known_secrets.spelled)
    live = live or LiveHub()
    shown = CreditHeaders(db, clock) if settings.metering else None
    live.on_credits = shown.note_moved if shown is not None else None
    return ServerContext(
        settings=settings,
        db=db,
        engine=EngineParts(db, vault, make_policy(settings), metering=settings.metering),
        clock=clock,
        key_file=key_file,
        audit=audit,
        refusals=Refusals(audit, clock),
        channels=Channels.load(settings, key_file),
        webhooks=Sender.load(settings, key_file, clock),
        known_secrets=known_secrets,
        live=live,
        auth=Authenticator(db, key_file, clock, settings.key_cache_s, settings.session_idle_s),
        hosts=HostPolicy(settings),
        streams=StreamQuota(settings.streams_max, settings.streams_per_principal_max),
        polls=StreamQuota(
            min(settings.polls_max, settings.connections_max - settings.streams_max),
            settings.polls_per_principal_max,
            "waiting workers",
        ),
        per_key=buckets(settings.requests_per_key_per_s, "key"),
        per_tenant=buckets(settings.requests_per_tenant_per_s, "tenant"),
        per_address=buckets(settings.requests_per_address_per_s, "address without a valid key"),
        metrics=Metrics(),
        bootstrap=BootstrapToken(settings.data, clock, settings.bootstrap_ttl_s),
        payments=open_providers(settings),
        passwords=Passwords(settings.password_memory_mib),
        credits=shown,
        started_us=clock.now_us(),
    )
