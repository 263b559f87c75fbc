"""Pausing: `on_pause="wait"`, a drive that blocks while its execution is paused instead of raising.

Owns giving the lease back in the middle of a function, waiting until somebody lets the execution go on, and
going on in place under a new lease. The branch that gets there first does it, the others wait for it. Where
going on in place would be wrong (a rollback, another driver) the branch ends as it would have otherwise.
"""

from __future__ import annotations

from typing import Any, Final

from omium.errors import CreditsExhausted, EffectUnresolved, LimitReached
from omium.sdk.context import Frame
from omium.sdk.driving import Driving
from omium.sdk.flows import Flow, sleep
from omium.sdk.lease import Lease
from omium.sdk.starting import Granted, get_execution, take_up

POLL_S: Final = 2.0
SETTLE_S: Final = 0.05

_ASKED_ANEW: Final = frozenset({"credits", "effect", "limit"})
"""Reasons after which the server itself knows whether it may go on; the others need a person's word."""


def wait_out(driving: Driving, frame: Frame) -> Flow[None]:
    """Return when `driving` may go on; at once unless it's paused and was asked to wait."""
    while driving.waits:
        with driving.waiting_branch(frame.scope.path) as first:
            if first:
                yield from _wait(driving)
            else:
                yield from sleep(POLL_S / 4)


def _wait(driving: Driving) -> Flow[None]:
    reason = driving.lease.suspend or "operator"
    while not driving.settled:  # what runs ends and is recorded first
        yield from sleep(SETTLE_S)
    body: dict[str, object] = {
        "type": "execution.suspends",
        "reason": _wire_reason(reason),
        "outcome": "stopped",
    }
    driving.say(driving.suspension(reason))
    driving.paused = True  # no heartbeat from here on: nothing is held
    try:
        yield from driving.write(body)
        granted = yield from _until_granted(driving)
        grant = granted.grant
        assert grant is not None
        if grant["execution"]["generation"] != driving.generation:
            raise driving.lease.lose(
                f"Execution {driving.execution_id} was rolled back while it was paused, so it cannot go on "
                f"in the middle. Run it again: {driving.resume_command}"
            )
        driving.lease = Lease.from_grant(grant, sent_us=granted.sent_us, durability=driving.lease.durability)
    finally:
        driving.paused = False


def _until_granted(driving: Driving) -> Flow[Granted]:
    while True:
        yield from sleep(POLL_S)
        detail: dict[str, Any] = yield from get_execution(driving.execution_id)
        status, reason = detail["status"], detail.get("reason")
        if status == "queued" or (status == "paused" and reason in _ASKED_ANEW):
            try:
                return (yield from take_up(driving.execution_id))
            except (CreditsExhausted, EffectUnresolved, LimitReached):
                continue
        if status != "paused":
            raise driving.lease.lose(f"Execution {driving.execution_id} is {status}; it goes on elsewhere.")


def _wire_reason(reason: str) -> str:
    return reason if reason in {"operator", "effect", "credits", "limit"} else "operator"
