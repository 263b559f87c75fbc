"""A power cut loses nothing acknowledged. A kill does not show that: the kernel keeps what was not synced."""

import asyncio
import shutil
import sqlite3

import pytest

from omium.server.db.sqlite_connection import connect
from tests.db.schema import write_migrations
from tests.faults import programs
from tests.faults.forks import Forked, needs_strace
from tests.faults.life import EVENTS, life_id, make_folder, open_life
from tests.faults.power_cut import STRACE, list_cuts

WORKS_A_RUN = 150  # a longer one has a larger database to look through at each cut

pytestmark = needs_strace


def run(tmp_path, program, *arguments):
    """Run a program under strace to its end; return the trace."""
    trace = tmp_path / "trace"
    child = Forked(program, *arguments, log=tmp_path / "log", under=[*STRACE, "-o", str(trace)])
    code, _ = child.finish()
    assert code == 0, (tmp_path / "log").read_text()
    return trace


def try_cuts(gate, tmp_path, synchronous=""):
    """Cut at every acknowledged work, with none and with some of the writes that were not synced."""
    migrations = write_migrations(tmp_path / "migrations")
    while gate.count < (rounds := gate.rounds(short=300, long=5_000)) and not gate.enough:
        clients = gate.random.choice([1, 2, 8, 30])
        folder = tmp_path / "disk"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        database = folder / "omium.sqlite"
        arguments = (database, migrations, clients, WORKS_A_RUN // clients * clients, synchronous)
        trace = run(folder, programs.write_items, *arguments)
        acknowledged = set()
        for line, files in list_cuts(trace):
            if line != "ready":
                acknowledged.add(line)
            for chance in (None, gate.random):
                left = leave(folder, files, database, chance)
                wrong = look(left, acknowledged)
                gate.lost(wrong is not None, f"at {line} of {clients} clients: {wrong}")
            gate.tried(1, "acknowledgements")
            gate.show_progress(gate.count, rounds)
            if gate.bug is not None and gate.losses:
                return


def leave(folder, files, database, chance):
    """Write what is left of a database and its log; return the database."""
    left = folder / "left" / database.name
    shutil.rmtree(left.parent, ignore_errors=True)
    left.parent.mkdir()
    for suffix in ("", "-wal"):
        if (file := files.get(f"{database}{suffix}")) is not None:
            left.with_name(left.name + suffix).write_bytes(file.after_power_cut(chance))
    return left


def look(file, acknowledged):
    connection = connect(file, "rw")
    try:
        (sound,) = connection.execute("PRAGMA quick_check").fetchone()
        found = {name for (name,) in connection.execute("SELECT id FROM items")}
    except sqlite3.DatabaseError as error:
        return str(error)
    finally:
        connection.close()
    return (acknowledged - found) or (sound if sound != "ok" else None)


@pytest.mark.gate(
    promise="What the server has acknowledged is there after a power cut.",
    fault="The disk keeps what was synced, of the rest none or any; looked at after every acknowledgement",
)
def test_a_power_cut_loses_nothing_that_was_acknowledged(gate, tmp_path):
    try_cuts(gate, tmp_path)


@pytest.mark.planted(
    bug="The database is opened with synchronous = NORMAL",
    gate="test_a_power_cut_loses_nothing_that_was_acknowledged",
)
def test_the_gate_catches_a_log_that_is_not_synced(trial, tmp_path):
    try_cuts(trial, tmp_path, synchronous="NORMAL")


async def try_cut_lives(gate, tmp_path, bug=""):
    """Cut the power of a whole server at every answer, and let another one go on from what is left."""
    executions = gate.rounds(short=2, long=60)
    await make_folder(tmp_path / "data")
    database = tmp_path / "data" / "omium.sqlite"
    kept = shutil.copytree(tmp_path / "data", tmp_path / "kept")
    program = (programs.live_with, tmp_path / "data", bug) if bug else (programs.live, tmp_path / "data")
    trace = await asyncio.to_thread(run, tmp_path, *program, executions)
    shutil.copytree(kept, tmp_path / "data", dirs_exist_ok=True)  # as it was when the trace began
    for acknowledged, (line, files) in enumerate(list_cuts(trace, [database]), start=1):
        lived, requests = divmod(acknowledged, len(EVENTS))
        for chance in (None, gate.random):
            left = leave(tmp_path, files, database, chance)
            for name in ("keys.json", "life.json"):
                shutil.copy(kept / name, left.parent / name)
            gate.lost(bool(wrong := await go_on(left.parent, lived, requests)), f"after {line}: {wrong}")
        gate.tried(1, "acknowledgements")
        gate.show_progress(acknowledged, executions * len(EVENTS))
        if gate.bug is not None and gate.losses:
            return


async def go_on(folder, lived, requests):
    """Return what is wrong with what a power cut has left in `folder`."""
    async with open_life(folder) as life:
        return await life.list_problems() or await life.look(life_id(lived), requests)


@pytest.mark.gate(
    promise="After a power cut every execution is whole, and goes on where it was.",
    fault="The disk keeps only what was synced, while executions are started, written and failed",
)
async def test_a_power_cut_leaves_no_execution_half_done(gate, tmp_path):
    await try_cut_lives(gate, tmp_path)


@pytest.mark.planted(
    bug="The server's log is synced at checkpoints only",
    gate="test_a_power_cut_leaves_no_execution_half_done",
)
async def test_the_gate_catches_a_server_that_does_not_sync(trial, tmp_path):
    await try_cut_lives(trial, tmp_path, "log-without-sync")
