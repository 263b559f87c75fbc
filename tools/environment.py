"""The environment in .venv: made from a lock file, once, with whatever this machine's Python has.

Owns finding a way to make a virtual environment (venv; on a Debian without python3-venv also pip alone) and
installing one lock file and the project itself into it. The Makefile's stamp files decide when it runs.

    python3 tools/environment.py .venv dev

Set OMIUM_WHEELHOUSE to a folder of wheels (`make wheelhouse LOCK=dev`) to install without a network. Written
so that an old Python gets as far as the sentence that says so.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MINIMUM = (3, 11)
# These lock files hold the build backend, too.
WITH_PROJECT = ("dev", "demo", "lowest", "langgraph", "crewai", "sematic", "frameworks", "otel")
# What has no wheel anywhere: pure Python, so building it takes no compiler (Semantic Kernel needs them).
SOURCE_ONLY = {"frameworks": "pybars4,PyMeta3"}
REMEDY = "Install it (Debian: `sudo apt-get install python3-venv`), then run make again."


def create(folder: Path) -> None:
    """Make an environment with pip in `folder`, unless a working one is there."""
    python = folder / "bin" / "python"
    if python.exists() and run([str(python), "-m", "pip", "--version"], quiet=True) == 0:
        return
    print(f"Creating {folder} ...", flush=True)
    if importlib.util.find_spec("ensurepip") is not None:
        must([sys.executable, "-m", "venv", "--clear", str(folder)], f"Python's venv module failed. {REMEDY}")
    elif importlib.util.find_spec("pip") is not None:  # Debian splits ensurepip off; pip can stand in
        must([sys.executable, "-m", "venv", "--clear", "--without-pip", str(folder)], REMEDY)
        must([sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "pip"], REMEDY)
    else:
        sys.exit(f"This Python can make no virtual environment: its venv part is missing. {REMEDY}")


def install(folder: Path, lock: str) -> None:
    """Install requirements/`lock`.txt, by hash, and the project itself as an editable install."""
    lock_file = ROOT / "requirements" / f"{lock}.txt"
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    wheelhouse = os.environ.get("OMIUM_WHEELHOUSE")
    source = ["--no-index", "--find-links", str(Path(wheelhouse).resolve())] if wheelhouse else []
    print(f"Installing requirements/{lock}.txt ...", flush=True)
    # Wheels only: a missing wheel should say so, not start a compiler that a bare machine doesn't have. A
    # lock file is whole, so nothing is resolved again: pip before 23.3 takes the newest of what is also asked
    # for with an extra (`markdown-it-py[linkify]`), and then finds it without a hash.
    flags = ["--require-hashes", "--no-deps", "--only-binary", ":all:"]
    if lock in SOURCE_ONLY:
        flags += ["--no-binary", SOURCE_ONLY[lock]]
    must([*pip, *source, *flags, "-r", str(lock_file)], f"pip could not install {lock_file.name}, see above.")
    if lock.partition("-")[0] in WITH_PROJECT:
        # hatchling comes from the lock, so that nothing is fetched without a hash.
        project = ["--no-index", "--no-build-isolation", "--no-deps", "--editable", str(ROOT)]
        must([*pip, *project], "pip could not install the project itself, see above.")


def run(command: list[str], *, quiet: bool = False) -> int:
    """Run `command` and return its exit code."""
    sink = subprocess.DEVNULL if quiet else None
    return subprocess.run(command, check=False, stdout=sink, stderr=sink).returncode


def must(command: list[str], remedy: str) -> None:
    """Run `command`, and end with `remedy` if it fails."""
    if run(command) != 0:
        sys.exit(remedy)


def main() -> None:
    """Create the environment if needed and install one lock file into it."""
    if len(sys.argv) != 3:
        sys.exit("Usage: python3 tools/environment.py FOLDER LOCK")
    if sys.version_info < MINIMUM:
        found = ".".join(map(str, sys.version_info[:3]))
        sys.exit(f"Omium needs Python 3.11 or newer, this is {found}. Try: make PYTHON=python3.12 ...")
    folder = Path(sys.argv[1]).resolve()
    create(folder)
    install(folder, sys.argv[2])


if __name__ == "__main__":
    main()
