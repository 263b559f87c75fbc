"""Which store it is that somebody names: by its URL, its kind of file, its tables, never by a framework."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from omium.adapters.attach import crew_flows, crew_sqlite, graph_sqlite
from omium.adapters.attach.crew_checkpoints import CrewCheckpoints
from omium.adapters.attach.crew_flows import FlowStates
from omium.adapters.attach.crew_folder import Folder, find_folder
from omium.adapters.attach.crew_sqlite import SqliteCheckpoints
from omium.adapters.attach.graph_postgres import SCHEMES, open_postgres
from omium.adapters.attach.graph_sqlite import SqliteRows
from omium.adapters.attach.opening import open_read_only
from omium.adapters.attach.runs import Store
from omium.adapters.attach.threads import Threads
from omium.errors import ConfigError

_TABLES: Final = {"pending_feedback", *graph_sqlite.COLUMNS, *crew_sqlite.COLUMNS, *crew_flows.COLUMNS}


@contextmanager
def open_store(target: str) -> Iterator[Store]:
    """Yield the store at `target`: a file, a folder or a PostgreSQL URL, which can then only be read.

    Raises `ConfigError` where there is none, where it is something else, and where it cannot be read.
    """
    if target.startswith(SCHEMES):
        with open_postgres(target) as rows:
            yield Threads(rows)
        return
    path = Path(target)
    try:
        folder = find_folder(path)
    except OSError as error:  # too long a name, or a folder around it that is not ours to read
        raise ConfigError(f"{str(path)[:200]} cannot be read: {error.strerror}.") from None
    if folder is not None:
        yield CrewCheckpoints(Folder(folder))
        return
    with open_read_only(path) as connection:
        yield _detect(connection, path)


def _detect(connection: sqlite3.Connection, path: Path) -> Store:
    query = "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE 'CREATE TABLE%'"
    tables = {
        name: {row[1] for row in connection.execute(f"PRAGMA table_info({name})")}
        for (name,) in connection.execute(query)
        if name in _TABLES  # others of the user's own may stand beside them
    }
    if _has(tables, crew_sqlite.COLUMNS):
        return CrewCheckpoints(SqliteCheckpoints(connection))
    if _has(tables, crew_flows.COLUMNS):
        return FlowStates(connection, tables)
    for table, needed in graph_sqlite.COLUMNS.items():
        if not needed <= tables.get(table, set()):
            raise ConfigError(
                f"{path} holds no runs of LangGraph's SqliteSaver: its table {table!r} is missing or another."
                " Nor does it hold CrewAI's flow states or checkpoints."
            )
    return Threads(SqliteRows(connection))


def _has(tables: Mapping[str, set[str]], columns: Mapping[str, set[str]]) -> bool:
    return all(needed <= tables.get(table, set()) for table, needed in columns.items())
