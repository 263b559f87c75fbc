"""`python -m omium.testing.forgetful_server JOURNAL WRITES`: the server, on a disk that can forget.

Takes its settings from the environment, as `omium serve` does. Nothing else about it is different but that it
kills itself at its WRITES-th write to the database.
"""

from __future__ import annotations

import sys
from pathlib import Path

from omium.server.serve import run_server
from omium.server.settings import ServerSettings
from omium.testing.forgetful_disk import ForgetfulDisk


def main(journal: str, writes_max: str) -> int:
    """Run the server until it is stopped or killed."""
    disk = ForgetfulDisk(Path(journal), int(writes_max))  # kept by this frame: SQLite has pointers into it
    disk.install()
    return run_server(ServerSettings.load())


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
