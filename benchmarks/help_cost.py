"""`omium --help` beside a minimal Typer command's.

    python -m benchmarks.help_cost [--json] [--rounds 3] [--quick]

CPU time, in turn, with compiled bytecode; nobody looks at what is printed.
"""

from __future__ import annotations

import sys

from benchmarks.processes import INSTALL_PEERS, PEERS_PYTHON, open_folder, run_for_cpu_ms
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
            return run_for_cpu_ms([str(PEERS_PYTHON.parent / "dbos"), "--help"])

        contenders = {
            OMIUM: lambda: run_for_cpu_ms([sys.executable, "-m", "omium", "--help"]),
            MINIMAL: lambda: run_for_cpu_ms([sys.executable, str(minimal), "--help"]),
        }
        if not options.quick:
            contenders |= {DBOS: help_of_dbos}
        rounds.run(options.rounds * int(options.choose(STARTS_PER_ROUND, 1)), contenders)
    return [
        Row(
            name="help_cost",
            what="`omium --help`, CPU",
            unit="ms",
            figures=[rounds.figure(name) for name in contenders],
            goals=[Goal(f"beside {MINIMAL}", rounds.ratio(OMIUM, MINIMAL), 1.3, unit=" ×")],
            bound_by="importing Typer; a table names the commands, and none of them is loaded",
        )
    ]


if __name__ == "__main__":
    run_module(measure, __doc__)
