"""The gates' fixtures; what they are is in gate.py, how to run them in plugin.py."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.forks import ForkedServer
from tests.faults.plugin import (
    gate,
    lengthen_timeouts,
    long_only,
    pytest_pyfunc_call,
    pytest_runtest_makereport,
    show_table,
    trial,
)
from tests.sdk.served import make_running_server, running_server, server
from tests.serverfixture import RunningServer

__all__ = [
    "gate",
    "long_only",
    "make_running_server",
    "pytest_pyfunc_call",
    "pytest_runtest_makereport",
    "running_server",
    "server",
    "trial",
]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    lengthen_timeouts(config, items)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    show_table(terminalreporter, config)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., RunningServer]]:
    """A function: `serve()` starts a server with an owner, `serve(bug="...")` one with a planted bug.

    Further keywords are variables of its environment: serve(OMIUM_LEASE_S="3").
    """
    servers: list[RunningServer] = []

    def start(bug: str = "", **environment: str) -> RunningServer:
        folder = tmp_path / f"serve{len(servers) + 1}"
        folder.mkdir()
        chosen = {"OMIUM_BALLAST_BYTES": "0", **environment}
        running = RunningServer(folder / "data", chosen, ("-m", "tests.faults.planted", bug))
        servers.append(running)
        running.bootstrap()
        return running

    yield start
    for running in servers:
        running.kill()


@pytest.fixture
def forked_server(tmp_path: Path) -> Iterator[Callable[..., ForkedServer]]:
    """The same as `serve`, for gates that start a server very often."""
    servers: list[ForkedServer] = []

    def start(bug: str = "", under: list[str] | None = None, **environment: str) -> ForkedServer:
        folder = tmp_path / f"forked{len(servers) + 1}"
        folder.mkdir()
        running = ForkedServer(folder / "data", {"OMIUM_BALLAST_BYTES": "0", **environment}, bug, under)
        servers.append(running)
        running.bootstrap()
        return running

    yield start
    for running in servers:
        running.kill()
