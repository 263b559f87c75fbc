"""Planted bugs: what each gate must catch. Never in the product; a test switches one on for itself.

    serve(bug="acknowledge-before-commit")     a server process that has it (the fixture of conftest.py)
    plant("no-fence", monkeypatch)             in the test's own process, until the test ends

A bug is one function that takes a MonkeyPatch: the smallest wrong turn that a colleague could take.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

BUGS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {}


def bug(name: str) -> Callable[[Callable[[pytest.MonkeyPatch], None]], Callable[[pytest.MonkeyPatch], None]]:
    """Register the function below as the bug `name`."""

    def register(plant_it: Callable[[pytest.MonkeyPatch], None]) -> Callable[[pytest.MonkeyPatch], None]:
        assert name not in BUGS, f"two bugs are called {name!r}"
        BUGS[name] = plant_it
        return plant_it

    return register


def plant(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Switch the bug `name` on, for as long as `monkeypatch` lasts."""
    BUGS[name](monkeypatch)


def main(name: str, data: str, port: str) -> int:
    """Run a server with the bug `name`, or with none where it is empty."""
    from omium.server.serve import run_server
    from omium.server.settings import ServerSettings

    if name:
        plant(name, pytest.MonkeyPatch())  # never undone: the process is the test's
    return run_server(ServerSettings.load(data=Path(data), port=int(port)))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
