"""All benchmarks, or those that were named: one table, docs/benchmarks.md, or JSON.

    python -m benchmarks [--list] [--only NAME ...] [--quick] [--rounds 3] [--json]

Each module runs in a process of its own, one after the other: nothing that one of them loads is in another's
figures. docs/benchmarks.md is written when all were run; its words are in benchmarks/notes.md. A module that
fails leaves its rows out and makes the exit code 1.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

from benchmarks.page import PAGE, show_table, write_page
from benchmarks.processes import ROOT, plain_environment
from benchmarks.rows import ROUNDS, Row, progress, read_rows, write_rows

MODULES = (
    "one_at_a_time",
    "many_at_once",
    "http_hot_path",
    "slow_disk_http",
    "slow_disk_workflows",
    "postgres_against_sqlite",
    "sdk_cpu",
    "long_execution",
    "engine_nodes",
    "recovery",
    "metered_start",
    "holds",
    "otlp_ingest",
    "hundred_thousand",
    "database_size",
    "dashboard",
    "start_up",
    "import_cost",
    "help_cost",
)
"""In the order of the table: speed, then size."""

TIMEOUT_S = 1_800


def run_module(name: str, rounds: int, *, quick: bool) -> list[Row] | None:
    """Return the rows of one module, None if it failed."""
    command = [sys.executable, "-m", f"benchmarks.{name}", "--json", "--rounds", str(rounds)]
    progress(name)
    started_s = time.perf_counter()
    done = subprocess.run(
        command + ["--quick"] * quick,
        cwd=ROOT,
        env=plain_environment(),
        stdout=subprocess.PIPE,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    progress(f"{name}: {time.perf_counter() - started_s:.0f} s")
    if done.returncode != 0:
        progress(f"{name} failed with exit code {done.returncode}, see above")
        return None
    return read_rows(done.stdout)


def main() -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure speed and size.")
    parser.add_argument("--list", action="store_true", help="name the benchmarks and do nothing")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=MODULES, default=MODULES)
    parser.add_argument("--quick", action="store_true", help="tiny sizes: shows only that it works")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="turns of every contender")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON instead of the table")
    asked = parser.parse_args()
    if asked.list:
        print("\n".join(MODULES))
        return 0
    rows: list[Row] = []
    failed = []
    for name in MODULES:
        if name in asked.only:
            found = run_module(name, asked.rounds, quick=asked.quick)
            rows += found or []
            failed += [name] if found is None else []
    print(write_rows(rows) if asked.json else show_table(rows))
    if tuple(asked.only) == MODULES and not asked.quick and not failed:
        write_page(rows, asked.rounds)
        progress(f"{PAGE.relative_to(ROOT)} is written")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
