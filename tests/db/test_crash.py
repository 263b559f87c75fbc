"""What is left when the process, its disk or its lock ends in the middle."""

import asyncio
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from omium.errors import DatabaseCorrupt
from omium.server.db.sqlite_connection import connect
from omium.server.db.writer import FATAL_EXIT_STATUS
from tests.db import schema
from tests.db.schema import Item, insert

LOAD = Path(__file__).with_name("load.py")
ROOT = Path(__file__).parents[2]
needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


def start(file, migrations, clients, works, *, under=()):
    command = [*under, sys.executable, LOAD, file, migrations, str(clients), str(works)]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def read_acknowledged(output):
    return [line.decode() for line in output.split(b"\n") if line.count(b"-") == 2]


def get_sizes(file):
    """Open the file as a restart would, look at it whole, and return every item's size."""
    connection = connect(file, "rw")
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return dict(connection.execute("SELECT id, size FROM items"))
    finally:
        connection.close()


@pytest.mark.parametrize("clients", [1, 32])
def test_a_killed_server_has_every_acknowledged_write_and_nothing_half_done(sqlite_file, migrations, clients):
    acknowledged = set()
    for kill_after in (3, 40, 150):
        process = start(sqlite_file, migrations, clients, 100_000)
        output = b"".join(process.stdout.readline() for _ in range(kill_after))
        process.kill()
        output += process.communicate()[0]
        acknowledged.update(read_acknowledged(output))

        sizes = get_sizes(sqlite_file)

        assert acknowledged <= sizes.keys()
        assert set(sizes.values()) <= {1}, "an item without its second statement is half done"
    assert len(acknowledged) > 100


@needs_strace
@pytest.mark.parametrize(("clients", "most_syncs_per_work"), [(1, 1.1), (32, 0.15)])
def test_syncs_per_work_stay_few(sqlite_file, migrations, tmp_path, clients, most_syncs_per_work):
    counts = tmp_path / "counts"
    strace = ["strace", "-f", "-c", "-e", "trace=fsync,fdatasync", "-o", str(counts)]
    works = 640
    output, errors = start(sqlite_file, migrations, clients, works, under=strace).communicate()

    assert len(read_acknowledged(output)) == works, errors.decode()
    syncs = sum(int(line.split()[3]) for line in counts.read_text().splitlines() if line.endswith("sync"))
    assert syncs >= works / clients, "each batch needs one: otherwise nothing was durable"
    # Checkpoints are made twenty times as often here as in a server (load.py): leave them out.
    syncs_of_checkpoints = 2 * (works * 2 // 200 + 1)
    assert (syncs - syncs_of_checkpoints) / works <= most_syncs_per_work


@needs_strace
# The first ten are of making the file, where SQLite itself forgives a folder that cannot be synced.
@pytest.mark.parametrize("sync", [12, 13, 20, 31, 32, 33])
def test_a_failing_fsync_ends_the_process_and_nothing_is_acknowledged_after_it(
    sqlite_file, migrations, tmp_path, sync
):
    trace = tmp_path / "trace"
    inject = f"inject=fdatasync,fsync:error=EIO:when={sync}"
    strace = ["strace", "-f", "-e", "trace=fdatasync,fsync,write", "-e", inject, "-o", str(trace)]
    clients = 4
    process = start(sqlite_file, migrations, clients, 4_000, under=strace)
    output, errors = process.communicate(timeout=60)

    assert process.returncode == FATAL_EXIT_STATUS, errors.decode()
    assert b"the process ends so that nothing wrong is acknowledged" in errors
    after = trace.read_text().split("(INJECTED)")[1]
    # An earlier batch, which is durable, may still be on its way out: one answer for each client at the most.
    assert len(re.findall(r'write\(1, "[0-9a-f]+-', after)) <= clients
    assert set(read_acknowledged(output)) <= get_sizes(sqlite_file).keys()


async def test_a_truncated_database_refuses_to_start_and_names_the_remedy(open_any, sqlite, sqlite_file):
    for number in range(50):
        await sqlite.write(lambda tx, number=number: insert(tx, f"i{number}", body=b"x" * 3_000))
    await sqlite.close()
    with sqlite_file.open("r+b") as file:
        file.truncate(sqlite_file.stat().st_size // 2)

    with pytest.raises(DatabaseCorrupt, match="omium db restore"):
        await open_any(sqlite_file)


async def test_a_damaged_page_refuses_to_start(open_any, sqlite, sqlite_file):
    for number in range(50):
        await sqlite.write(lambda tx, number=number: insert(tx, f"i{number}", body=b"x" * 3_000))
    await sqlite.close()
    with sqlite_file.open("r+b") as file:
        file.seek(4096 * 5)
        file.write(b"\xff" * 4096 * 20)

    with pytest.raises(DatabaseCorrupt, match="omium db restore"):
        await open_any(sqlite_file)


async def test_a_file_that_is_no_database_refuses_to_start(open_any, sqlite_file):
    sqlite_file.write_bytes(b"these are not the rows you are looking for " * 300)

    with pytest.raises(DatabaseCorrupt, match="omium db restore"):
        await open_any(sqlite_file)


async def test_files_of_the_database_are_private(sqlite, sqlite_file):
    await sqlite.write(lambda tx: insert(tx, "i1"))

    modes = {path.name: path.stat().st_mode & 0o777 for path in sqlite_file.parent.glob("omium.sqlite*")}

    assert {"omium.sqlite", "omium.sqlite-wal", "omium.sqlite-shm"} <= modes.keys()
    assert set(modes.values()) == {0o600}


async def test_the_process_never_opens_its_own_database_file(sqlite, sqlite_file):
    # Closing such a handle would drop SQLite's POSIX locks; the proof is that they are still held after all
    # that a server asks of its database.
    await sqlite.write(lambda tx: insert(tx, "i1"))
    await sqlite.backup(sqlite_file.with_name("copy"))
    await sqlite.integrity_problems()
    await sqlite.size_bytes()
    script = (
        "import fcntl, struct, sys; file = open(sys.argv[1], 'r+b');"
        "lock = struct.pack('hhqqi4x', fcntl.F_WRLCK, 0, 0x40000002, 510, 0);"  # SQLite's shared range
        "found = fcntl.fcntl(file, fcntl.F_GETLK, lock); print(struct.unpack('hhqqi4x', found)[0])"
    )
    looked = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", script, sqlite_file], capture_output=True, check=True
    )

    assert looked.stdout.strip() == b"%d" % 0, "F_RDLCK: still held"


async def test_readers_are_not_held_up_by_the_writer(sqlite):
    await sqlite.write(lambda tx: insert(tx, "i1", size=1))
    seen = []

    def slow(tx):
        tx.execute(schema.SET_SIZE, owner="a", size=2)
        other = sqlite3.connect(sqlite.path)
        seen.extend(other.execute("SELECT size FROM items").fetchall())
        other.close()

    await sqlite.write(slow)

    assert seen == [(1,)]
    assert (await sqlite.read(lambda tx: tx.one(schema.FIND, Item, id="i1"))).size == 2
