"""`import omium` beyond a bare Python, beside what the peers' imports cost.

    python -m benchmarks.import_cost [--json] [--rounds 3] [--quick]

CPU time, with compiled bytecode there, as in use. Each round starts a bare Python and one that imports, in
turn.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

from benchmarks.processes import INSTALL_PEERS, PEERS_PYTHON, run_for_cpu_ms
from benchmarks.rows import Figure, Goal, Options, Row, figure_of, run_module

OURS = {"Omium": "omium", "httpx": "httpx", "pydantic": "pydantic"}
PEERS = {
    "absurd": "absurd_sdk",
    "DBOS": "dbos",
    "LangGraph": "langgraph.graph",
    "Restate": "restate",
}
STARTS_PER_ROUND = 4
OMIUM = "Omium"


def measure(options: Options) -> list[Row]:
    """Start Python bare and with each import, in turn."""
    seen: dict[str, list[float]] = {name: [] for name in (*OURS, *PEERS)}
    for module in OURS.values():
        start_ms(Path(sys.executable), f"import {module}")  # compiles its bytecode, once
    for number in range(options.rounds * int(options.choose(STARTS_PER_ROUND, 1))):
        bare_ms = start_ms(Path(sys.executable), "pass")
        for name, module in OURS.items():
            seen[name].append(start_ms(Path(sys.executable), f"import {module}") - bare_ms)
        if PEERS_PYTHON.exists() and not options.quick and number % STARTS_PER_ROUND == 0:
            bare_ms = start_ms(PEERS_PYTHON, "pass")
            for name, module in PEERS.items():
                seen[name].append(start_ms(PEERS_PYTHON, f"import {module}") - bare_ms)
    figures = [
        figure_of(name, times) if times else Figure(name, None, why=INSTALL_PEERS)
        for name, times in seen.items()
    ]
    return [
        Row(
            name="import_cost",
            what="`import omium` beyond a bare Python, CPU",
            unit="ms",
            figures=figures,
            goals=[Goal("over bare Python", statistics.median(seen[OMIUM]), 40, unit=" ms")],
            bound_by="reading a few modules; names are loaded when they are first used",
        )
    ]


def start_ms(python: Path, code: str) -> float:
    """Return the milliseconds of CPU of a Python that runs `code`."""
    return run_for_cpu_ms([python, "-c", code])


if __name__ == "__main__":
    run_module(measure, __doc__)
