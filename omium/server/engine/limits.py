"""Limits of an execution: steps, time in the hands of drivers, bytes that it records; not credits (ledger).

Owns when one is reached. What is recorded already stays, and what runs may end: a driver is told with every
answer and stops before its next step (paused, `limit`), and no effect begins. Only a resume that raises the
limit lets the execution go on; so this decides the same again and again, and needs no record of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

from omium.clock import US_PER_S
from omium.errors import LimitReached
from omium.models.execution import Limits, ResumeExecution
from omium.server.store.executions import ExecutionRow

NAMES = ("max_steps", "max_duration_us", "max_payload_bytes")


@dataclass(frozen=True, slots=True)
class Reached:
    """A limit that is reached; `used` and `most` have the unit that its name ends with."""

    name: str
    used: int
    most: int

    def problem(self, execution_id: str) -> LimitReached:
        """Return what is said about it, with the remedy."""
        what = {
            "max_steps": f"has completed {self.used} of {self.most} steps",
            "max_duration_us": f"has run {self.used / US_PER_S:.0f} of {self.most / US_PER_S:.0f} seconds",
            "max_payload_bytes": f"has recorded {self.used} of {self.most} bytes",
        }[self.name]
        return LimitReached(
            f"{execution_id} {what}, its limit; resume it with a higher `{self.name}`.",
            limit=self.name,
            **{self.name: self.most},
        )


def find_reached(row: ExecutionRow, now_us: int, raised: ResumeExecution | None = None) -> Reached | None:
    """Return the first limit that `row` has reached, None if it may go on; `raised` may lift some."""
    held_us = max(now_us - row.run_since_us, 0) if row.run_since_us is not None else 0
    used = (row.steps_completed, row.ran_us + held_us, row.payload_bytes)
    for name, amount in zip(NAMES, used, strict=True):
        lifted = getattr(raised, name) if raised is not None else None
        most = lifted if lifted is not None else getattr(row, name)
        if most is not None and amount >= most:
            return Reached(name, amount, most)
    return None


def raised_columns(command: ResumeExecution) -> dict[str, int]:
    """Return the columns that a resume changes because it raises limits."""
    asked = {name: getattr(command, name) for name in NAMES}
    return {name: value for name, value in asked.items() if value is not None}


def digested(limits: Limits) -> dict[str, int | None]:
    """Return the limits as they count for whether two starts are the same; new ones only where given."""
    told = limits.model_dump(mode="json")
    return {name: value for name, value in told.items() if value is not None or name == "max_steps"}
