"""What a step costs the disk: bytes in the database beside its result, and syncs.

    python -m benchmarks.database_size [--json] [--rounds 3] [--quick]

Work W through the SDK: workflows of ten steps, each with 500 bytes of JSON. Bytes are those of the SQLite
file after the server's end, whole pages, by table. A step is its record, its event and its index; what an
execution has for itself is told beside it. Syncs are counted by strace, so the machine's speed is no part of
them; of a workflow alone, start and end are two more durable writes beside its ten steps. The floor is one
table of results in this process.
"""

from __future__ import annotations

import shutil
import sqlite3
import statistics
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contenders.work import RESULT, STEPS
from benchmarks.processes import Server, open_folder, open_server, run_contender
from benchmarks.rows import Figure, Goal, Missing, Options, Row, figure_of, progress, run_module
from omium.jsonvalue import json_bytes

OF_A_STEP = ("steps", "events", "steps_by_path")
AT_ONCE = 32
SYNCS = "trace=fsync,fdatasync"
BYTES_MAX, SYNCS_ALONE_MAX, SYNCS_AT_32_MAX = 400, 1.1, 0.15

TABLES = "SELECT name, sum(pgsize), sum(unused) FROM dbstat GROUP BY name"


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes for each step, beside its result."""

    step: float
    execution: float  # a tenth of what an execution has for itself
    tables: dict[str, float]


def measure(options: Options) -> list[Row]:
    """Measure bytes once, since they hardly differ, and syncs in turns."""
    return [_measure_bytes(options), _measure_syncs(options)]


# ---- bytes


def _measure_bytes(options: Options) -> Row:
    progress("  bytes of a step")
    with open_folder() as folder, open_server() as server:
        floor = _floor_bytes(folder / "floor.sqlite", int(options.choose(20_000, 2_000)))
        empty = _end_and_measure(server)
        server.start()
        _run(server, options.choose(6.0, 0.5), AT_ONCE)
        size = _size(empty, _end_and_measure(server), server.data / "omium.sqlite")
    parts = ", ".join(f"{name} {value:.0f}" for name, value in size.tables.items())
    return Row(
        name="database_bytes",
        what="bytes of a step in SQLite, beside its result of 500 bytes",
        unit="bytes/step",
        figures=[
            Figure("Omium, a step", size.step),
            Figure("Omium, with a tenth of its execution", size.step + size.execution),
            Figure("one table of results (floor)", floor),
        ],
        goals=[Goal("bytes beside the result", size.step, BYTES_MAX)],
        bound_by="an execution's id of 29 bytes in three places, two digests of 32, the event that tells it",
        remarks=[f"whole pages, by table, the result included: {parts}"],
    )


def _run(server: Server, seconds: float, at_once: int) -> None:
    arguments = {"seconds": seconds, "at_once": at_once}
    run_contender("omium_steps", arguments, environment=server.client_environment)


def _end_and_measure(server: Server) -> dict[str, float]:
    """Stop the server, so that its log is in the file, and return the bytes of each table and index."""
    server.stop()
    with closing(sqlite3.connect(server.data / "omium.sqlite")) as connection:
        try:
            return {name: size for name, size, _ in connection.execute(TABLES)}
        except sqlite3.OperationalError as error:
            raise Missing(f"this SQLite has no dbstat ({error})") from error


def _size(empty: dict[str, float], full: dict[str, float], file: Path) -> Size:
    with closing(sqlite3.connect(file)) as connection:
        ((steps, results),) = connection.execute("SELECT count(*), sum(length(output)) FROM steps")
    grown = {name: (size - empty.get(name, 0)) / steps for name, size in full.items()}
    of_a_step = {name: grown[name] for name in OF_A_STEP}
    step = sum(of_a_step.values())
    return Size(step - results / steps, sum(grown.values()) - step, of_a_step)


def _floor_bytes(file: Path, steps: int) -> float:
    result = json_bytes(dict(RESULT))
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute(
            "CREATE TABLE steps (workflow INTEGER, step INTEGER, result BLOB, PRIMARY KEY (workflow, step))"
        )
        connection.execute("BEGIN")
        rows = ((number // 10, number % 10, result) for number in range(steps))
        connection.executemany("INSERT INTO steps VALUES (?, ?, ?)", rows)
        connection.execute("COMMIT")
    return file.stat().st_size / steps - len(result)


# ---- syncs


def _measure_syncs(options: Options) -> Row:
    alone, beside = "alone, start and end included", f"{AT_ONCE} workflows at once"
    seen: dict[str, list[float]] = {alone: [], beside: []}
    strace = shutil.which("strace")
    for number in range(options.rounds if strace else 0):
        for name, at_once in ((alone, 1), (beside, AT_ONCE)):
            progress(f"  syncs, {name} {number + 1}/{options.rounds}")
            seen[name].append(_count_syncs(str(strace), options.choose(3.0, 0.5), at_once))
    figures = [
        figure_of(name, found) if found else Figure(name, None, why="strace is not installed")
        for name, found in seen.items()
    ]
    medians = {name: statistics.median(found) for name, found in seen.items() if found}
    for_a_write = medians[alone] * STEPS / (STEPS + 2) if alone in medians else None
    return Row(
        name="syncs",
        what="fsync and fdatasync of the server's process for each step",
        unit="syncs/step",
        figures=[*figures, Figure("one commit for each step (floor), alone", 1.0)],
        goals=[
            Goal("alone, for each durable write", for_a_write, SYNCS_ALONE_MAX),
            Goal("at 32, starts and ends included", medians.get(beside), SYNCS_AT_32_MAX),
        ],
        bound_by="what waits together is committed together; alone, each answer waits for a commit",
    )


def _count_syncs(strace: str, seconds: float, at_once: int) -> float:
    with open_folder() as folder:
        log = folder / "syncs"
        wrapper = (strace, "-f", "-qq", "--seccomp-bpf", "-e", SYNCS, "-e", "signal=none", "-o", str(log))
        with open_server(wrapper=wrapper) as server:
            before = _count_lines(log)
            _run(server, seconds, at_once)
            after = _count_lines(log)
            server.stop()
            with closing(sqlite3.connect(server.data / "omium.sqlite")) as connection:
                ((steps,),) = connection.execute("SELECT count(*) FROM steps")
    return (after - before) / float(steps)


def _count_lines(log: Path) -> int:
    """Return how many calls have begun; one that another thread interrupts has a second line, without `(`."""
    return sum("sync(" in line for line in log.read_text().splitlines())


if __name__ == "__main__":
    run_module(measure, __doc__)
