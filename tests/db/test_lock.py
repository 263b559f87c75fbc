import os
import subprocess
import sys

import pytest

from omium.errors import DatabaseLocked
from omium.server.db.lock import FileLock


async def test_a_second_server_is_told_who_has_the_file(sqlite, open_any, sqlite_file):
    with pytest.raises(DatabaseLocked, match=f"in use by another omium process .pid {os.getpid()}"):
        await open_any(sqlite_file)


async def test_a_second_name_of_the_same_file_does_not_help(sqlite, open_any, sqlite_file):
    other = sqlite_file.with_name("other")
    other.symlink_to(sqlite_file)

    with pytest.raises(DatabaseLocked):
        await open_any(other)


async def test_the_lock_is_given_back_by_closing(sqlite, open_any, sqlite_file):
    await sqlite.close()
    await open_any(sqlite_file)


def test_a_child_does_not_inherit_the_lock(sqlite_file):
    lock = FileLock(sqlite_file)
    child = subprocess.Popen(
        [sys.executable, "-c", "import sys; print('up', flush=True); sys.stdin.read()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        close_fds=False,
    )
    try:
        assert child.stdout.readline() == b"up\n"  # close-on-exec happens a moment after Popen returns
        lock.release()
        FileLock(sqlite_file).release()
    finally:
        child.communicate()


def test_a_process_that_was_killed_holds_no_lock(sqlite_file):
    script = (
        "import sys; from pathlib import Path; from omium.server.db.lock import FileLock;"
        "FileLock(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script, sqlite_file], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert child.stdout.readline() == b"held\n"
        with pytest.raises(DatabaseLocked, match=f"pid {child.pid}"):
            FileLock(sqlite_file)
    finally:
        child.kill()
        child.communicate()
    FileLock(sqlite_file).release()
