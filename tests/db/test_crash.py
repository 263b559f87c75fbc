"""What a database costs its disk, what it makes of a damaged file, and that nobody drops its locks.

What is left when the process or its disk ends in the middle is in tests/faults.
"""

import asyncio
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from omium.errors import DatabaseCorrupt
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
