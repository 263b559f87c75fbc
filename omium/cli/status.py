"""`omium status`, `omium whoami`: the tenant at a glance, what to do first, and whose key this is."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from omium.cli.cells import Cell
from omium.cli.context import Common, for_server
from omium.errors import NotFound
from omium.states import ExecutionStatus
from omium.words import count, local_time, number

if TYPE_CHECKING:
    from omium.models.account import Status, WhoAmI
    from omium.sdk.sync_client import Client

NAMED_MAX: Final = 3
"""For so many workflows without a worker it is asked how they are served; each asks twice."""


@for_server
def status(common: Common) -> None:
    """Show what runs, what failed, and what to do first.

    \b
    omium status
    omium status --json
    """
    with common.client() as client:
        found = client.get_status()
        serving = {} if common.output.as_json else _find_serving(client, found.unserved)
        server = client.settings.base_url
    if common.output.as_json:
        common.output.json(found)
        return
    common.output.facts(_facts(found, server))
    if not all(item.done for item in found.checklist):
        common.output.heading("Get started")
        common.output.facts(
            (Cell(f"✓ {item.name}", "green"), "") if item.done else (Cell(f"○ {item.name}"), item.command)
            for item in found.checklist
        )
    if found.credits_low:
        common.output.warn("Credits are low. Top up: omium credits topup 20")
    for workflow in found.unserved:
        common.output.warn(
            f"Executions of {workflow} are queued and no worker serves it:"
            f" {serving.get(workflow, f'omium worker PATH.py:{workflow}')}"
        )


def _find_serving(client: Client, workflows: Sequence[str]) -> dict[str, str]:
    """Return the command of the worker that would serve each workflow, where its document names the code."""
    found = {}
    for workflow in workflows[:NAMED_MAX]:
        queued = client.list_executions(workflow=workflow, status=ExecutionStatus.QUEUED, limit=1).items
        with contextlib.suppress(NotFound):  # deleted since
            command = client.get_execution(queued[0].id).runner.command if queued else []
            if command[:2] == ["omium", "worker"]:
                found[workflow] = shlex.join(command)
    return found


def _facts(found: Status, server: str) -> list[tuple[str, str | None]]:
    now = [
        f"{count} {name}"
        for name, count in (
            ("running", found.running),
            ("queued", found.queued),
            ("waiting", found.waiting),
            ("paused", found.paused),
        )
        if count
    ]
    rate = "" if found.success_rate is None else f", {found.success_rate:.0%} completed"
    return [
        ("Server", f"{server} (Omium {found.server_version})"),
        ("Tenant", f"{found.tenant}, environment {found.environment.value}"),
        ("Credits", _describe_credits(found)),
        ("Now", ", ".join(now) or "nothing runs"),
        ("Today", f"{count(found.executions_today, 'execution')}{rate}"),
        (
            "Failures",
            f"{found.open_failures} open" + (": omium failures list" if found.open_failures else ""),
        ),
        ("Workers", str(found.workers)),
    ]


def _describe_credits(found: Status) -> str:
    if found.credits is None:
        return "not metered on this server"
    words = number(found.credits)
    if found.held_credits:
        words += f", {number(found.held_credits)} of them held for work that runs"
    if found.burn_credits_per_day:
        words += f"; {number(found.burn_credits_per_day)} a day"
        if found.empty_at_us is not None:
            words += f", gone on {local_time(found.empty_at_us)[:10]} at this rate"
    return words


@for_server
def whoami(common: Common) -> None:
    """Show whose key is used here, and what it may do.

    \b
    omium whoami
    omium whoami --profile prod --json
    """
    with common.client() as client:
        who = client.get_whoami()
        settings = client.settings
    if common.output.as_json:
        common.output.json(who)
        return
    common.output.facts(
        [
            ("Tenant", f"{who.tenant} ({who.tenant_id})"),
            _describe_caller(who, settings.sources.get("api_key", "?")),
            ("Credits", "not metered on this server" if who.credits is None else number(who.credits)),
            ("Environment", who.environment.value),
            ("May", " ".join(scope.value for scope in who.scopes)),
            ("Server", f"{settings.base_url} (Omium {who.server_version})"),
        ]
    )


def _describe_caller(who: WhoAmI, source: str) -> tuple[str, str]:
    if who.user is not None and who.role is not None:
        return "User", f"{who.user} ({who.role.value}), session {who.session_id}, from {source}"
    return "Key", f"{who.key_name} ({who.api_key_id}), from {source}"
