"""`omium attach --import`: chosen runs become executions, one request each.

Each run is one transaction of the server's, and the same run is the same execution: whoever stops in between
runs the command again. The oldest go first, so that what an interruption leaves has no holes before it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

import typer

from omium import words
from omium.adapters.attach.importing import make_import
from omium.cli.context import Common
from omium.cli.table import Column
from omium.errors import InvalidJson, InvalidRequest, PayloadTooLarge

if TYPE_CHECKING:
    from omium.adapters.attach import Run, Store
    from omium.models.imports import ImportedRun
    from omium.sdk.sync_client import Client

UNREADABLE: Final = "unreadable"
REFUSED: Final = "refused"
_TOO_MUCH: Final = (InvalidJson, InvalidRequest, PayloadTooLarge)
_NOTES: Final = {
    "expired": "it ended longer ago than executions are kept",
    "older": "a later state of it was imported before",
    "taken": "its execution is being removed",
}


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of one run; `execution_id` is empty where there is none."""

    run_id: str
    outcome: str
    execution_id: str = ""
    note: str = ""


def import_runs(
    common: Common, store: Store, runs: Sequence[Run], *, workflow: str, values: bool, yes: bool
) -> None:
    """Import `runs` after a person agreed; ends with 1 if one of them could not be imported."""
    output = common.output
    if not runs:
        output.say("No runs: there is nothing to import.")
        if output.as_json:
            output.json({"items": []})
        return
    states = Counter(run.state.value for run in runs)
    counted = ", ".join(f"{count:,} {state}" for state, count in sorted(states.items()))
    with common.client() as client:
        place = client.settings.base_url
        output.confirm(
            f"Import {words.count(len(runs), 'run')} ({counted}) as executions at {place}?", yes=yes
        )
        done: list[Imported] = []
        try:
            for run in reversed(runs):
                output.progress(f"… {len(done):,} of {len(runs):,}")
                done.append(_import(client, store, run, workflow, values=values))
        finally:
            output.progress("")
            if len(done) < len(runs):
                output.warn(
                    f"{len(done):,} of {len(runs):,} were imported; the same command again does the rest."
                )
    _show(common, done)
    if any(each.outcome in (UNREADABLE, REFUSED) for each in done):
        raise typer.Exit(1)


def _import(client: Client, store: Store, run: Run, workflow: str, *, values: bool) -> Imported:
    recorded = store.record(run)
    if recorded is None:
        return Imported(run.run_id, UNREADABLE, note=run.note or "nothing of it can be read")
    notes = list(recorded.omitted)
    try:
        try:
            said = client.import_run(make_import(recorded, workflow=workflow, with_values=values))
        except _TOO_MUCH:
            if not values:
                raise
            said = client.import_run(make_import(recorded, workflow=workflow, with_values=False))
            notes.append("its values were left out: they are too many or too large")
    except _TOO_MUCH as problem:
        return Imported(run.run_id, REFUSED, note=problem.detail)
    return _made(run, said, notes)


def _made(run: Run, said: ImportedRun, notes: list[str]) -> Imported:
    outcome = said.outcome.value
    is_there = outcome not in ("expired", "taken")
    note = "; ".join([*([_NOTES[outcome]] if outcome in _NOTES else []), *notes])
    return Imported(run.run_id, outcome, said.execution_id if is_there else "", note)


def _show(common: Common, done: Sequence[Imported]) -> None:
    if common.output.as_json:
        common.output.json({"items": [asdict(each) for each in done]})
        return
    common.output.table(
        [
            Column("RUN", lambda each: each.run_id),
            Column("OUTCOME", lambda each: each.outcome),
            Column("EXECUTION", lambda each: each.execution_id),
            Column("NOTE", lambda each: each.note, spare=1),
        ],
        done,
        empty="",
    )
    counts = Counter(each.outcome for each in done)
    common.output.say(", ".join(f"{count:,} {outcome}" for outcome, count in sorted(counts.items())) + ".")
