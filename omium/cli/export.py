"""`omium db export`: the tables of a backup as JSON lines or CSV, for other programs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from omium.cli.context import Common, for_this_machine
from omium.cli.spreadsheet import refuse_both
from omium.cli.table import Column
from omium.errors import ConfigError, StorageError
from omium.safetext import safe_text
from omium.words import json_text

if TYPE_CHECKING:
    import sqlite_utils

    from omium.cli.output import Output


@for_this_machine
def export(
    common: Common,
    file: Annotated[Path, typer.Argument(metavar="BACKUP", help="A backup (SQLite); never the live file.")],
    table: Annotated[
        str | None, typer.Argument(metavar="TABLE", help="Which table. [default: list them]")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV instead of JSON lines.")] = False,
) -> None:
    """Print a table of a backup as JSON lines or CSV. Without a table, list the tables.

    \b
    omium db export backup.sqlite
    omium db export backup.sqlite executions --csv > executions.csv
    """
    import contextlib
    import sqlite3

    import sqlite_utils

    refuse_both(common.output, as_csv=as_csv)
    if not file.is_file():
        raise StorageError(f"There is no backup {file}.")
    connection = sqlite3.connect(f"file:{file.absolute()}?mode=ro", uri=True)
    with contextlib.closing(connection):
        _export(common.output, sqlite_utils.Database(connection), file, table, as_csv=as_csv)


def _export(
    output: Output, opened: sqlite_utils.Database, file: Path, table: str | None, *, as_csv: bool
) -> None:
    if table is None:
        if output.as_json:
            output.json([{"table": name, "rows": opened[name].count} for name in opened.table_names()])
            return
        output.table(
            [Column("TABLE", str), Column("ROWS", lambda name: f"{opened[name].count:,}", align="right")],
            opened.table_names(),
            empty=f"There is no table in {file}.",
        )
        return
    if table not in opened.table_names():
        raise ConfigError(
            f"There is no table {table!r} in {file}; there are {', '.join(opened.table_names())}."
        )
    rows = ({name: _plain(value) for name, value in row.items()} for row in opened[table].rows)
    if not as_csv:
        for row in rows:
            sys.stdout.write(json_text(row) + "\n")
        return
    import csv

    if sys.stdout.isatty():  # a file gets every byte as it is, a terminal only what it does not obey
        rows = (
            {name: safe_text(value) if isinstance(value, str) else value for name, value in row.items()}
            for row in rows
        )
    writer = csv.DictWriter(sys.stdout, [column.name for column in opened[table].columns])
    writer.writeheader()
    writer.writerows(rows)


def _plain(value: object) -> object:
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        return f"hex:{value.hex()}"
