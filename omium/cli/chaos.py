"""`omium doctor --chaos`: tries on this machine's own disk what Omium promises, and shows the report.

Owns what a person sees of a trial, and the end of its scratch folder. The trial itself is
omium/testing/chaos.py.
"""

from __future__ import annotations

import os
import random
import shlex
import signal
from collections import Counter
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import typer

from omium.cli.checks_disk import duration, find_mount, measure_syncs
from omium.cli.ending import FAILED
from omium.folders import data_folder
from omium.testing.scratch_postgres import SCHEMES
from omium.words import count

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import FrameType

    from omium.cli.output import Output
    from omium.testing.chaos import Plan, Report, Round
    from omium.testing.processes import Programs
    from omium.testing.scratch import Scratch

SHOWN_MAX: Final = 10
_LISTS: Final = {
    "lost": "Lost",
    "effects_doubled": "Doubled",
    "effects_missing": "Missing",
    "unfinished": "Not finished",
    "problems": "Problem",
}


def run_chaos(
    output: Output,
    *,
    data: Path | None,
    rounds: int,
    seconds: float | None,
    seed: int | None,
    keep: bool,
    database_url: str | None = None,
    programs: Programs | None = None,
) -> None:
    """Play accidents in a scratch folder beside the data folder; exit code 1 if anything was lost."""
    from omium.testing.chaos import Plan, play
    from omium.testing.scratch import make_scratch

    chosen = random.SystemRandom().randrange(1_000_000) if seed is None else seed
    plan = Plan(rounds=rounds, seconds=seconds, seed=chosen)
    scratch = make_scratch(data or data_folder(), database_url or _configured_database(data))
    kept = True  # whatever breaks in between is to be looked at
    try:
        disk = _describe_disk(scratch.folder)
        output.say(f"Playing {_length(plan)} of accidents in {scratch.folder}, {disk}. Seed {chosen}.")
        if (database := scratch.database) is not None:
            output.say(
                f"The server uses PostgreSQL {database.version}, and there a database {database.name}."
            )
        with _ended_by_signals():
            report = play(
                scratch,
                plan,
                programs=programs,
                told=lambda done: _tell(output, plan, done),
                said=output.say,
            )
        kept = keep or not report.ok
        _show(output, plan, report, scratch, disk, data=data, kept=kept)
    except KeyboardInterrupt:
        kept = keep
        raise
    finally:
        if not kept:
            scratch.remove()
    if not report.ok:
        raise typer.Exit(FAILED)


def _configured_database(data: Path | None) -> str | None:
    """Return the PostgreSQL that this machine's server would use; with a named data folder, its file is."""
    url = os.environ.get("OMIUM_DATABASE_URL", "")
    return url if data is None and url.startswith(SCHEMES) else None


def _length(plan: Plan) -> str:
    return count(plan.rounds, "round") if plan.seconds is None else f"{plan.seconds:.0f} seconds"


def _describe_disk(folder: Path) -> str:
    kind = find_mount(folder).kind
    syncs = measure_syncs(folder)
    return f"{kind + ', ' if kind else ''}a sync takes {duration(syncs.median_s)}"


def _tell(output: Output, plan: Plan, done: Round) -> None:
    parts = [f"{done.acknowledged:,} acknowledged"]
    if done.forgotten:
        parts.append(f"the disk forgot {count(done.forgotten, 'write')}")
    if done.ready_s is not None:
        parts.append(f"ready again in {done.ready_s:.1f} s")
    parts.append(f"{len(done.lost)} lost" if done.lost else "nothing lost")
    total = f" of {plan.rounds}" if plan.seconds is None else ""
    output.say(f"{done.number:>4}{total}  {done.accident.value:<28}{', '.join(parts)}")


def _show(
    output: Output, plan: Plan, report: Report, scratch: Scratch, disk: str, *, data: Path | None, kept: bool
) -> None:
    rounds = plan.rounds if plan.seconds is None else max(len(report.rounds), 1)
    again = ["omium", "doctor", "--chaos", "--seed", str(report.seed), "--rounds", str(rounds)]
    if data is not None:
        again += ["--data", str(data)]
    database = "SQLite" if scratch.database is None else f"PostgreSQL {scratch.database.version}"
    if scratch.database is not None:
        again += ["--database-url", "URL"]  # it may hold a password
    folder = str(scratch.folder) if kept else None
    if output.as_json:
        accidents = Counter(each.accident.value for each in report.rounds)
        output.json(
            {
                "ok": report.ok,
                "disk": disk,
                "database": database,
                "accidents": dict(accidents),
                **asdict(report),
                "folder": folder,
                "database_kept": scratch.database.name if kept and scratch.database else None,
                "again": shlex.join(again),
            }
        )
        return
    ready = [each.ready_s for each in report.rounds if each.ready_s is not None]
    forgotten = sum(each.forgotten for each in report.rounds)
    output.show("")
    for accident, times in sorted(Counter(each.accident.value for each in report.rounds).items()):
        output.facts([(f"{accident:<28}", count(times, "round"))])
    for sentence in report.not_tried:
        output.facts([("Not tried", sentence)])
    decided = report.effects_decided
    output.facts(
        [
            (
                "Acknowledged",
                f"{count(report.acknowledged, 'write')} of {count(report.executions, 'execution')}",
            ),
            ("Forgotten", f"{count(forgotten, 'write')} of the disk that no sync had kept, none acknowledged")
            if forgotten and report.ok
            else ("Forgotten", f"{count(forgotten, 'write')} of the disk that no sync had kept"),
            ("Effects", f"{report.effects:,}, of which {decided:,} unknown until somebody decided"),
            ("Ready again", f"after {max(ready):.1f} s at the most" if ready else None),
        ]
    )
    for name, word in _LISTS.items():
        sentences: list[str] = getattr(report, name)
        for sentence in sentences[:SHOWN_MAX]:
            output.show(f"{word}: {sentence}", "red")
        if len(sentences) > SHOWN_MAX:
            output.show(f"{word}: {len(sentences) - SHOWN_MAX:,} more; --json lists all", "red")
    if report.ok:
        output.show(f"Nothing that was acknowledged was lost, in {report.seconds:.0f} s.", "green")
        output.say(
            "What this cannot show is whether the disk itself keeps what it said it had written, when the "
            "power really fails."
        )
    else:
        output.show("Promises were broken.", "red")
    output.say(f"Again: {shlex.join(again)}")
    if folder is not None:
        output.say(f"Everything of it is kept in {folder}.")
        if scratch.database is not None:
            output.say(
                f"Its database is kept, too: DROP DATABASE {scratch.database.name}, when you have looked."
            )


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let SIGTERM end a trial as Ctrl-C does: with the processes that it started."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
