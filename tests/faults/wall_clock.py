"""A server whose machine has another wall clock: the time is that of the system and what a file says.

    python -m tests.faults.wall_clock FILE BUG DATA PORT   FILE holds nanoseconds, may change at any moment

Only the wall clock steps, as it does when an operator or a time server sets it; the others cannot.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from tests.faults import planted


def step_with(file: Path) -> None:
    """Let this process read the time with the offset in `file`."""
    system_ns = time.time_ns

    def stepped_ns() -> int:
        return system_ns() + int(file.read_text() or 0)

    time.time_ns = stepped_ns
    time.time = lambda: stepped_ns() / 1e9


if __name__ == "__main__":
    step_with(Path(sys.argv[1]))
    sys.exit(planted.main(*sys.argv[2:]))
