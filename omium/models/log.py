"""What steps wrote to stdout, stderr and logging, as it is read back."""

from __future__ import annotations

from omium.models.wire import Reply


class StepLogLine(Reply):
    """One captured line, or the marker that says how many were dropped."""

    key: str
    """The step's path."""
    attempt: int
    at_us: int
    stream: str
    """stdout, stderr, log; or omium, for the marker."""
    level: str | None = None
    text: str
    dropped: int = 0
    """On the marker: how many lines of this attempt were not kept."""
