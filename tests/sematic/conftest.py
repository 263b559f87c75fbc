"""One real server for the tests of a file, and a session with it for each; not collected without Sematic."""

import importlib.util

import pytest

from tests.migrated import put_sqlite
from tests.sdk.served import use_server
from tests.serverfixture import RunningServer

if importlib.util.find_spec("sematic") is None:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="module")
def started_server(tmp_path_factory):
    data = tmp_path_factory.mktemp("server") / "data"
    put_sqlite(data / "omium.sqlite")
    running = RunningServer(data, {"OMIUM_BALLAST_BYTES": "0"})
    running.bootstrap()
    yield running
    running.kill()


@pytest.fixture
def server(started_server, tmp_path, monkeypatch):
    with use_server(started_server, tmp_path, monkeypatch) as made:
        yield made
