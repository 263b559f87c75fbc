"""`omium --help` beside a minimal Typer command's.

    python -m benchmarks.help_cost [--json] [--rounds 3] [--quick]

Both print to a pipe, with compiled bytecode, in turn.
"""

from __future__ import annotations

import subprocess
import sys
import time

from benchmarks.processes import INSTALL_PEERS, PEERS_PYTHON, ROOT, open_folder, plain_environment
from benchmarks.rows import Goal, Missing, Options, Rounds, Row, run_module

OMIUM, MINIMAL, DBOS = "Omium", "minimal Typer", "DBOS"
STARTS_PER_ROUND = 4

PROGRAM = """
import typer
app = typer.Typer()
@app.command()
def hello(name: str = "you") -> None:
    "Say hello."
@app.command()
def goodbye(name: str = "you") -> None:
    "Say goodbye."
app()
"""


def measure(options: Options) -> list[Row]:
    """Ask each for help, in turn."""
    rounds = Rounds()
    with open_folder() as folder:
        minimal = folder / "minimal.py"
        minimal.write_text(PROGRAM)

        def help_of_dbos() -> float:
            if not PEERS_PYTHON.exists():
                raise Missing(INSTALL_PEERS)
            return help_ms([str(PEERS_PYTHON.parent / "dbos"), "--help"])

        contenders = {
            OMIUM: lambda: help_ms([sys.executable, "-m", "omium", "--help"]),
            MINIMAL: lambda: help_ms([sys.executable, str(minimal), "--help"]),
        }
        if not options.quick:
            contenders |= {DBOS: help_of_dbos}
        rounds.run(options.rounds * int(options.choose(STARTS_PER_ROUND, 1)), contenders)
    return [
        Row(
            name="help_cost",
            what="`omium --help`",
            unit="ms",
            figures=[rounds.figure(name) for name in contenders],
            goals=[Goal(f"beside {MINIMAL}", rounds.ratio(OMIUM, MINIMAL), 1.3, unit=" ×")],
            bound_by="importing Typer and Rich; commands load what they need when they run",
        )
    ]


def help_ms(command: list[str]) -> float:
    """Return the milliseconds until the help is printed."""
    started_s = time.perf_counter()
    subprocess.run(command, env=plain_environment(), cwd=ROOT, check=True, capture_output=True)
    return (time.perf_counter() - started_s) * 1000


if __name__ == "__main__":
    run_module(measure, __doc__)
