"""Server settings: one table; every field has an environment variable, a unit and a sentence.

Owns the defaults and how text becomes a value. A test demands that docs/operations.md names every variable.
The client's configuration is omium/config.py.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

from omium.errors import ConfigError
from omium.folders import data_folder

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

SIGN_UP_POLICIES = ("closed", "invitation", "open")
_LOOPBACK_NAMES = frozenset({"localhost", "ip6-localhost"})


def _setting(default: Any, variable: str, description: str, *, secret: bool = False) -> Any:
    return field(
        default=default, repr=not secret, metadata={"variable": variable, "description": description}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """Everything that an operator may choose; made by `ServerSettings.load` or, in tests, directly."""

    data: Path = field(
        metadata={"variable": "OMIUM_DATA_DIR", "description": "Folder of database, keys, backups and token."}
    )
    database_url: str | None = _setting(
        None, "OMIUM_DATABASE_URL", "postgresql://...; unset: SQLite in the folder."
    )
    host: str = _setting("127.0.0.1", "OMIUM_HOST", "Address to listen on.")
    port: int = _setting(8720, "OMIUM_PORT", "Port to listen on; 0 takes a free one.")
    tls: bool = _setting(False, "OMIUM_TLS", "Serve TLS with a certificate of the server's own local CA.")
    tls_names: tuple[str, ...] = _setting((), "OMIUM_TLS_NAMES", "Further names in that certificate.")
    behind_proxy: tuple[str, ...] = _setting(
        (), "OMIUM_BEHIND_PROXY", "Networks (CIDR) of proxies whose X-Forwarded-For is believed."
    )
    allowed_hosts: tuple[str, ...] = _setting((), "OMIUM_ALLOWED_HOSTS", "Further names for the Host header.")
    allowed_origins: tuple[str, ...] = _setting(
        (), "OMIUM_ALLOWED_ORIGINS", "Origins of pages that may call."
    )
    log_format: str = _setting("auto", "OMIUM_LOG_FORMAT", "json, console, or auto: console on a terminal.")
    log_level: str = _setting("info", "OMIUM_LOG_LEVEL", "debug, info, warning or error.")
    access_log: bool = _setting(
        False, "OMIUM_ACCESS_LOG", "Log every request; costs about half of the speed."
    )
    body_bytes_max: int = _setting(16 * 2**20, "OMIUM_BODY_BYTES_MAX", "Largest request body.")
    header_bytes_max: int = _setting(64 * 2**10, "OMIUM_HEADER_BYTES_MAX", "Largest request head.")
    header_deadline_s: float = _setting(10.0, "OMIUM_HEADER_DEADLINE_S", "Time for a head to arrive.")
    body_deadline_s: float = _setting(10.0, "OMIUM_BODY_DEADLINE_S", "Grace before a body must keep pace.")
    body_bytes_per_s_min: int = _setting(16 * 2**10, "OMIUM_BODY_BYTES_PER_S_MIN", "That pace.")
    keep_alive_s: int = _setting(75, "OMIUM_KEEP_ALIVE_S", "How long an idle connection is kept.")
    connections_max: int = _setting(1024, "OMIUM_CONNECTIONS_MAX", "Open connections in all.")
    connections_per_address_max: int = _setting(
        256,
        "OMIUM_CONNECTIONS_PER_ADDRESS_MAX",
        "Open connections per address; loopback and proxies have none.",
    )
    streams_max: int = _setting(256, "OMIUM_STREAMS_MAX", "Open streams in all.")
    streams_per_principal_max: int = _setting(
        8, "OMIUM_STREAMS_PER_PRINCIPAL_MAX", "The same per key or user."
    )
    polls_max: int = _setting(
        512, "OMIUM_POLLS_MAX", "Workers that wait for work, in all; streams leave fewer connections to them."
    )
    polls_per_principal_max: int = _setting(64, "OMIUM_POLLS_PER_PRINCIPAL_MAX", "The same per key or user.")
    requests_per_key_per_s: float = _setting(10_000.0, "OMIUM_REQUESTS_PER_KEY_PER_S", "Rate of one key.")
    requests_per_tenant_per_s: float = _setting(
        20_000.0, "OMIUM_REQUESTS_PER_TENANT_PER_S", "The same of a tenant."
    )
    requests_per_address_per_s: float = _setting(
        100.0, "OMIUM_REQUESTS_PER_ADDRESS_PER_S", "Rate of one address without a valid key."
    )
    rate_burst_s: float = _setting(
        4.0, "OMIUM_RATE_BURST_S", "Seconds of each rate that may be used at once."
    )
    key_cache_s: float = _setting(
        1.0, "OMIUM_KEY_CACHE_S", "How long a key's row is believed without a look."
    )
    sign_up: str = _setting(
        "invitation", "OMIUM_SIGN_UP", "Who may become a user after the first: closed, invitation or open."
    )
    password_memory_mib: int = _setting(
        64, "OMIUM_PASSWORD_MEMORY_MIB", "Memory that comparing a password takes; two are compared at once."
    )
    session_idle_s: float = _setting(
        7 * 86_400.0, "OMIUM_SESSION_IDLE_S", "How long a person's session may be unused before it ends."
    )
    session_max_s: float = _setting(
        30 * 86_400.0, "OMIUM_SESSION_MAX_S", "How long it lasts at most, however much it is used."
    )
    idempotency_retention_s: int = _setting(
        7 * 86_400, "OMIUM_IDEMPOTENCY_RETENTION_S", "How long replies are kept for a repeat."
    )
    bootstrap_ttl_s: int = _setting(900, "OMIUM_BOOTSTRAP_TTL_S", "How long a one-time token is valid.")
    drain_s: int = _setting(10, "OMIUM_DRAIN_S", "Time for running requests to end when the server stops.")
    lease_s: float = _setting(30.0, "OMIUM_LEASE_S", "How long a driver owns its execution unheard.")
    lease_grace_s: float = _setting(
        5.0, "OMIUM_LEASE_GRACE_S", "Waited after a lease before its driver counts as lost."
    )
    heartbeat_s: float = _setting(10.0, "OMIUM_HEARTBEAT_S", "How often a driver says that it lives.")
    self_fence_s: float = _setting(
        20.0, "OMIUM_SELF_FENCE_S", "A driver unheard for so long starts nothing new by itself."
    )
    silent_after_s: float = _setting(
        900.0, "OMIUM_SILENT_AFTER_S", "How long a relaxed driver may be silent before it counts as lost."
    )
    cancel_grace_s: float = _setting(
        30.0, "OMIUM_CANCEL_GRACE_S", "How long an execution may take to stop after a cancel."
    )
    metering: bool = _setting(
        True,
        "OMIUM_METERING",
        "Hold and charge credits; false: nothing is charged, and nothing is refused for them.",
    )
    starter_credits: int = _setting(
        10_000, "OMIUM_STARTER_CREDITS", "Credits that a new tenant begins with; 0: none."
    )
    credits_per_usd: int = _setting(
        1_000, "OMIUM_CREDITS_PER_USD", "How many credits a dollar buys; choose it before the first top-up."
    )
    outbound_allow: tuple[str, ...] = _setting(
        (), "OMIUM_OUTBOUND_ALLOW", "Private targets (host:port) that alerts may be sent to, and by http."
    )
    tool_allow: tuple[str, ...] = _setting(
        (),
        "OMIUM_TOOL_ALLOW",
        "Private targets (host:port) that HTTP tools of workflows may call, and by http.",
    )
    outbound_timeout_s: float = _setting(
        10.0, "OMIUM_OUTBOUND_TIMEOUT_S", "Time that the target of an alert has to answer."
    )
    outbound_ca_file: str = _setting(
        "", "OMIUM_OUTBOUND_CA_FILE", "Certificates (PEM) that targets are judged by; unset: the system's."
    )
    otlp_export_endpoint: str = _setting(
        "",
        "OMIUM_OTLP_EXPORT_ENDPOINT",
        "Collector that is told of ended executions, such as http://otel:4318; unset: none.",
    )
    otlp_export_headers: tuple[str, ...] = _setting(
        (), "OMIUM_OTLP_EXPORT_HEADERS", "Headers for it, as name=value.", secret=True
    )
    smtp_host: str = _setting(
        "", "OMIUM_SMTP_HOST", "Mail server for alerts by e-mail; unset: none are sent."
    )
    smtp_port: int = _setting(587, "OMIUM_SMTP_PORT", "Its port.")
    smtp_tls: str = _setting("starttls", "OMIUM_SMTP_TLS", "starttls, tls (from the first byte) or none.")
    smtp_user: str = _setting("", "OMIUM_SMTP_USER", "Whom to log in as; unset: nobody.")
    smtp_password_file: str = _setting("", "OMIUM_SMTP_PASSWORD_FILE", "File that holds the password.")
    smtp_from: str = _setting("", "OMIUM_SMTP_FROM", "Address that alerts come from.")
    smtp_recipients: tuple[str, ...] = _setting(
        (), "OMIUM_SMTP_RECIPIENTS", "Endings such as @example.com that a recipient must have; unset: any."
    )
    alert_commands: str = _setting(
        "", "OMIUM_ALERT_COMMANDS", "TOML file with the commands that an alert may run; unset: none."
    )
    payment_provider: str = _setting(
        "manual",
        "OMIUM_PAYMENT_PROVIDER",
        "How top-ups are paid: manual (the operator books them) or stripe.",
    )
    checkout_return_url: str = _setting(
        "", "OMIUM_CHECKOUT_RETURN_URL", "The page that payers come back to from a checkout."
    )
    stripe_secret_key: str = _setting(
        "", "OMIUM_STRIPE_SECRET_KEY", "Stripe's secret or restricted key.", secret=True
    )
    stripe_secret_key_file: str = _setting(
        "", "OMIUM_STRIPE_SECRET_KEY_FILE", "A file with that key, instead of it."
    )
    stripe_webhook_secrets: tuple[str, ...] = _setting(
        (),
        "OMIUM_STRIPE_WEBHOOK_SECRETS",
        "Signing secrets of the webhook; two while one is changed.",
        secret=True,
    )
    stripe_webhook_secrets_file: str = _setting(
        "", "OMIUM_STRIPE_WEBHOOK_SECRETS_FILE", "A file with those secrets, instead of them."
    )
    stripe_api_base: str = _setting(
        "https://api.stripe.com", "OMIUM_STRIPE_API_BASE", "Where Stripe's API is; another one for tests."
    )
    ballast_bytes: int = _setting(
        16 * 2**20,
        "OMIUM_BALLAST_BYTES",
        "File beside the database that is given up on a full disk; 0: none.",
    )

    def __post_init__(self) -> None:
        for name in (
            "body_bytes_max",
            "header_bytes_max",
            "connections_max",
            "streams_max",
            "polls_max",
            "keep_alive_s",
        ):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} must be above zero; it is {getattr(self, name)}.")
        if self.starter_credits < 0 or self.credits_per_usd <= 0:
            raise ConfigError(
                f"OMIUM_STARTER_CREDITS ({self.starter_credits}) must not be below zero, and"
                f" OMIUM_CREDITS_PER_USD ({self.credits_per_usd}) must be above zero."
            )
        if self.sign_up not in SIGN_UP_POLICIES:
            raise ConfigError(
                f"OMIUM_SIGN_UP is {self.sign_up!r}; choose one of {', '.join(SIGN_UP_POLICIES)}."
            )
        if not 8 <= self.password_memory_mib <= 2048:
            raise ConfigError(
                f"OMIUM_PASSWORD_MEMORY_MIB is {self.password_memory_mib}; choose 8 to 2048, 64 is usual."
            )
        if not 0 < self.heartbeat_s < self.self_fence_s < self.lease_s:
            raise ConfigError(
                f"Of OMIUM_HEARTBEAT_S ({self.heartbeat_s:g}), OMIUM_SELF_FENCE_S ({self.self_fence_s:g}) and"
                f" OMIUM_LEASE_S ({self.lease_s:g}) each must be above the one before, or a driver would lose"
                " its execution while it works."
            )
        if self.streams_max >= self.connections_max:
            raise ConfigError(
                f"streams_max ({self.streams_max}) must leave some of the {self.connections_max} connections"
                " to plain requests; raise OMIUM_CONNECTIONS_MAX or lower OMIUM_STREAMS_MAX."
            )
        _ = self.proxies

    @classmethod
    def load(cls, environ: Mapping[str, str] = os.environ, **chosen: object) -> ServerSettings:
        """Return settings: `chosen` (by the command line; None is not chosen), then `environ`, then defaults.

        Raises `ConfigError` that names the variable.
        """
        values: dict[str, Any] = {}
        for entry in fields(cls):
            variable = entry.metadata["variable"]
            if chosen.get(entry.name) is not None:
                values[entry.name] = chosen[entry.name]
            elif entry.name == "data":
                values["data"] = data_folder(environ)
            elif variable in environ:
                default = None if entry.default is MISSING else entry.default
                values[entry.name] = _parse(variable, environ[variable], default)
        if unknown := set(chosen) - {entry.name for entry in fields(cls)}:
            raise ConfigError(f"There are no settings named {', '.join(sorted(unknown))}.")
        return cls(**values)

    @property
    def proxies(self) -> tuple[IPNetwork, ...]:
        """Networks whose X-Forwarded-For is believed."""
        try:
            return tuple(ipaddress.ip_network(text) for text in self.behind_proxy)
        except ValueError as error:
            raise ConfigError(f"{error}; name a network such as 10.0.0.0/8 in --behind-proxy.") from error

    @property
    def listens_to_strangers(self) -> bool:
        """Whether others than this machine can reach the server."""
        if self.host.lower() in _LOOPBACK_NAMES:
            return False
        try:
            return not ipaddress.ip_address(self.host).is_loopback
        except ValueError:  # a name: whatever it resolves to
            return True

    @property
    def database(self) -> str:
        """What to open: the PostgreSQL URL, or the path of the SQLite file."""
        return self.database_url or str(self.data / "omium.sqlite")

    @property
    def key_file(self) -> Path:
        """Where the server's keys are, outside of the database."""
        return self.data / "keys.json"


def _parse(variable: str, text: str, default: object) -> object:
    """Return `text` as the type of `default`."""
    try:
        match default:
            case bool():
                return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}[
                    text.lower()
                ]
            case int():
                return int(text)
            case float():
                return float(text)
            case tuple():
                return tuple(part.strip() for part in text.split(",") if part.strip())
            case _:
                return text
    except (ValueError, KeyError) as error:
        kind = type(default).__name__
        raise ConfigError(
            f"{variable} is {text!r}, which is not a value of type {kind}; correct or unset it."
        ) from error
