"""Heartbeat: the thread that keeps the leases of this process while user code runs (semantics 3.3).

Owns one daemon thread per process, whatever the number of executions; each beat lists the steps that run now
and brings back what the server wants (cancel, pause). A beat that fails is tried again soon: losing one is no
reason to stop anything, only a grant to another driver is.
"""

from __future__ import annotations

import logging
import threading

from omium.clock import US_PER_S, Clock
from omium.errors import OmiumError, Suspension
from omium.sdk.context import outside
from omium.sdk.driving import Driving
from omium.sdk.flows import Ports, Write, drive_sync
from omium.sdk.lease import SYSTEM_CLOCK
from omium.sdk.process import ForkReset

PATHS_MAX = 1000

_log = logging.getLogger("omium")


class Heart(ForkReset):
    """Beats for every execution that is driven here."""

    def __init__(self, ports: Ports, clock: Clock = SYSTEM_CLOCK) -> None:
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

    def beat(self, driving: Driving) -> bool:
        """Tell the server that `driving` lives; say whether it answered."""
        body = {"type": "heartbeat", "running": driving.running[:PATHS_MAX]}
        try:
            outcome = self._ports.write(Write(driving.lease, body, within_s=driving.lease.heartbeat_s))
            driving.note(outcome)
            drive_sync(driving.link.breakers.flush(), self._ports)
        except Suspension:
            driving.obey()
            return False
        except OmiumError as error:
            _log.debug("A heartbeat of %s failed: %s", driving.execution_id, error)
            return False
        except Exception:  # a boundary: this thread keeps every other lease of the process, too
            _log.exception("A heartbeat of %s failed", driving.execution_id)
            return False
        return True

    def _run(self) -> None:
        while (driving := self._next()) is not None:
            lease = driving.lease
            answered = driving.paused or self.beat(driving)
            delay_s = lease.heartbeat_s if answered else lease.heartbeat_s / 4
            with self._changed:
                if driving in self._due_us and (driving.paused or driving.lease.lost is None):
                    self._due_us[driving] = self._clock.boot_us() + round(delay_s * US_PER_S)
                else:
                    self._due_us.pop(driving, None)

    def _next(self) -> Driving | None:
        """Wait for the next beat that is due; None when there is nobody left to beat for."""
        with self._changed:
            while self._due_us:
                driving = min(self._due_us, key=self._due_us.__getitem__)
                wait_us = self._due_us[driving] - self._clock.boot_us()
                if wait_us <= 0:
                    return driving
                self._changed.wait(wait_us / US_PER_S)
            self._thread = None
            return None
