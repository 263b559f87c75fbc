"""A real server for tests of the SDK, and scripts of users that run against it."""

import contextlib
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import httpx
import pytest

import omium
from omium.config import load_settings
from omium.sdk.session import Session, use_session
from tests.serverfixture import IN_CLEAR, make_running_server, running_server

__all__ = [
    "TIMEOUT_S",
    "Server",
    "make_running_server",
    "running_server",
    "server",
    "server_of_long_leases",
    "wait_until",
]

TIMEOUT_S = 180  # a script starts within a second, and within half a minute where the machine is busy


@pytest.fixture
def server(running_server, tmp_path, monkeypatch):
    with use_server(running_server, tmp_path, monkeypatch) as made:
        yield made


@pytest.fixture
def server_of_long_leases(make_running_server, tmp_path, monkeypatch):
    """A server on which no lease ends while a test runs: what goes on does so for another reason."""
    running = make_running_server(OMIUM_LEASE_S="3600")
    running.bootstrap()
    with use_server(running, tmp_path, monkeypatch) as made:
        yield made


@contextlib.contextmanager
def use_server(running, tmp_path, monkeypatch):
    monkeypatch.setenv("OMIUM_BASE_URL", running.base_url)
    monkeypatch.setenv("OMIUM_API_KEY", running.api_key)
    monkeypatch.setenv("OMIUM_CONFIG_DIR", str(tmp_path / "config"))
    session = Session(load_settings())
    use_session(session)
    yield Server(running, tmp_path)
    session.close()
    use_session(None)


class Server:
    """What a test asks the server, and the scripts that it runs against it."""

    def __init__(self, running, folder: Path):
        self.running = running
        self.folder = folder

    def get(self, path):
        url = self.running.base_url + path
        reply = httpx.get(url, headers=self.running.headers, timeout=TIMEOUT_S, verify=IN_CLEAR)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def post(self, path, body=None):
        headers = {**self.running.headers, "idempotency-key": os.urandom(8).hex()}
        url = self.running.base_url + path
        reply = httpx.post(url, json=body or {}, headers=headers, timeout=TIMEOUT_S, verify=IN_CLEAR)
        assert reply.status_code < 300, reply.text
        return reply.json()

    def detail(self, execution_id):
        return self.get(f"/v1/executions/{execution_id}")

    def newest(self):
        return self.detail(self.get("/v1/executions?limit=1")["items"][0]["id"])

    def steps(self, execution_id):
        return {step["key"]: step for step in self.detail(execution_id)["steps"]}

    def write(self, name, source) -> Path:
        path = self.folder / name
        path.write_text(textwrap.dedent(source))
        return path

    def start(self, path, *arguments, **environment) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, str(path), *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(Path(omium.__file__).parents[1]), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def omium(self, *arguments, codes=(0,)) -> subprocess.CompletedProcess:
        """Run the command line in the folder, with nobody at its terminal; it ends with one of `codes`."""
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "omium", *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(Path(omium.__file__).parents[1])},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode in codes, done.stderr
        return done

    def run(self, path, *arguments, **environment):
        process = self.start(path, *arguments, **environment)
        out, err = process.communicate(timeout=TIMEOUT_S)
        return process.returncode, out, err


def wait_until(look, timeout_s=TIMEOUT_S):
    deadline_s = time.monotonic() + timeout_s
    while time.monotonic() < deadline_s:
        if found := look():
            return found
        time.sleep(0.1)
    raise AssertionError("it did not happen in time")
