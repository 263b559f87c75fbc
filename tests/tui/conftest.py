"""What tests of the dashboard share: a server with an owner's key."""

import pytest

from tests.serverfixture import make_running_server, running_server

__all__ = ["make_running_server", "running_server"]


def pytest_addoption(parser: pytest.Parser) -> None:  # heard where this folder is named on the command line
    parser.addoption("--snapshot-update", action="store_true", help="store what the pages look like now")


@pytest.fixture(autouse=True)
def _no_profile_of_this_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("OMIUM_CONFIG_DIR", str(tmp_path / "config"))
