"""The one private method of aiosqlite that is used, and how connections are set up."""

import inspect
import sqlite3
import subprocess
import sys
import threading

import aiosqlite
import pytest

from omium.server.db.sqlite_connection import (
    FileConnection,
    connect,
    connect_reader,
    connect_writer,
    open_connection,
)


def test_aiosqlite_still_has_the_private_method_that_hands_over_a_function():
    execute = aiosqlite.Connection._execute

    assert inspect.iscoroutinefunction(execute)
    assert list(inspect.signature(execute).parameters) == ["self", "fn", "args", "kwargs"]
    assert isinstance(aiosqlite.Connection._conn, property)


def test_our_method_shadows_nothing_of_aiosqlite_nor_of_the_thread_that_a_connection_is_in_0_21():
    ours = {name for name in vars(FileConnection) if not name.startswith("__")}

    assert ours & {*dir(aiosqlite.Connection), *dir(threading.Thread)} == set()


async def test_a_function_runs_whole_on_the_connections_own_thread(tmp_path):
    connection = await open_connection(lambda: connect(tmp_path / "file", "rwc"))

    def work(raw):
        assert isinstance(raw, sqlite3.Connection)
        return threading.get_ident(), raw.execute("SELECT 1 + 1").fetchone()

    first, second = await connection.execute_function(work), await connection.execute_function(work)
    await connection.close()

    assert first == second
    assert first[0] != threading.get_ident()
    assert first[1] == (2,)


async def test_an_exception_comes_back_to_the_caller(tmp_path):
    connection = await open_connection(lambda: connect(tmp_path / "file", "rwc"))

    with pytest.raises(ZeroDivisionError):
        await connection.execute_function(lambda raw: 1 / 0)
    await connection.close()


async def test_a_connection_that_cannot_be_opened_leaves_no_thread(tmp_path):
    before = set(threading.enumerate())

    with pytest.raises(sqlite3.OperationalError):
        await open_connection(lambda: connect(tmp_path / "none" / "file", "rw"))

    for thread in set(threading.enumerate()) - before:
        thread.join(10)
        assert not thread.is_alive()


def test_a_process_that_fails_with_its_database_open_ends(tmp_path):
    script = """
import asyncio, sys
from omium.clock import SystemClock
from omium.server.db.open import open_database

async def main():
    global database
    database = await open_database(sys.argv[1], clock=SystemClock())
    raise SystemExit(3)

asyncio.run(main())
"""
    ended = subprocess.run([sys.executable, "-c", script, tmp_path / "file"], timeout=30, check=False)

    assert ended.returncode == 3


def pragma(connection, name):
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


def test_the_writer_syncs_fully_and_readers_cannot_write(tmp_path):
    writer = connect_writer(tmp_path / "file", 1.5)
    reader = connect_reader(tmp_path / "file", 1.5)
    try:
        assert pragma(writer, "journal_mode") == "wal"
        assert pragma(writer, "synchronous") == 2, "FULL"
        assert pragma(writer, "wal_autocheckpoint") == 0, "checkpoints are made by hand, to see their errors"
        assert pragma(writer, "busy_timeout") == 1500
        assert pragma(reader, "query_only") == 1
        assert {pragma(one, "foreign_keys") for one in (writer, reader)} == {1}
        assert {one.isolation_level for one in (writer, reader)} == {None}
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            reader.execute("PRAGMA query_only = OFF")
            reader.execute("CREATE TABLE t (a)")
    finally:
        reader.close()
        writer.close()
