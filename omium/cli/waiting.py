"""Waiting for an execution that runs elsewhere: a live line for a person, silence in a pipe."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from omium.cli.words import count, now_us, span
from omium.errors import ConnectionLost
from omium.states import ENDED_STATUSES, ExecutionStatus, Runner

if TYPE_CHECKING:
    from omium.cli.output import Output
    from omium.models.execution import ExecutionDetail
    from omium.sdk.sync_client import Client

_POLL_S = 0.2
_POLL_MAX_S = 2.0
_AWAY_MAX_S = 300.0


def wait_for_end(output: Output, client: Client, execution_id: str) -> ExecutionDetail:
    """Return the execution once it has ended or is paused. A server that is away is waited for, 5 minutes."""
    delay_s, away_since_s, warned = _POLL_S, None, False
    began_us = now_us()
    try:
        while True:
            try:
                detail = client.get_execution(execution_id)
            except ConnectionLost:
                away_since_s = away_since_s or time.monotonic()
                if time.monotonic() - away_since_s > _AWAY_MAX_S:
                    raise
                output.progress(f"… the server is away; waiting for it ({span(now_us() - began_us)})")
            else:
                away_since_s = None
                if detail.status in ENDED_STATUSES or detail.status is ExecutionStatus.PAUSED:
                    return detail
                if not warned and _is_unserved(detail) and now_us() - began_us > 2_000_000:
                    output.progress("")
                    output.say(
                        f"No worker serves {detail.workflow}. In another terminal: omium worker PATH.py"
                    )
                    warned = True
                output.progress(_live_line(detail, began_us))
            time.sleep(delay_s)
            delay_s = min(delay_s * 1.3, _POLL_MAX_S if not output.live else 1.0)
    except KeyboardInterrupt:
        output.progress("")
        output.say(f"It goes on without this command. See: omium executions show {execution_id}")
        raise
    finally:
        output.progress("")


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
