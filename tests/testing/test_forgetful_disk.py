"""The disk that can forget: it notes what SQLite does, and a power cut takes back what was not synced."""

import random
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from omium.testing.power_cut import Note, cut_power, pack_note, read_notes

ROOT = Path(__file__).resolve().parents[2]

PROGRAM = """
import os, sqlite3, sys
from pathlib import Path
from omium.testing.forgetful_disk import ForgetfulDisk
folder, synchronous, writes = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
disk = ForgetfulDisk(folder / "journal", writes)
disk.install()
connection = sqlite3.connect(folder / "file", isolation_level=None)
connection.execute("PRAGMA journal_mode = WAL").fetchall()
connection.execute(f"PRAGMA synchronous = {synchronous}")
connection.execute(f"PRAGMA wal_autocheckpoint = {20 if synchronous == 'FULL' else 10_000}")
connection.execute("PRAGMA journal_size_limit = 40000")
connection.execute("CREATE TABLE items (id INTEGER PRIMARY KEY, body TEXT)")
for number in range(100_000):
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO items VALUES (?, ?)", (number, "x" * 900))
    connection.execute("UPDATE items SET body = ? WHERE id = ?", ("y" * 900, number // 2))
    connection.execute("COMMIT")
    os.write(1, b"%d\\n" % number)
"""


def run_until_cut(folder, synchronous, writes):
    """Return what was acknowledged until the process killed itself."""
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder), synchronous, str(writes)],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == -9, done.stderr.decode()
    return [int(line) for line in done.stdout.split()]


def read_items(folder):
    connection = sqlite3.connect(folder / "file")
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        if not connection.execute("SELECT 1 FROM sqlite_schema").fetchone():
            return set()
        return {row[0] for row in connection.execute("SELECT id FROM items")}
    finally:
        connection.close()


@pytest.mark.parametrize("writes", [25, 101, 260, 433, 700])
def test_what_was_synced_is_there_after_a_power_cut_at_any_write(tmp_path, writes):
    acknowledged = run_until_cut(tmp_path / "disk", "FULL", writes)

    cut = cut_power(tmp_path / "disk" / "journal", random.Random(writes))

    assert cut.unsynced >= cut.lost >= 0
    left = read_items(tmp_path / "disk") if acknowledged else set()
    assert set(acknowledged) <= left
    assert len(left) <= len(acknowledged) + 1


def test_what_was_not_synced_is_forgotten_and_the_file_is_sound(tmp_path):
    acknowledged = run_until_cut(tmp_path / "disk", "NORMAL", 700)

    cut = cut_power(tmp_path / "disk" / "journal", random.Random(5))

    assert cut.lost > 0
    assert set(acknowledged) - read_items(tmp_path / "disk"), "nothing was forgotten: it checks nothing"


def test_a_cut_can_be_made_again_from_the_same_notes(tmp_path):
    run_until_cut(tmp_path / "disk", "NORMAL", 300)
    journal = tmp_path / "disk" / "journal"

    cut_power(journal, random.Random(1))
    first = [(tmp_path / "disk" / name).read_bytes() for name in ("file", "file-wal")]
    cut_power(journal, random.Random(1))

    assert [(tmp_path / "disk" / name).read_bytes() for name in ("file", "file-wal")] == first


def test_unsynced_writes_and_truncations_are_undone_in_reverse(tmp_path):
    file, journal = tmp_path / "f", tmp_path / "journal"
    file.write_bytes(b"0123456789")
    path = str(file)
    notes = [
        Note("write", path, 0, 10, b"ab", b"01"),
        Note("sync", path, 0, 0, b"", b""),
        Note("write", path, 8, 6, b"", b"89"),
        Note("truncate", path, 10, 12, b"zz", b""),
    ]
    journal.write_bytes(b"".join(map(pack_note, notes)) + pack_note(notes[0])[:-1])

    assert list(read_notes(journal)) == notes
    for seed in range(20):
        cut = cut_power(journal, random.Random(seed))
        assert file.read_bytes()[:6] == b"012345", "what was synced stays"
        assert cut.unsynced == 2
        if cut.lost == 2:
            assert len(file.read_bytes()) in (6, 10)


def test_a_torn_write_arrives_in_whole_sectors(tmp_path):
    file, journal = tmp_path / "f", tmp_path / "journal"
    seen = set()
    for seed in range(60):
        file.write_bytes(b"\0" * 2048)
        journal.write_bytes(pack_note(Note("write", str(file), 100, 2048, b"\0" * 1024, b"x" * 1024)))
        cut_power(journal, random.Random(seed))
        content = file.read_bytes()
        runs = tuple(content[at] for at in (100, 511, 512, 1023, 1024, 1123))
        assert (runs[0], runs[2], runs[4]) == (runs[1], runs[3], runs[5])
        assert content.count(b"x") == sum(
            length for at, length in ((100, 412), (512, 512), (1024, 100)) if content[at]
        )
        seen.add((runs[0], runs[2], runs[4]))
    assert len(seen) > 4, "whole, lost and torn all happen"
