"""CrewAI's `@persist`: after each method of a flow a row with the flow's state.

Nothing in it says that a flow has ended or failed, so that is unknown, but for one that waits for feedback. A
method ended when its row was written; that it began when the one before had ended is all that is known.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Final, cast

from omium.adapters.attach.crew_rows import READ_BYTES_MAX, parse
from omium.adapters.attach.packed import Packed
from omium.adapters.attach.plain import make_plain
from omium.adapters.attach.runs import (
    BLOB_BYTES_MAX,
    RecordedRun,
    RecordedState,
    RecordedStep,
    Run,
    RunState,
    read_moment,
)
from omium.jsonvalue import JsonValue

FRAMEWORK: Final = "crewai"
COLUMNS: Final = {"flow_states": {"id", "flow_uuid", "method_name", "timestamp", "state_json"}}
ROWS_MAX: Final = 5_000
NOTE: Final = "its store does not say whether it has ended"
_RUNS: Final = """
    SELECT f.flow_uuid, f.method_name, f.timestamp, g.count, {pending}
      FROM (SELECT flow_uuid, COUNT(*) AS count, MAX(id) AS newest FROM flow_states {where}
             GROUP BY flow_uuid ORDER BY newest DESC LIMIT ?) AS g
      JOIN flow_states AS f ON f.id = g.newest
     ORDER BY f.id DESC
"""
_PENDING: Final = "EXISTS (SELECT 1 FROM pending_feedback AS p WHERE p.flow_uuid = f.flow_uuid)"
_ROWS: Final = """
    SELECT method_name, timestamp, CASE WHEN LENGTH(state_json) <= ? THEN state_json END
      FROM flow_states WHERE flow_uuid IS ? ORDER BY id DESC LIMIT ?
"""


class FlowStates:
    """Flows as runs, through a connection that can only read."""

    def __init__(self, connection: sqlite3.Connection, tables: Mapping[str, set[str]]) -> None:
        self._connection = connection
        self._pending = _PENDING if "flow_uuid" in tables.get("pending_feedback", ()) else "0"

    def list_runs(self, limit: int) -> list[Run]:
        """Return at most `limit` runs, the newest first."""
        query = _RUNS.format(where="", pending=self._pending)
        return [_read_run(*row) for row in self._connection.execute(query, (limit,))]

    def find_run(self, run_id: str) -> Run | None:
        """Return the run with this id."""
        query = _RUNS.format(where="WHERE flow_uuid IS ?", pending=self._pending)
        row = self._connection.execute(query, (run_id, 1)).fetchone()
        return _read_run(*row) if row is not None else None

    def record(self, run: Run) -> RecordedRun | None:
        """Return `run` with its steps; None where nothing of it can be read."""
        rows: list[tuple[str, int, JsonValue]] = []
        omitted: tuple[str, ...] = ()
        left_bytes = READ_BYTES_MAX
        found = self._connection.execute(_ROWS, (BLOB_BYTES_MAX, run.run_id, ROWS_MAX + 1))
        for number, (name, moment, text) in enumerate(found):
            left_bytes -= len(text) if isinstance(text, str | bytes) else 0
            if number == ROWS_MAX or (left_bytes < 0 and rows):
                omitted = (f"only the newest {number:,} states are read",)
                break
            if (at_us := read_moment(moment)) is not None:
                rows.append((str(name), at_us, _state(text)))
        if not rows:
            return None
        rows.reverse()
        begun_us = [rows[0][1], *(at_us for _, at_us, _ in rows)]
        return RecordedRun(
            run=run,
            identity=run.run_id,
            started_us=rows[0][1],
            updated_us=max(begun_us),
            input=None,
            output=None,
            steps=tuple(
                RecordedStep(name, min(before_us, at_us), at_us)
                for before_us, (name, at_us, _) in zip(begun_us, rows, strict=False)
            ),
            states=tuple(RecordedState("state", at_us, state) for _, at_us, state in rows[-100:]),
            omitted=omitted,
        )


def _read_run(flow_id: object, method: object, moment: object, count: int, pending: int) -> Run:
    return Run(
        run_id=str(flow_id),
        framework=FRAMEWORK,
        workflow="",
        state=RunState.INTERRUPTED if pending else RunState.UNKNOWN,
        checkpoints=count,
        updated_us=read_moment(moment),
        last=(str(method),),
        note="it waits for feedback" if pending else NOTE,
    )


def _state(text: object) -> JsonValue:
    found = parse(text) if isinstance(text, str) else None
    return make_plain(cast("Packed", found))
