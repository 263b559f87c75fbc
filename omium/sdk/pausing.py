"""Pausing: `on_pause="wait"`, a drive that blocks while its execution is paused instead of raising.

Owns giving the lease back in the middle of a function, waiting until somebody lets the execution go on, and
going on in place under a new lease. The branch that gets there first does it, the others wait for it. A
server that is away is waited for as well, for as long as it takes: how long is the user's choice (Ctrl-C).
Where going on in place would be wrong (a rollback, another driver) the branch ends and says why.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from omium.errors import (
    Cancelled,
    ConnectionLost,
    CreditsExhausted,
    EffectUnresolved,
    IllegalTransition,
    LimitReached,
    Problem,
    UnknownPrice,
)
from omium.sdk.context import Frame
from omium.sdk.driving import Driving
from omium.sdk.exchange import may_retry
from omium.sdk.flows import Flow, sleep, write
from omium.sdk.lease import Lease
from omium.sdk.starting import Granted, get_execution, new_lease_token, take_up

T = TypeVar("T")

POLL_S: Final = 2.0
SETTLE_S: Final = 0.05

_ASKED_ANEW: Final = frozenset({"credits", "effect", "limit"})
"""Reasons after which the server itself knows whether it may go on; the others need a person's word."""

_log = logging.getLogger("omium")


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
    driving.say(driving.suspension(reason))
    driving.paused = True  # no heartbeat from here on: nothing is held
    began_us = driving.clock.boot_us()
    try:
        yield from _patiently(driving, lambda: driving.write(_suspends(reason)))
        granted = yield from _until_granted(driving)
        lease = _lease_of(driving, granted)
        if granted.execution["generation"] != driving.generation:
            yield from _return(driving, lease)
            raise _rolled_back(driving)
        driving.lease = lease
    finally:
        driving.paused = False
        driving.extend(driving.clock.boot_us() - began_us)


def _until_granted(driving: Driving) -> Flow[Granted]:
    """Return the grant under which the execution goes on here; raise what says that it does not.

    A request whose answer was lost may have been granted. It's sent again under the same lease token until it
    is answered, so that a grant never stands without its driver.
    """
    token = new_lease_token()
    while True:
        yield from _until_askable(driving)
        try:
            return (yield from _patiently(driving, lambda: take_up(driving.execution_id, lease_token=token)))
        except (CreditsExhausted, UnknownPrice, EffectUnresolved, LimitReached, IllegalTransition):
            continue  # not yet; or somebody else was faster, which the next look shows


def _until_askable(driving: Driving) -> Flow[None]:
    while True:
        yield from sleep(POLL_S)
        if driving.stop_reason is not None:
            raise driving.suspension(driving.stop_reason)
        detail: dict[str, Any] = yield from _patiently(driving, lambda: get_execution(driving.execution_id))
        status, reason = detail["status"], detail.get("reason")
        if status == "cancelled":
            raise Cancelled(f"Execution {driving.execution_id} was cancelled.")
        if detail["generation"] != driving.generation:
            raise _rolled_back(driving)
        if status == "queued" or (status == "paused" and reason in _ASKED_ANEW):
            return
        if status != "paused" and not _is_untold(driving, detail):
            raise _overtaken(driving, status)


def _patiently(driving: Driving, request: Callable[[], Flow[T]]) -> Flow[T]:
    """Make a request until the server answers it, however long that takes."""
    told = False
    while True:
        try:
            return (yield from request())
        except (ConnectionLost, Problem) as error:
            if isinstance(error, Problem) and not may_retry(error):
                raise
            if not told:
                _log.warning("Execution %s waits for its server, too. %s", driving.execution_id, error)
            told = True
        yield from sleep(POLL_S)


def _is_untold(driving: Driving, detail: Mapping[str, Any]) -> bool:
    """Say whether the server takes us for running still: what we said waits in the spool."""
    return bool(detail["status"] == "running" and detail["attempt"] == driving.lease.epoch)


def _overtaken(driving: Driving, status: str) -> BaseException:
    how = "another process has taken it up" if status == "running" else f"it is {status} now"
    return driving.lease.lose(
        f"Execution {driving.execution_id} was paused, and while this process waited {how}, so it ends here. "
        f"Look at it with: omium executions show {driving.execution_id}"
    )


def _rolled_back(driving: Driving) -> BaseException:
    return driving.lease.lose(
        f"Execution {driving.execution_id} was rolled back while it was paused, so it cannot go on "
        f"in the middle. Run it again: {driving.resume_command}"
    )


def _lease_of(driving: Driving, granted: Granted) -> Lease:
    grant = granted.grant
    assert grant is not None
    return Lease.from_grant(grant, sent_us=granted.sent_us, durability=driving.lease.durability)


def _return(driving: Driving, lease: Lease) -> Flow[None]:
    """Give a grant back that cannot be used."""
    yield from _patiently(driving, lambda: write(lease, _suspends("operator")))


def _suspends(reason: str) -> dict[str, object]:
    known = reason if reason in {"operator", "effect", "credits", "limit"} else "operator"
    return {"type": "execution.suspends", "reason": known, "outcome": "stopped"}
