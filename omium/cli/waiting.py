"""Waiting for an execution that runs elsewhere: a live line for a person, silence in a pipe."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from omium.cli.detail import answer_words
from omium.clock import US_PER_S
from omium.errors import ConnectionLost
from omium.states import ENDED_STATUSES, ExecutionStatus, Runner
from omium.words import count, now_us, span

if TYPE_CHECKING:
    from omium.cli.output import Output
    from omium.models.approval import AwaitedSignal
    from omium.models.execution import ExecutionDetail
    from omium.sdk.sync_client import Client

_POLL_S = 0.2
_POLL_MAX_S = 2.0
_AWAY_MAX_S = 300.0
_AWAY_POLL_S = 1.0
_UNSERVED_US = 2 * US_PER_S
_NAMED_MAX = 8

T = TypeVar("T")


def ask_patiently(output: Output, ask: Callable[[], T]) -> T:
    """Return what `ask` returns; a server that is away is waited for, 5 minutes. Then `ConnectionLost`."""
    away_since_s: float | None = None
    while True:
        try:
            answer = ask()
        except ConnectionLost:
            now_s = time.monotonic()
            away_since_s = now_s if away_since_s is None else away_since_s
            if now_s - away_since_s > _AWAY_MAX_S:
                raise
            waited = span(round((now_s - away_since_s) * US_PER_S))
            output.progress(f"… the server is away; waiting for it ({waited})")
            time.sleep(_AWAY_POLL_S)
        else:
            if away_since_s is not None:
                output.progress("")
            return answer


def wait_for_end(output: Output, client: Client, execution_id: str) -> ExecutionDetail:
    """Return the execution once it has ended or is paused. A server that is away is waited for, 5 minutes."""
    delay_s, warned = _POLL_S, False
    answered: list[AwaitedSignal] = []
    began_us = now_us()
    try:
        while True:
            detail = ask_patiently(output, lambda: client.get_execution(execution_id))
            if detail.status in ENDED_STATUSES or detail.status is ExecutionStatus.PAUSED:
                return detail
            if not warned and _is_unserved(detail) and now_us() - began_us > _UNSERVED_US:
                output.progress("")
                output.say(explain_unserved(client, detail.workflow, execution_id))
                warned = True
            if detail.awaited_signals and detail.awaited_signals != answered:
                output.progress("")
                output.say(answer_words(detail))
            answered = detail.awaited_signals
            output.progress(_live_line(detail, began_us))
            time.sleep(delay_s)
            delay_s = min(delay_s * 1.3, _POLL_MAX_S if not output.live else 1.0)
    except KeyboardInterrupt:
        output.progress("")
        output.say(f"It goes on without this command. See: omium executions show {execution_id}")
        raise
    finally:
        output.progress("")


def explain_unserved(client: Client, workflow: str, execution_id: str) -> str:
    """Say what to do about an execution that no worker takes, and which name may have been meant."""
    from difflib import get_close_matches  # `omium --help` can do without

    workers = client.each(client.list_workers, limit=200)
    served = {name for each in workers if each.seen for name in each.workflows}
    begun = {each.workflow for each in client.list_executions(limit=200).items if each.started_at_us}
    meant = get_close_matches(workflow, sorted(served), n=1) or get_close_matches(
        workflow, sorted(begun - {workflow}), n=1
    )
    if meant and workflow not in begun:
        return (
            f"No worker serves {workflow}. Did you mean {meant[0]}? "
            f"Then end this one: omium cancel {execution_id}"
        )
    detail = client.get_execution(execution_id)
    if detail.version is not None and detail.runner.command:  # what a native document names
        return f"No worker serves {workflow}. In another terminal: {shlex.join(detail.runner.command)}"
    others = f" (those here serve {', '.join(sorted(served)[:_NAMED_MAX])})" if served else ""
    return f"No worker serves {workflow}{others}. In another terminal: omium worker PATH.py"


def _is_unserved(detail: ExecutionDetail) -> bool:
    return detail.status is ExecutionStatus.QUEUED and detail.runner.runner is Runner.NONE


def _live_line(detail: ExecutionDetail, began_us: int) -> str:
    parts = [
        detail.status.value + (f" ({detail.reason})" if detail.reason else ""),
        count(detail.steps_completed, "step") + " done",
        f"now {', '.join(detail.running_steps[:3])}" if detail.running_steps else "",
        span(now_us() - began_us),
    ]
    return "… " + " · ".join(part for part in parts if part)
