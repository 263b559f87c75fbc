"""Backups made under load: each holds what was acknowledged before it began, and can be started from."""

import contextlib
import json
import shutil
import sqlite3
import stat
import time
from functools import partial
from pathlib import Path

import pytest

from omium.server.db.offline import restore_file
from omium.server.db.sqlite_connection import connect
from tests.faults.traffic import Asking, Traffic

DRIVERS = 6
STEPS = "SELECT execution_id, count(*) FROM steps GROUP BY execution_id"


def try_backups(gate, make_server):
    server = make_server()
    with Traffic(server, DRIVERS) as traffic, Asking(server) as asking:
        for _ in gate.each(short=12, long=500, what="backups"):
            time.sleep(gate.random.uniform(0, 0.05))
            before = {driver.execution_id: driver.steps for driver in traffic.drivers}
            status, body = asking.ask("POST", "/v1/admin/backup", {"with_keys": True})
            assert status == 201, body
            backup = json.loads(body)
            file = Path(backup["file"])
            found = count_steps(gate, file)
            for execution_id, steps in before.items():
                missing = max(0, steps - found.get(execution_id, 0))
                gate.lost(missing, f"{missing} steps of {execution_id} were acknowledged before it began")
            modes = {stat.S_IMODE(Path(each).stat().st_mode) for each in (file, backup["key_file"])}
            gate.lost(modes != {0o600}, f"modes {modes}")
    if gate.bug is None:
        start_from(gate, server, traffic, backup)


def count_steps(gate, file):
    """Return how many steps a backup holds of each execution."""
    try:
        with contextlib.closing(connect(file, "ro")) as copy:
            return dict(copy.execute(STEPS))
    except sqlite3.DatabaseError as error:
        gate.lost(1, f"the backup cannot be read: {error}")
        return {}


def start_from(gate, server, traffic, backup):
    """Lose the server's folder but for a backup, and look at what a server says that starts from it."""
    server.stop()
    held = count_steps(gate, Path(backup["file"]))
    for driver in traffic.drivers:
        driver.steps = held.get(driver.execution_id, 0)
    kept = shutil.copytree(Path(backup["file"]).parent, server.data.parent / "kept")
    shutil.rmtree(server.data)
    restore_file(kept / Path(backup["file"]).name, str(server.data / "omium.sqlite"))
    shutil.copy(kept / Path(backup["key_file"]).name, server.data / "keys.json")
    server.start()
    traffic.look(gate)


@pytest.mark.gate(
    promise="A backup holds every write that was acknowledged before it began, is private, and a server"
    " starts from it.",
    fault="Backups of a server under load, one after the other",
)
def test_a_backup_under_load_lacks_nothing(gate, forked_server):
    try_backups(gate, forked_server)


@pytest.mark.planted(
    bug="A backup copies the file and forgets its log", gate="test_a_backup_under_load_lacks_nothing"
)
def test_the_gate_catches_a_backup_without_its_log(trial, forked_server):
    try_backups(trial, partial(forked_server, "copy-without-log"))
