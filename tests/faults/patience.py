"""How long gates wait, on a machine that may have ten times more to do than it can do at once.

Waiting for what must come costs nothing when it comes: PATIENCE_S. A time that is itself a promise is
compared with so many times the promise: `slack()`.
"""

from __future__ import annotations

import os

PATIENCE_S = 300.0
SLACK_ALONE = 5.0  # what a machine may take longer than the one on which a promise was measured


def busy() -> float:
    """Return how many times more there is to do here than can be done at once; 1 where there is less."""
    waiting, _, _ = os.getloadavg()
    return max(1.0, waiting / (os.cpu_count() or 1))


def slack() -> float:
    """Return how many times longer than promised anything may take here and now."""
    return SLACK_ALONE * busy()
