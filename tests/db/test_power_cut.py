"""A power cut at every acknowledgement: a kill proves nothing, because the kernel keeps unsynced writes."""

import random
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from omium.server.db.sqlite_connection import connect
from tests.db.power_cut import STRACE, list_cuts

LOAD = Path(__file__).with_name("load.py")
ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


def find_losses(tmp_path, migrations, *, clients, works, synchronous=""):
    """Return (cut, what is missing or wrong) for each cut that lost something, and the number of cuts."""
    database, trace = tmp_path / "omium.sqlite", tmp_path / "trace"
    command = [sys.executable, LOAD, database, migrations, str(clients), str(works), synchronous]
    ran = subprocess.run(
        [*STRACE, "-o", trace, *command],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=True,
    )
    assert ran.stdout.count(b"\n") == works + 1
    acknowledged, losses = set(), []
    for cut, (line, files) in enumerate(list_cuts(trace)):
        if line != "ready":
            acknowledged.add(line)
        for chance in (None, random.Random(cut)):
            left = tmp_path / "left"
            shutil.rmtree(left, ignore_errors=True)
            left.mkdir()
            for suffix in ("", "-wal"):
                content = files[f"{database}{suffix}"].after_power_cut(chance)
                (left / f"file{suffix}").write_bytes(content)
            if wrong := look(left / "file", acknowledged):
                losses.append((cut, wrong))
    return losses, cut


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


@pytest.mark.parametrize(("clients", "works"), [(1, 150), (8, 152)])
def test_a_power_cut_loses_nothing_that_was_acknowledged(tmp_path, migrations, clients, works):
    losses, cuts = find_losses(tmp_path, migrations, clients=clients, works=works)

    assert losses == []
    assert cuts == works


def test_the_same_check_fails_without_full_syncing(tmp_path, migrations):
    losses, _ = find_losses(tmp_path, migrations, clients=1, works=20, synchronous="NORMAL")

    assert losses, "it checks nothing"
