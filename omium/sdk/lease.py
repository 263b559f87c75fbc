"""Leases: one grant of an execution to this process, as the driver itself sees it (semantics 3.2 to 3.5).

Owns the three questions that a driver asks before it does anything: is this still the process that was
granted the execution, is the grant still the current one, and was the server's word heard recently enough to
begin something new. Does not talk to the server (batching.py does, and notes here what it heard) and does not
beat (heartbeat.py).
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from omium.clock import US_PER_S, Clock, SystemClock
from omium.errors import ForkedDriver, LeaseLost
from omium.states import Durability

LATE_FACTS: Final = frozenset({"effect.ended", "usage.recorded"})
"""Writes that the server takes whatever the epoch (semantics 2.7, 3.8): what happened has happened."""

SYSTEM_CLOCK: Final = SystemClock()


@dataclass(slots=True, eq=False)
class Lease:
    """The right to drive `execution_id`. All times are microseconds of the boot clock.

    The boot clock goes on while the machine is suspended; a monotonic clock that stood still meanwhile would
    let a laptop that wakes up after an hour believe that it still owns its execution.
    """

    execution_id: str
    epoch: int
    token: str = field(repr=False)
    acked_us: int
    """When the newest write that the server acknowledged was *sent*."""
    durability: Durability = Durability.STRICT
    lease_s: float = 30.0
    heartbeat_s: float = 10.0
    self_fence_s: float = 20.0
    pid: int = field(default_factory=os.getpid)
    lost: str | None = None
    """Why the lease is gone, once it is; it never comes back."""
    recording_gap: str | None = None
    """Why nothing more is recorded (the spool was full), once that has happened: it stays so."""
    cancel_requested: bool = False
    """What the newest answer said: somebody asked that the execution be cancelled."""
    suspend: str | None = None
    """What the newest answer said: why the driver has to stop before its next step."""
    group_prefix: bytes = field(init=False, repr=False)
    """How a group of writes under this lease begins on the wire; made once, for the hot path."""
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    """For what the driver keeps per execution: counters, the set of running paths."""

    def __post_init__(self) -> None:
        names = {"execution_id": self.execution_id, "epoch": self.epoch, "lease_token": self.token}
        self.group_prefix = json.dumps(names, separators=(",", ":")).encode()[:-1]

    @classmethod
    def from_grant(
        cls, grant: Mapping[str, object], *, sent_us: int, durability: Durability = Durability.STRICT
    ) -> Lease:
        """Return the lease in `grant` (a `models.driver.Grant` as JSON), asked for at `sent_us`."""
        execution = grant["execution"]
        assert isinstance(execution, Mapping)
        return cls(
            execution_id=str(execution["id"]),
            epoch=int(str(grant["epoch"])),
            token=str(grant["lease_token"]),
            acked_us=sent_us,
            durability=durability,
            lease_s=float(str(grant["lease_s"])),
            heartbeat_s=float(str(grant["heartbeat_s"])),
            self_fence_s=float(str(grant["self_fence_s"])),
        )

    @property
    def relaxed(self) -> bool:
        """Say whether records of this execution may wait in the local spool."""
        return self.durability is Durability.RELAXED

    def require(self, write_type: str = "") -> None:
        """Raise `ForkedDriver` in a forked child, `LeaseLost` once the lease is gone.

        A late fact (`write_type` effect.ended or usage.recorded) may be said under a lost lease too.
        """
        if self.pid != os.getpid():
            raise ForkedDriver(
                f"This process was forked from the one that runs execution {self.execution_id}; "
                "a step here would race with the parent. Open an execution of its own in the child."
            )
        if self.lost is not None and write_type not in LATE_FACTS:
            raise LeaseLost(self.lost)

    def lose(self, reason: str) -> LeaseLost:
        """Note that another driver has the execution, and return what every branch now has to raise."""
        if self.lost is None:
            self.lost = reason
        return LeaseLost(self.lost)

    def hear(self, group: Mapping[str, object]) -> None:
        """Take note of what a `models.driver.GroupResult` says beside its results."""
        self.cancel_requested = bool(group.get("cancel_requested"))
        suspend = group.get("suspend")
        self.suspend = None if suspend is None else str(suspend)

    def note_ack(self, sent_us: int) -> None:
        """Note that the server acknowledged what was sent at `sent_us`; an older answer changes nothing."""
        with self.lock:
            self.acked_us = max(self.acked_us, sent_us)

    def may_start(self, clock: Clock = SYSTEM_CLOCK) -> bool:
        """Say whether a step or effect may begin now. False: heartbeat first and ask again (semantics 3.5).

        Always true in relaxed mode, whose executions nobody takes over unasked.
        """
        return self.relaxed or clock.boot_us() - self.acked_us <= self.self_fence_s * US_PER_S
