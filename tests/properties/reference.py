"""The reference: one execution as semantics 2.1, 2.3, 3.1 to 3.4 and 3.9 tell it, in plain Python.

Written from the specification, not from the engine. Every method says what a correct engine answers, as a
word: `ok`, `lost` (409 lease-lost), `conflict` (409 step-conflict), `illegal` (409 illegal-transition), and
changes itself as the execution must change. Seconds of an own clock; no children, and no effects (those are
in tests/engine/test_machine.py).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

LEASE_S = 30 + 5
SILENT_S = LEASE_S + 15 * 60
CANCEL_GRACE_S = 30
SEEN_S = 60
ENDED = {"completed", "cancelled", "failed"}
FINAL = {"completed", "cancelled"}


@dataclass
class Record:
    status: str
    attempt: int
    output: object = None


@dataclass
class Reference:
    """An execution and its newest grant."""

    driver: str  # worker or local
    relaxed: bool = False
    max_interruptions: int = 2
    status: str = "queued"
    reason: str | None = None
    epoch: int = 0
    held: bool = False  # the newest grant could still write, if the status allows
    heard_at: float = 0.0
    wake_at: float | None = None
    suspend: str | None = None
    cancel_at: float | None = None
    silent: bool = False
    acted: bool = False  # a person has closed the loss, so its driver is too late
    ended_with: tuple[str, object] | None = None  # what the newest grant reported
    interruptions: int = 0
    streak: int = 0
    completed_at_streak: int = 0
    completed: int = 0
    records: dict[str, Record] = field(default_factory=dict)
    tries: dict[tuple[str, int, int], str] = field(default_factory=dict)

    # ---- grants

    def grant(self, now: float) -> None:
        self._move("running")
        self.epoch += 1
        self.held = True
        self.heard_at = now
        self.ended_with = None

    def claim(self, now: float) -> str:
        if self.status != "queued":
            return "nothing"
        self.grant(now)
        return "ok"

    def resume(self, now: float) -> str:
        if self.status not in {"queued", "waiting", "paused", "failed"}:
            return "illegal"
        self.streak = 0
        self.grant(now)
        return "ok"

    def requeue(self) -> str:
        if self.status == "queued":
            return "ok"
        if self.status not in {"waiting", "paused", "failed"}:
            return "illegal"
        self._move("queued")
        self.streak = 0
        self.held = False
        return "ok"

    # ---- what drivers say

    def enter(self, epoch: int, now: float) -> bool:
        """Pass the fence, or not; a driver that was thought lost returns."""
        if epoch != self.epoch or not self.held:
            return False
        returns = (self.status == "failed" and self.reason == "driver-lost" and not self.acted) or (
            self.status == "queued" and self.reason == "interrupted"
        )
        if self.status != "running" and not returns:
            return False
        if returns:
            self._move("running")
        self.silent = False
        self.heard_at = now
        return True

    def complete_step(self, epoch: int, path: str, attempt: int, output: object, now: float) -> str:
        after = copy.deepcopy(self)
        if not after.enter(epoch, now):
            return "lost"
        known = after.records.get(path)
        if known is None or (known.status == "failed" and known.attempt < attempt):
            after.records[path] = Record("completed", attempt, output)
            after.completed += 1
        elif (known.status, known.attempt, known.output) != ("completed", attempt, output):
            return "conflict"
        self._become(after)
        return "ok"

    def fail_step(self, epoch: int, path: str, attempt: int, error: str, now: float) -> str:
        after = copy.deepcopy(self)
        if not after.enter(epoch, now):
            return "lost"
        said = after.tries.setdefault((path, attempt, epoch), error)
        if said != error:
            return "conflict"
        if (path, attempt, epoch) not in self.tries:
            known = after.records.get(path)
            if known is not None and known.attempt >= attempt:
                return "conflict"
            after.records[path] = Record("failed", attempt)
            for inner in [each for each in after.records if each.startswith(f"{path}/")]:
                del after.records[inner]
        self._become(after)
        return "ok"

    def heartbeat(self, epoch: int, now: float) -> str:
        return "ok" if self.enter(epoch, now) else "lost"

    def complete(self, epoch: int, output: object, now: float) -> str:
        if self.enter(epoch, now):
            self._move("completed")
            self.ended_with = ("completed", output)
            return "ok"
        if self._repeats(epoch, "completed"):
            return "ok" if self.ended_with == ("completed", output) else "conflict"
        return "lost"

    def fail(self, epoch: int, error: str, now: float) -> str:
        if self.enter(epoch, now):
            self._move("failed" if self.cancel_at is None else "cancelled", "error")
            self.ended_with = ("failed", error)
            return "ok"
        if self._repeats(epoch, "failed"):
            return "ok" if self.ended_with == ("failed", error) else "conflict"
        if self._repeats(epoch, "cancelled") and self.ended_with == ("failed", error):
            return "ok"
        return "lost"

    def wait(self, epoch: int, seconds: float, now: float) -> str:
        if self.enter(epoch, now):
            if self.cancel_at is not None:
                self._move("cancelled")
            elif self.suspend is not None:
                self._move("paused", self.suspend)
            else:
                self._move("waiting", "timer")
                self.wake_at = now + seconds
            return "ok"
        return "ok" if self._repeats(epoch, "waiting") else "lost"

    def give_back(self, epoch: int, reason: str, now: float) -> str:
        """`operator` (a pause that was asked for) or `drain` (the process stops)."""
        if self.enter(epoch, now):
            if self.cancel_at is not None:
                self._move("cancelled")
            elif self.suspend is not None or reason == "operator" or self.driver == "local":
                self._move("paused", self.suspend or "operator")
            else:
                self._move("queued")
                self.held = False
            return "ok"
        return "ok" if self._repeats(epoch, "paused") or self._repeats(epoch, "cancelled") else "lost"

    # ---- people and time

    def pause(self) -> str:
        if self.status == "paused":
            return "ok"
        if self.status in ENDED:
            return "illegal"
        if self.status == "running":
            self.suspend = self.suspend or "operator"
        else:
            self._move("paused", "operator")
            self.held = False
        return "ok"

    def cancel(self, now: float) -> str:
        if self.status == "cancelled":
            return "ok"
        if self.status in ENDED:
            return "illegal"
        self.cancel_at = now if self.cancel_at is None else self.cancel_at
        if self.status != "running":
            self._move("cancelled")
        return "ok"

    def sweep(self, now: float, *, served: bool) -> None:
        # Sweeps go on until there is nothing left to do: a driver may fall silent and be given up in one go.
        while self.status == "running" and now - self.heard_at > (SILENT_S if self.silent else LEASE_S):
            self._lose()
        if self.status == "running" and self.cancel_at is not None and now - self.cancel_at >= CANCEL_GRACE_S:
            self._move("cancelled")
        if self.status == "waiting" and self.wake_at is not None and now >= self.wake_at:
            self._move(*(("queued", None) if self.driver == "worker" or served else ("paused", "operator")))
            self.held = False

    def _lose(self) -> None:
        if self.relaxed and not self.silent and self.cancel_at is None:
            self.silent = True
            return
        self.interruptions += 1
        self.streak = 1 if self.completed > self.completed_at_streak else self.streak + 1
        self.completed_at_streak = self.completed
        if self.cancel_at is not None:
            self._move("cancelled")
        elif self.driver == "local":
            self._move("failed", "driver-lost")
            self.acted = False
        elif self.streak > self.max_interruptions:
            self._move("failed", "crash-loop")
        elif self.suspend is not None:
            self._move("paused", self.suspend)
        else:
            self._move("queued", "interrupted")

    def _repeats(self, epoch: int, status: str) -> bool:
        """Say whether this very grant brought the execution to `status`, where it still stands."""
        return epoch == self.epoch and self.held and self.status == status

    def _move(self, status: str, reason: str | None = None) -> None:
        self.status = status
        self.reason = reason if status not in FINAL else None
        self.suspend = None
        self.wake_at = None
        self.silent = False
        if status == "failed":
            self.cancel_at = None

    def _become(self, other: Reference) -> None:
        self.__dict__.update(other.__dict__)
