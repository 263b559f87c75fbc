"""A server that breaks its promises: what `omium doctor --chaos` must find out.

python broken_server.py acknowledge-before-commit
python broken_server.py no-full-sync JOURNAL WRITES
"""

import os
import sys
import time
from pathlib import Path

from omium.server.db import sqlite
from omium.server.db.writer import Writer
from omium.server.serve import run_server
from omium.server.settings import ServerSettings
from omium.testing.forgetful_disk import ForgetfulDisk

HELD_S = 0.3


def acknowledge_before_commit():
    run_works = Writer._run_works

    def run_and_answer(self, connection, works):
        whole = run_works(self, connection, works)
        self._queue.answer_soon(list(works))
        time.sleep(HELD_S)
        return whole

    Writer._run_works = run_and_answer


def no_full_sync():
    connect_writer = sqlite.connect_writer

    def connect(path, busy_timeout_s):
        connection = connect_writer(path, busy_timeout_s)
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    sqlite.connect_writer = connect


def main(bug, *disk):
    {"acknowledge-before-commit": acknowledge_before_commit, "no-full-sync": no_full_sync}[bug]()
    if disk:
        forgetful = ForgetfulDisk(Path(disk[0]), int(disk[1]))
        forgetful.install()
    return run_server(ServerSettings.load(os.environ))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
