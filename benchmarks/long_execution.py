"""What a step costs in an execution that has 10,000 already, against one in an execution of 10.

    python -m benchmarks.long_execution [--json] [--rounds 3] [--quick]

SDK and server together, turn by turn, each with 500 bytes. The server's folder is in memory where that
exists, so that no disk hides what grows.
"""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks.processes import open_server, run_contender
from benchmarks.rows import Goal, Options, Row, figure_of, run_module

MEMORY = Path("/dev/shm")
STEPS, TURNS = 10_000, 1_000


def measure(options: Options) -> list[Row]:
    """Let the long execution and short ones take turns; once, because filling it takes longest."""
    steps, turns = int(options.choose(STEPS, 50)), int(options.choose(TURNS, 20))
    place = MEMORY if os.access(MEMORY, os.W_OK) else None
    with open_server(place=place) as server:
        found = run_contender(
            "omium_long", {"steps": steps, "turns": turns}, environment=server.client_environment
        )
    return [
        Row(
            name="long_execution",
            what=f"a step after {steps:,} others, against one of 10",
            unit="µs",
            figures=[
                figure_of(f"Omium, after {steps:,}", [found["long_us"]]),
                figure_of("Omium, of 10", [found["short_us"]]),
            ],
            goals=[Goal("beside a short one", found["long_us"] / found["short_us"], 1.15, unit=" ×")],
            bound_by="the same as any step: nothing is walked that grows with the number of steps",
            remarks=[f"the median of {turns:,} turns each"],
        )
    ]


if __name__ == "__main__":
    run_module(measure, __doc__)
