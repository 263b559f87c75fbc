"""How SQLite would run each statement of a package: to find those that read a whole table.

`list_statements` collects the module-level `Sql` objects below a package, `find_full_scans` asks SQLite for
the plan of each on an empty, migrated database (no statistics: the same plan everywhere).
"""

import importlib
import pkgutil
import re
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType

from omium.server.db.tx import Sql

_SCAN = re.compile(r"SCAN (?P<table>\w+)(?: USING (?:COVERING )?INDEX (?P<index>\w+))?")


@dataclass(frozen=True)
class Statement:
    name: str  # such as "executions.FIND"
    sql: Sql


@dataclass(frozen=True)
class FullScan:
    statement: str
    table: str
    step: str

    def __str__(self) -> str:
        return f"{self.statement} reads all of {self.table}: {self.step}"


def list_statements(package: ModuleType) -> list[Statement]:
    """Return every statement that stands at module level in `package`, also inside dicts and tuples."""
    modules = [
        importlib.import_module(found.name)
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    ]
    statements: dict[int, Statement] = {}
    for module in [package, *modules]:
        short = module.__name__.removeprefix(f"{package.__name__}.")
        for name, value in vars(module).items():
            for sql in _find_sql(value):
                statements.setdefault(id(sql), Statement(f"{short}.{name}", sql))
    return list(statements.values())


def find_full_scans(connection: sqlite3.Connection, statements: list[Statement]) -> list[FullScan]:
    """Return each place where a statement reads a whole table, or a whole index that is not a partial one."""
    tables = _names(connection, "type = 'table'")
    partial = _names(connection, "type = 'index' AND sql LIKE '% WHERE %'")
    found = []
    for statement in statements:
        parameters = [None] * len(statement.sql.names)
        plan = connection.execute(
            f"EXPLAIN QUERY PLAN {statement.sql.render('sqlite')}", parameters
        ).fetchall()
        for *_, step in plan:
            scan = _SCAN.match(step)
            if scan and _is_table(scan["table"], tables, statement.sql) and scan["index"] not in partial:
                found.append(FullScan(statement.name, _real_name(scan["table"], tables, statement.sql), step))
    return found


def _find_sql(value: object) -> Iterator[Sql]:
    if isinstance(value, Sql):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _find_sql(inner)
    elif isinstance(value, (tuple, list, frozenset, set)):
        for inner in value:
            yield from _find_sql(inner)


def _names(connection: sqlite3.Connection, condition: str) -> set[str]:
    return {name for (name,) in connection.execute(f"SELECT name FROM sqlite_schema WHERE {condition}")}


def _real_name(name: str, tables: set[str], sql: Sql) -> str:
    """Return the table that `name` stands for; plans show a table's alias."""
    if name in tables:
        return name
    aliased = re.finditer(rf"\b(\w+)\s+(?:AS\s+)?{name}\b(?!\.)", sql.text, re.IGNORECASE)
    return next((match[1] for match in aliased if match[1] in tables), name)


def _is_table(name: str, tables: set[str], sql: Sql) -> bool:
    return (
        _real_name(name, tables, sql) in tables
    )  # else a common table expression or a subquery: its own rows
