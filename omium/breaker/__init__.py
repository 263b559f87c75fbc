"""Breakers: when calls are stopped because they fail, go in circles, or cost too much too fast.

    circuit.py    closed, open, half-open: by the share of calls that fail
    progress.py   the same tool call again and again
    spend.py      tokens or credits within a window
    verdict.py    which errors speak against a provider
    window.py     amounts by time, in a bounded number of buckets

All are pure functions over frozen states in integer microseconds; a state is a small JSON object that the
server keeps in one row per breaker. Nothing here waits, stores or knows a clock.
"""

from omium.breaker.circuit import (
    Admission,
    Breaker,
    CircuitPolicy,
    admit,
    force_open,
    new_breaker,
    report,
    reset,
)
from omium.breaker.progress import Progress, call_signature, is_circling, note_call
from omium.breaker.spend import Spend, SpendLimit, note_spend, retry_after_us
from omium.breaker.verdict import Verdict, classify

__all__ = [
    "Admission",
    "Breaker",
    "CircuitPolicy",
    "Progress",
    "Spend",
    "SpendLimit",
    "Verdict",
    "admit",
    "call_signature",
    "classify",
    "force_open",
    "is_circling",
    "new_breaker",
    "note_call",
    "note_spend",
    "report",
    "reset",
    "retry_after_us",
]
