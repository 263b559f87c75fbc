"""From kill -9 in the middle of a workflow to the first step that really runs again, on the same host.

    python -m benchmarks.recovery [--json] [--rounds 3] [--quick]

A script is killed in its sixth step and started again at once. What counts is the time until it runs that
step again, less what a Python that only imports the same script takes. The server lives on; DBOS has none.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

from benchmarks.processes import (
    INSTALL_PEERS,
    PEERS_PYTHON,
    ROOT,
    open_folder,
    open_server,
    plain_environment,
)
from benchmarks.rows import Goal, Missing, Options, Rounds, Row, run_module

OMIUM, DBOS = "Omium", "DBOS on SQLite"
HANGING = "step 5"


def measure(options: Options) -> list[Row]:
    """Kill and start again, in turn; each round on a fresh server."""
    rounds, imports_s = Rounds(), dict[str, list[float]]()

    def recover_omium() -> float:
        with open_server() as server:
            script = [sys.executable, "-m", "benchmarks.contenders.omium_resumed"]
            return recover(OMIUM, script, [], server.client_environment)

    def recover_dbos() -> float:
        if not PEERS_PYTHON.exists():
            raise Missing(INSTALL_PEERS)
        with open_folder() as folder:
            script = [str(PEERS_PYTHON), "-m", "benchmarks.contenders.dbos_resumed"]
            return recover(DBOS, script, [str(folder)], {})

    def recover(name: str, script: list[str], arguments: list[str], environment: dict[str, str]) -> float:
        start([*script, "hang", *arguments], environment, HANGING)
        imported_s = start([*script, "import", *arguments], environment, "imported")
        imports_s.setdefault(name, []).append(imported_s)
        return start([*script, "again", *arguments], environment, HANGING) - imported_s

    contenders = {OMIUM: recover_omium} | ({} if options.quick else {DBOS: recover_dbos})
    rounds.run(options.rounds, contenders)
    return [
        Row(
            name="recovery",
            what="kill -9 to the first resumed step, beyond starting Python and importing the script",
            unit="s",
            figures=[rounds.figure(name) for name in contenders],
            goals=[Goal("beyond the start", rounds.figure(OMIUM).value, 0.3, unit=" s")],
            bound_by="importing what the first call needs; one start that finds the execution, one grant",
            remarks=[
                f"start and imports: {name} {statistics.median(seen):.2f} s"
                for name, seen in imports_s.items()
            ],
        )
    ]


def start(command: Sequence[str], environment: dict[str, str], awaited: str) -> float:
    """Start a script, kill it when it prints the line `awaited`, return the seconds until then."""
    started_s = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=ROOT, env={**plain_environment(), **environment}, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        lines = []
        for line in process.stdout:
            lines.append(line.strip())
            if lines[-1] == awaited:
                assert "again" not in command or len(lines) == 1, f"steps ran a second time: {lines}"
                return time.perf_counter() - started_s
        raise RuntimeError(f"{command} ended without the line {awaited!r}: {lines}")
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


if __name__ == "__main__":
    run_module(measure, __doc__)
