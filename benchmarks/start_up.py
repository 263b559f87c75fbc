"""From `omium serve` to ready: on an empty folder, and after kill -9 under load.

    python -m benchmarks.start_up [--json] [--rounds 3] [--quick]

Ready is the line that says so, written when the port is open. Beside it: Python started with the same modules
imported, which no server can undercut.
"""

from __future__ import annotations

import subprocess
import sys
import time

from benchmarks.load import cpu_s, load, make_requests
from benchmarks.processes import ROOT, Server, open_folder, open_server, plain_environment
from benchmarks.rows import Goal, Options, Rounds, Row, figure_of, run_module

READY, KILLED, IMPORTS = "Omium", "Omium, after kill -9 under load", "only Python and its imports"
CPU = "Omium's CPU until it is ready"


def measure(options: Options) -> list[Row]:
    """Start on an empty folder, start after a kill, start nothing, in turn."""
    connections, seconds = int(options.choose(64, 4)), options.choose(2.0, 0.2)
    rounds, spent_s = Rounds(), list[float]()
    rounds.run(
        options.rounds,
        {
            READY: lambda: start_empty(spent_s),
            KILLED: lambda: start_after_kill(connections, seconds),
            IMPORTS: start_imports,
        },
    )
    return [
        Row(
            name="start_up",
            what="start to ready",
            unit="s",
            figures=[*(rounds.figure(name) for name in (READY, KILLED, IMPORTS)), figure_of(CPU, spent_s)],
            goals=[
                Goal("start to ready", rounds.figure(READY).value, 1, unit=" s"),
                Goal("after kill -9", rounds.figure(KILLED).value, 3, unit=" s"),
            ],
            bound_by="importing; then the migration of an empty file, or SQLite's reading of its log",
        )
    ]


def start_empty(spent_s: list[float]) -> float:
    """Return the seconds to ready on an empty folder; `spent_s` gets how many of them it computed."""
    with open_folder() as folder:
        server = Server(folder / "data")
        spent_s.append(cpu_s(server.pid))
        server.kill()
    return server.ready_s


def start_after_kill(connections: int, seconds: float) -> float:
    """Return the seconds to ready after a kill while steps were being written."""
    with open_server() as server:
        load(server.port, server.pid, make_requests(server, connections), seconds, end=server.kill)
        server.start()
    return server.ready_s


def start_imports() -> float:
    """Return the seconds of a Python that imports what the server does."""
    started_s = time.perf_counter()
    code = "import omium.cli.main, omium.server.serve"
    subprocess.run([sys.executable, "-c", code], env=plain_environment(), cwd=ROOT, check=True)
    return time.perf_counter() - started_s


if __name__ == "__main__":
    run_module(measure, __doc__)
