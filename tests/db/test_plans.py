"""Every statement of the store finds its rows by an index, and is understood by both databases."""

import sqlite3

import psycopg
import pytest

import omium.server.store
from omium.server.db.migrate import list_migrations, migrate_sqlite
from omium.server.db.migrate_postgres import migrate_postgres
from omium.server.db.postgres_connection import connect as connect_postgres
from omium.server.db.sql import Sql
from omium.server.db.sqlite_connection import connect
from tests.db.plans import Statement, find_full_scans, list_statements

# Tables that stay small: reading all of one costs nothing that grows with use.
SMALL_TABLES = {"schema_migrations", "tenants", "accounts", "price_versions"}
SMALL_TABLES |= {"alert_rules", "credit_marks", "plans", "users"}  # a few for each tenant

# Statement -> why it may read a whole table.
ALLOWED: dict[str, str] = {
    "sum_checks.DAYS": "which days have sums: only `omium db verify` asks, and reads everything",
    "storage.MISMATCHES": "each day beside its charge: only `omium db verify` asks, and reads everything",
    "step_slots.VOID": "those that run under a key, or wait for one, now: every two seconds",
    "step_slots.RESTART": "the same, once when a server starts",
    "trees.LOCK_NEXT": "the oldest of what is under way, by its index; each goes when it is done",
}


@pytest.fixture(scope="module")
def migrated(tmp_path_factory):
    connection = connect(tmp_path_factory.mktemp("plans") / "file", "rwc")
    migrate_sqlite(connection, list_migrations(), 0)
    yield connection
    connection.close()


def test_no_statement_reads_a_whole_hot_table(migrated):
    scans = find_full_scans(migrated, list_statements(omium.server.store))
    unexpected = [
        str(scan) for scan in scans if scan.table not in SMALL_TABLES and scan.statement not in ALLOWED
    ]

    assert unexpected == []


def test_every_exception_is_still_needed(migrated):
    scans = {scan.statement for scan in find_full_scans(migrated, list_statements(omium.server.store))}

    assert ALLOWED.keys() - scans == set()


def test_a_full_scan_is_found_whatever_the_table_is_called_in_the_statement():
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("CREATE TABLE runs (id TEXT PRIMARY KEY, status TEXT, reason TEXT) STRICT")
    connection.execute("CREATE INDEX runs_waiting ON runs (id) WHERE status = 'waiting'")
    statements = [
        Statement("whole", Sql("SELECT id FROM runs WHERE reason = :reason")),
        Statement("alias", Sql("SELECT r.id FROM runs AS r WHERE r.reason = :reason")),
        Statement("update", Sql("UPDATE runs SET reason = NULL WHERE reason = :reason")),
        Statement("index", Sql("SELECT id FROM runs ORDER BY id")),
        Statement("keyed", Sql("SELECT id FROM runs WHERE id = :id")),
        Statement("partial", Sql("SELECT id FROM runs WHERE status = 'waiting' ORDER BY id")),
        Statement("inner", Sql("WITH own AS MATERIALIZED (SELECT 1 AS n) SELECT n FROM own")),
    ]

    found = {scan.statement: scan.table for scan in find_full_scans(connection, statements)}
    connection.close()

    assert found == dict.fromkeys(("whole", "alias", "update", "index"), "runs")


def test_every_statement_is_understood_by_postgres(postgres_url):
    refused = []
    with connect_postgres(postgres_url) as connection:
        migrate_postgres(connection, list_migrations(), 0)
        for statement in list_statements(omium.server.store):
            text = statement.sql.render("postgres")
            try:
                connection.execute(f"PREPARE one AS {text}")
                connection.execute("DEALLOCATE one")
            except psycopg.Error as error:
                refused.append(f"{statement.name}: {error}")

    assert refused == []


def test_every_statement_is_understood_by_sqlite(migrated):
    refused = []
    for statement in list_statements(omium.server.store):
        try:
            parameters = [None] * len(statement.sql.names)
            migrated.execute(f"EXPLAIN {statement.sql.render('sqlite')}", parameters).fetchall()
        except sqlite3.Error as error:
            refused.append(f"{statement.name}: {error}")

    assert refused == []
