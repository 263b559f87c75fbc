"""Every statement of the store finds its rows by an index: no full scan, on tables that grow."""

import importlib
import pkgutil
import re
import sqlite3

import pytest

from omium.server import store
from omium.server.db.migrate import list_migrations
from omium.server.db.sql import Sql

GROWING = frozenset(
    {"executions", "execution_details", "epochs", "events", "steps", "step_attempts", "checkpoints"}
    | {"effects", "payloads", "usage_records", "step_logs", "failure_occurrences"}
    | {"ledger_entries", "holds", "audit_entries", "alert_facts", "alert_deliveries"}
    | {"execution_labels", "execution_tags", "workflow_versions"}
)

# What reads a whole table on purpose, and why that is bearable.
ON_PURPOSE = {
    "alerts.LOCK_FACTS": "through the index of those that no sweep has gathered, which holds nothing else",
    "unsummed.TAKE_ENDED": "through the index of what no sum has yet, which holds nothing else",
    "unsummed.TAKE_USED": "through the index of what no sum has yet, which holds nothing else",
    "unsummed.LIST_FAILED": "through the index of what no sum has yet, which holds nothing else",
    "charges.STRAY": "through the index of open holds, when the database is verified",
    "meters.OUT_OF_CREDITS": "through the index of workers' executions that are paused for credits",
    "leases.RESTART": "once, when a server starts; through the index of running executions",
}


def statements():
    """Return every Sql object of the store by module and name."""
    found = {}
    for module in pkgutil.iter_modules(store.__path__):
        loaded = importlib.import_module(f"{store.__name__}.{module.name}")
        for name, value in vars(loaded).items():
            if isinstance(value, Sql):
                found.setdefault(id(value), (f"{module.name}.{name}", value))
    return dict(found.values())


@pytest.fixture(scope="module")
def connection():
    connection = sqlite3.connect(":memory:")
    for migration in list_migrations():
        connection.executescript(migration.script("sqlite"))
    yield connection
    connection.close()


@pytest.mark.parametrize("name", sorted(statements()))
def test_no_statement_scans_a_table_that_grows(connection, name):
    sql = statements()[name]
    plan = connection.execute(f"EXPLAIN QUERY PLAN {sql.render('sqlite')}", [1] * len(sql.names)).fetchall()
    scans = [
        detail for *_, detail in plan if (match := re.match(r"SCAN (\w+)", detail)) and match[1] in GROWING
    ]
    assert scans == [] or name in ON_PURPOSE, "\n".join(detail for *_, detail in plan)
