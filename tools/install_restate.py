"""Restate's server, for `make bench`: npm is the one place that has it as a package.

    python3 tools/install_restate.py .venv-peers

Owns installing requirements/peers/package-lock.json into the folder `restate` of that environment: by hash,
without running scripts of packages. Without npm it says so and ends well: benchmarks then leave Restate out.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

LOCKED = Path(__file__).resolve().parent.parent / "requirements" / "peers"


def main() -> None:
    """Copy the lock into the environment's folder and let npm install exactly that."""
    npm = shutil.which("npm")
    if npm is None:
        print("npm is missing, so Restate's server is left out of the benchmarks.")
        return
    folder = Path(sys.argv[1]).resolve() / "restate"
    folder.mkdir(exist_ok=True)
    for path in LOCKED.glob("package*.json"):
        shutil.copy(path, folder)
    print("Installing requirements/peers/package-lock.json ...", flush=True)
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    if subprocess.run(command, cwd=folder, check=False).returncode != 0:
        sys.exit("npm could not install Restate's server, see above.")


if __name__ == "__main__":
    main()
