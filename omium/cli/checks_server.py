"""Checks of the server: whether it answers, its version, its clock, and what the key is good for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

import omium
from omium.cli.findings import Finding
from omium.config import Settings, load_settings
from omium.errors import ConfigError, OmiumError, Problem
from omium.words import count, span

if TYPE_CHECKING:
    from omium.sdk.sync_client import Client

CLOCK_WARN_S: Final = 5.0
CLOCK_FAIL_S: Final = 300.0
_TIMEOUT_S: Final = 5.0


def check_server(base_url: str | None, profile: str | None) -> Iterator[Finding]:
    """Ask the server that the settings name; what it does not answer ends the questions."""
    from omium.sdk.sync_client import Client

    try:
        settings = load_settings(base_url=base_url, profile=profile)
        client = Client(settings=settings, timeout_s=_TIMEOUT_S, retry_for_s=0.0)
    except ConfigError:
        return  # said already, by the check of the configuration
    with client:
        try:
            yield from _ask(client, settings)
        except OmiumError as error:
            yield Finding(
                "fail", "Server", str(error).rstrip("."), "Start it: omium serve; or set --base-url"
            )


def _ask(client: Client, settings: Settings) -> Iterator[Finding]:
    began = time.perf_counter()
    health = client.get_health()
    took_ms = (time.perf_counter() - began) * 1000
    yield Finding(
        "ok", "Server", f"{settings.base_url} answers in {took_ms:.0f} ms, Omium {health.server_version}"
    )
    yield from _check_version(health.server_version)
    ready = client.get_readiness()
    if ready.status != "ready":
        yield Finding("fail", "Readiness", ready.detail or ready.status, "See the server's log")
    yield from _check_clock(settings)
    yield from _check_key(client, settings)


def _check_version(server_version: str) -> Iterator[Finding]:
    ours, theirs = (version.split(".")[:2] for version in (omium.__version__, server_version))
    if ours != theirs:
        yield Finding(
            "warn",
            "Versions",
            f"this is Omium {omium.__version__}, the server {server_version}",
            f"Install the same on both: pip install omium-os=={server_version}",
        )


def _check_clock(settings: Settings) -> Iterator[Finding]:
    from omium.sdk.flows import Http
    from omium.sdk.transport.client import HttpxTransport
    from omium.sdk.wire import make_target

    transport = HttpxTransport(
        make_target(settings.base_url, None, ca_file=settings.ca_file, tls_pin=settings.tls_pin)
    )
    try:
        answer = transport.http(Http("GET", "/healthz", timeout_s=_TIMEOUT_S))
    finally:
        transport.close()
    told = answer.headers.get("date")
    if told is None:
        return
    # The header has whole seconds: half of one is the best guess.
    difference_s = time.time() - parsedate_to_datetime(told).timestamp() - 0.5
    apart = span(round(abs(difference_s) * 1_000_000))
    if abs(difference_s) > CLOCK_WARN_S:
        yield Finding(
            "fail" if abs(difference_s) > CLOCK_FAIL_S else "warn",
            "Clock",
            f"this machine is {apart} {'ahead of' if difference_s > 0 else 'behind'} the server",
            "Set both clocks (NTP): times of steps would be wrong",
        )
    else:
        yield Finding("ok", "Clock", "within a few seconds of the server's")


def _check_key(client: Client, settings: Settings) -> Iterator[Finding]:
    if not settings.api_key:
        yield Finding(
            "fail",
            "API key",
            f"there is none for {settings.base_url}",
            "omium init, omium login, or set OMIUM_API_KEY",
        )
        return
    source = settings.sources.get("api_key", "?")
    try:
        who = client.get_whoami()
    except Problem as problem:
        yield Finding(
            "fail", "API key", f"the one from {source} is refused: {problem}".rstrip("."), "omium init"
        )
        return
    yield Finding(
        "ok", "API key", f"{who.key_name} of tenant {who.tenant}, {who.environment.value}, from {source}"
    )
    if settings.environment is not None and settings.environment is not who.environment:
        yield Finding(
            "fail",
            "Environment",
            f"{settings.environment.value} is asked for, and the key is for {who.environment.value}",
            "Use another profile or key: --profile, OMIUM_API_KEY",
        )
    try:
        workers = [each for each in client.each(client.list_workers, limit=200) if each.seen]
    except Problem:
        return  # the key may not read; that's said by `omium whoami`
    served = sorted({name for each in workers for name in each.workflows})
    yield Finding(
        "ok",
        "Workers",
        f"{count(len(workers), 'worker')}" + (f", serving {', '.join(served[:8])}" if served else ""),
    )
