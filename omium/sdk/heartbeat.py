"""Heartbeat: the thread that keeps the leases of this process while user code runs (semantics 3.3).

Owns one daemon thread per process, whatever the number of executions: those that are due soon beat together,
in one request, so that a slow server does not let the last of many wait beyond its lease. Each beat lists the
steps that run now and brings back what the server wants of that execution (cancel, pause). A beat that fails
is tried again soon: losing one is no reason to stop anything, only a grant to another driver is.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import Final, Protocol

from omium.clock import US_PER_S, Clock
from omium.errors import OmiumError, Problem, Suspension
from omium.sdk.context import outside
from omium.sdk.driving import Driving
from omium.sdk.flows import Ports, Write, WriteOutcome, drive_sync
from omium.sdk.lease import SYSTEM_CLOCK
from omium.sdk.process import ForkReset

PATHS_MAX: Final = 1000
TOGETHER: Final = 0.5  # what is due within this part of its interval beats along

_log = logging.getLogger("omium")


class BeatPorts(Ports, Protocol):
    """What a heart reaches its server through."""

    def write_beside(self, requests: Sequence[Write], /) -> list[WriteOutcome | BaseException]:
        """Send writes of several executions together, and return what each was told."""
        ...


class Heart(ForkReset):
    """Beats for every execution that is driven here."""

    def __init__(self, ports: BeatPorts, clock: Clock = SYSTEM_CLOCK) -> None:
        self._ports = ports
        self._clock = clock
        self.reset_after_fork()
        self.watch_forks()

    def reset_after_fork(self) -> None:
        """Forget the parent's executions: a forked child holds no lease."""
        self._changed = threading.Condition()
        self._due_us: dict[Driving, int] = {}
        self._thread: threading.Thread | None = None

    def add(self, driving: Driving) -> None:
        """Beat for `driving` from now on."""
        with self._changed:
            self._due_us[driving] = self._clock.boot_us() + round(driving.lease.heartbeat_s * US_PER_S)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="omium-heartbeat", daemon=True)
                with outside():
                    self._thread.start()
            self._changed.notify()

    def remove(self, driving: Driving) -> None:
        """Beat for `driving` no longer."""
        with self._changed:
            self._due_us.pop(driving, None)
            self._changed.notify()

    def beat(self, *drivings: Driving) -> bool:
        """Tell the server that `drivings` live; say whether it answered for all of them."""
        return all(self._beat(drivings).values())

    def _beat(self, drivings: Sequence[Driving]) -> dict[Driving, bool]:
        """Tell the server that `drivings` live; say for which it answered."""
        answered = dict.fromkeys(drivings, False)
        try:
            along = [(driving, body) for driving in drivings for body in driving.take_along()]
            beside = [
                Write(driving.lease, body, within_s=driving.lease.heartbeat_s) for driving, body in along
            ]
            told = self._ports.write_beside([*beside, *(_heartbeat(driving) for driving in drivings)])
            for (driving, body), each in zip(along, told[: len(along)], strict=True):
                if not _is_settled(each):
                    driving.along(body)
            for driving, each in zip(drivings, told[len(along) :], strict=True):
                answered[driving] = _take_in(driving, each)
            for breakers in {driving.link.breakers for driving in drivings}:
                drive_sync(breakers.flush(), self._ports)
        except OmiumError as error:
            _log.debug("What breakers counted could not be told: %s", error)
        except Exception:  # a boundary: this thread keeps every lease of the process
            _log.exception("A heartbeat failed")
        return answered

    def _run(self) -> None:
        while due := self._next():
            began_us = self._clock.boot_us()  # what a lease counts from is when a beat was sent
            answered = self._beat([driving for driving in due if not driving.paused])
            with self._changed:
                for driving in due:
                    if driving in self._due_us and (driving.paused or driving.lease.lost is None):
                        delay_s = driving.lease.heartbeat_s / (1 if answered.get(driving, True) else 4)
                        self._due_us[driving] = began_us + round(delay_s * US_PER_S)
                    else:
                        self._due_us.pop(driving, None)

    def _next(self) -> list[Driving]:
        """Wait for a beat that is due, and return it with those due soon; empty: nobody is left."""
        with self._changed:
            while self._due_us:
                now_us = self._clock.boot_us()
                wait_us = min(self._due_us.values()) - now_us
                if wait_us <= 0:
                    return [
                        driving
                        for driving, due_us in self._due_us.items()
                        if due_us - now_us <= driving.lease.heartbeat_s * TOGETHER * US_PER_S
                    ]
                self._changed.wait(wait_us / US_PER_S)
            self._thread = None
            return []


def _heartbeat(driving: Driving) -> Write:
    body = {"type": "heartbeat", "running": driving.running[:PATHS_MAX]}
    return Write(driving.lease, body, within_s=driving.lease.heartbeat_s)


def _is_settled(told: WriteOutcome | BaseException) -> bool:
    """Say whether the server has taken a write, or has refused it for good."""
    if isinstance(told, WriteOutcome):
        return not told.spooled
    return isinstance(told, Suspension) or (isinstance(told, Problem) and not told.retryable)


def _take_in(driving: Driving, told: WriteOutcome | BaseException) -> bool:
    """Let the execution know what the server said; say whether it was heard."""
    if isinstance(told, WriteOutcome):
        driving.note(told)
    elif isinstance(told, Suspension):
        driving.obey()
    else:
        _log.debug("A heartbeat of %s failed: %s", driving.execution_id, told)
    return isinstance(told, WriteOutcome)
