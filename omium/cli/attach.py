"""`omium attach`: the runs that a framework stored itself, looked at where they are, or imported.

What a run says is omium/adapters/attach/; importing is attach_import.py's. Without `--import` no server is
asked, and nothing is stored.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Final

import typer

from omium import words
from omium.cli.context import Common, for_server
from omium.cli.ending import WrongUse
from omium.cli.table import Column
from omium.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from omium.adapters.attach import Run, Store

SHOWN: Final = 50
RUNS_MAX: Final = 100_000


@for_server
def attach(
    common: Common,
    store: Annotated[
        str,
        typer.Argument(
            metavar="STORE", help="A SQLite file, a folder of CrewAI's checkpoints, or a PostgreSQL URL."
        ),
    ],
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            min=1,
            max=RUNS_MAX,
            help="At most so many, newest first.  [default: 50; with --import all]",
        ),
    ] = None,
    run_ids: Annotated[
        list[str] | None, typer.Option("--run", metavar="ID", help="Only this run; may be repeated.")
    ] = None,
    only_failed: Annotated[bool, typer.Option("--failed", help="Only those that failed.")] = False,
    importing: Annotated[
        bool, typer.Option("--import", help="Make executions of them on the server; they are not charged.")
    ] = False,
    workflow: Annotated[
        str | None,
        typer.Option("--workflow", metavar="NAME", help="With --import: whose executions they become."),
    ] = None,
    without_values: Annotated[
        bool, typer.Option("--without-values", help="With --import: no inputs, outputs and states.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --import: only say what would be imported.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --import: without asking.")] = False,
) -> None:
    """Show or import the runs that LangGraph or CrewAI stored.

    The store is only read: nothing in it or beside it changes, and graphs and crews may run meanwhile. Which
    store it is shows itself: LangGraph's SqliteSaver or PostgresSaver, CrewAI's checkpoints (a folder, or
    SQLite), flows with @persist. Without --import nothing of their state is shown, and no server is asked.

    \b
    omium attach checkpoints.sqlite
    omium attach postgresql://user@host/database --failed
    omium attach .checkpoints --import --dry-run
    omium attach checkpoints.sqlite --import --run thread-7 --workflow support --yes
    """
    from omium.adapters.attach import open_store

    if not importing and (workflow is not None or without_values or dry_run or yes):
        raise WrongUse("--workflow, --without-values, --dry-run and --yes go with --import.")
    most = limit or (RUNS_MAX if importing else SHOWN)
    with open_store(store) as opened:
        runs = _choose(opened, run_ids, most, only_failed=only_failed)
        if importing and not dry_run:
            from omium.cli.attach_import import import_runs

            import_runs(common, opened, runs, workflow=workflow or "", values=not without_values, yes=yes)
            return
    _show(common, runs)
    if dry_run:
        common.output.say(f"{words.count(len(runs), 'run')} would be imported; nothing was.")
    elif len(runs) == most:
        common.output.say(f"The newest {most:,}; see more with --limit.")


def _choose(store: Store, run_ids: list[str] | None, limit: int, *, only_failed: bool) -> list[Run]:
    """Return the chosen runs, the newest first. Raises `ConfigError` for an id that is not in the store."""
    from omium.adapters.attach import RunState

    if run_ids:
        found = {run_id: store.find_run(run_id) for run_id in run_ids}
        missing = [run_id for run_id, run in found.items() if run is None]
        if missing:
            raise ConfigError(f"The store has no run {missing[0]!r}; omium attach lists those that it has.")
        runs = [run for run in found.values() if run is not None]
    else:
        runs = store.list_runs(RUNS_MAX if only_failed else limit)
    return [run for run in runs if not only_failed or run.state is RunState.FAILED][:limit]


def _show(common: Common, runs: Sequence[Run]) -> None:
    if common.output.as_json:
        common.output.json({"items": [asdict(run) for run in runs]})
        return
    at_present_us = words.now_us()
    common.output.table(
        [
            Column("RUN", lambda run: run.run_id),
            Column("STATE", lambda run: run.state.value),
            Column("UPDATED", lambda run: _updated(run, at_present_us)),
            Column("CHECKPOINTS", lambda run: str(run.checkpoints), align="right"),
            Column("LAST", lambda run: ", ".join(run.last)),
            Column("WHY", _why, spare=1),
        ],
        runs,
        empty="No runs: nothing has been written with this checkpointer.",
    )


def _updated(run: Run, at_present_us: int) -> str:
    return "" if run.updated_us is None else words.ago(run.updated_us, at_present_us)


def _why(run: Run) -> str:
    if run.error_type or run.error_message:
        return ": ".join(part for part in (run.failed_at, run.error_type, run.error_message) if part)
    return run.note or (f"next: {', '.join(run.next)}" if run.next else "")
