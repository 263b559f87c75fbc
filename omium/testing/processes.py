"""What is killed: a real server and a process of agents, each in the scratch folder.

Owns how they are started, when they are ready, and their end. What the agents do is agents.py; who is
killed when is chaos.py's.
"""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from omium.errors import OmiumError
from omium.folders import bootstrap_token_file
from omium.models.account import Bootstrap
from omium.sdk.sync_client import Client
from omium.testing.scratch import Scratch

READY_WITHIN_S: Final = 120.0
STOPPED_WITHIN_S: Final = 120.0
POWER_WITHIN_S: Final = 20.0
ANSWERED_WITHIN_S: Final = 600.0
_READY: Final = re.compile(r"ready at (?P<base_url>http://\S+:(?P<port>\d+))")
# A driver that is gone is noticed at once on its own machine; the leases are for the rest.
_SERVER: Final = {
    "OMIUM_LEASE_S": "10", "OMIUM_SELF_FENCE_S": "6", "OMIUM_HEARTBEAT_S": "2", "OMIUM_LEASE_GRACE_S": "2",
    "OMIUM_REQUESTS_PER_ADDRESS_PER_S": "100000",
}  # fmt: skip


class ProcessFailed(OmiumError):
    """A server or the agents ended by themselves, or never were ready."""


@dataclass(frozen=True, slots=True)
class Programs:
    """What is started as the server. Tests put one here that breaks its promises."""

    server: Sequence[str] = (sys.executable, "-m", "omium", "serve")
    forgetful_server: Sequence[str] = (sys.executable, "-m", "omium.testing.forgetful_server")
    """Is given the file of its journal, and the number of writes after which its power is cut."""


class ServerProcess:
    """A server that is killed and started again, on the same port and data."""

    def __init__(self, scratch: Scratch, programs: Programs) -> None:
        self._scratch = scratch
        self._programs = programs
        self._process: subprocess.Popen[str] | None = None
        self._port = "0"
        self.base_url = ""
        self.api_key = ""

    def start(self) -> float:
        """Start and wait until it is ready; returns how long that took, in seconds."""
        began = time.perf_counter()
        self.begin()
        process = self._process
        assert process is not None
        assert process.stdout is not None
        ready = _READY.search(process.stdout.readline())
        if ready is None:
            process.kill()
            process.wait()
            raise ProcessFailed(f"The server did not start again; its last words are in {self._scratch.log}.")
        self._port, self.base_url = ready["port"], ready["base_url"]
        return time.perf_counter() - began

    def begin(self) -> None:
        """Start without waiting."""
        self._begin([*self._programs.server])

    def run_until_power_cut(self, writes: int) -> None:
        """Run it on a forgetful disk until its power is cut at that many writes, or nothing is written."""
        self._begin([*self._programs.forgetful_server, str(self._scratch.journal), str(writes)])
        assert self._process is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=POWER_WITHIN_S)
        self.kill()

    def _begin(self, command: Sequence[str]) -> None:
        with self._scratch.log.open("a") as log:
            self._process = subprocess.Popen(  # noqa: S603  # our own program
                command,
                env=self._scratch.environment(OMIUM_PORT=self._port, **_SERVER),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,  # Ctrl-C is for the command, which ends what it started
            )

    def make_owner(self) -> None:
        """Become the owner of the fresh server, as `omium init` does."""
        token_file = bootstrap_token_file(self._scratch.data)
        give_up = time.monotonic() + READY_WITHIN_S
        while not token_file.exists():  # it is offered right after the ready line
            if time.monotonic() > give_up:
                raise ProcessFailed(f"The server offered no one-time token in {token_file.parent}.")
            time.sleep(0.02)
        with self.client() as client:
            made = client.bootstrap_server(Bootstrap(token=token_file.read_text().strip(), tenant="chaos"))
        self.api_key = made.api_key

    def client(self) -> Client:
        """Return a client that is patient with a server that has just started, or checks itself."""
        return Client(self.base_url, self.api_key or None, timeout_s=ANSWERED_WITHIN_S, retry_for_s=10.0)

    def kill(self) -> None:
        """SIGKILL, if it runs."""
        _kill(self._process)

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        process, self._process = self._process, None
        assert process is not None
        process.terminate()
        try:
            return process.wait(timeout=STOPPED_WITHIN_S)
        finally:
            _kill(process)


class AgentsProcess:
    """The agents, in a process of their own."""

    def __init__(self, scratch: Scratch, server: ServerProcess, threads: int) -> None:
        self._scratch = scratch
        self._server = server
        self._threads = threads
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        """Say whether they have not ended by themselves."""
        return self._process is not None and self._process.poll() is None

    def start(self, *, finish: bool = False) -> None:
        """Start them: unfinished orders first; with `finish`, nothing else."""
        module = "omium.testing.agents"
        command = [sys.executable, "-m", module, str(self._scratch.folder), str(self._threads)]
        with self._scratch.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  # our own program
                [*command, "finish"] if finish else command,
                env=self._scratch.environment(
                    OMIUM_BASE_URL=self._server.base_url, OMIUM_API_KEY=self._server.api_key
                ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self) -> None:
        """SIGKILL, if they run."""
        _kill(self._process)

    def end(self, *, finished: bool, within_s: float = STOPPED_WITHIN_S) -> int:
        """Wait for the end, by SIGTERM unless they shall end when they have `finished`; the exit code."""
        process = self._process
        assert process is not None
        if not finished:
            process.send_signal(signal.SIGTERM)
        try:
            return process.wait(timeout=within_s)
        except subprocess.TimeoutExpired:
            return -1
        finally:
            _kill(process)


def _kill(process: subprocess.Popen[str] | subprocess.Popen[bytes] | None) -> None:
    if process is None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    process.wait()
    if process.stdout is not None:
        process.stdout.close()
