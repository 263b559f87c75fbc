"""Processes: a server of Omium on loopback, and contenders that measure themselves, each on its own.

Owns starting and ending them, their folders, and finding what `make bench-peers` installed. The folders are
on /var/tmp where there is one: /tmp may be memory, where a sync costs nothing.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.rows import Missing
from omium.folders import bootstrap_token_file

ROOT = Path(__file__).resolve().parent.parent
PEERS_PYTHON = ROOT / ".venv-peers" / "bin" / "python"
RESTATE_SERVER = ROOT / ".venv-peers" / "restate" / "node_modules" / ".bin" / "restate-server"
INSTALL_PEERS = "not installed: make bench-peers"
DISK = Path("/var/tmp")
TIMEOUT_S = 120


class Server:
    """`omium serve` with an owner's key. `wrapper` are words before the command, such as strace's."""

    def __init__(
        self, data: Path, environment: Mapping[str, str] | None = None, wrapper: Sequence[str] = ()
    ) -> None:
        self.data = data
        self.environment = {
            **plain_environment(),
            "OMIUM_REQUESTS_PER_KEY_PER_S": "1000000",
            "OMIUM_REQUESTS_PER_TENANT_PER_S": "1000000",
            "OMIUM_STARTER_CREDITS": "1000000000",  # everything is metered, and nobody runs out
            **(environment or {}),
        }
        self.wrapper = wrapper
        self.port = 0
        self.api_key = ""
        self.ready_s = 0.0
        self.start()

    @property
    def base_url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def client_environment(self) -> dict[str, str]:
        """What a client's process needs to reach it."""
        return {
            "OMIUM_BASE_URL": self.base_url,
            "OMIUM_API_KEY": self.api_key,
            "OMIUM_CONFIG_DIR": str(self.data.parent / "config"),
        }

    def start(self) -> None:
        """Start and wait until it says that it is ready; `ready_s` is how long that took."""
        started_s = time.perf_counter()
        command = [sys.executable, "-m", "omium", "serve", "--data", str(self.data), "--port", str(self.port)]
        with (self.data.parent / "server.log").open("a") as log:
            self.process = subprocess.Popen(
                [*self.wrapper, *command],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=self.environment,
                cwd=ROOT,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self.ready_s = time.perf_counter() - started_s
        found = re.search(r"ready at http://.*:(\d+)", line)
        if found is None:
            self.process.wait(TIMEOUT_S)
            log_text = (self.data.parent / "server.log").read_text()
            raise RuntimeError(f"the server did not start: {line!r}\n{log_text}")
        self.port = int(found[1])

    @property
    def pid(self) -> int:
        """The server's own process, below a wrapper, too."""
        pid = self.process.pid
        for _ in self.wrapper[:1]:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            pid = int(children[0])
        return pid

    def bootstrap(self) -> None:
        """Become the owner of a fresh server."""
        token_file = bootstrap_token_file(self.data)
        for _ in range(600):
            if token_file.exists():
                break
            time.sleep(0.05)
        body = {"token": token_file.read_text().strip(), "tenant": "bench"}
        self.api_key = str(self.post("/v1/bootstrap", body)["api_key"])

    def post(self, path: str, body: object) -> dict[str, object]:
        """POST JSON and return the answer."""
        request = urllib.request.Request(
            self.base_url + path,
            json.dumps(body).encode(),
            {
                "content-type": "application/json",
                "authorization": f"Bearer {self.api_key}",
                "idempotency-key": os.urandom(8).hex(),
            },
        )
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as reply:
            answer: dict[str, object] = json.loads(reply.read())
        return answer

    def kill(self) -> None:
        """SIGKILL: no goodbye of any kind."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM, and wait."""
        self._end(signal.SIGTERM)

    def _end(self, number: int) -> None:
        if self.process.poll() is None:
            os.kill(self.pid, number)
        self.process.wait(TIMEOUT_S)
        assert self.process.stdout is not None
        self.process.stdout.close()


def plain_environment() -> dict[str, str]:
    """Return our environment without the ban on compiled bytecode, which doubles what an import costs."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def run_for_cpu_ms(command: Sequence[str | Path]) -> float:
    """Run `command` silently to its end and return the milliseconds of CPU that it took.

    Other people's work on the machine doubles the time on the clock of what only computes, and hardly this.
    """
    process = subprocess.Popen(command, env=plain_environment(), cwd=ROOT, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise subprocess.CalledProcessError(process.returncode, [str(word) for word in command])
    return (usage.ru_utime + usage.ru_stime) * 1000


@contextmanager
def open_folder(place: Path | None = None) -> Iterator[Path]:
    """A folder on a real disk, or in `place`, removed afterwards."""
    if place is None:
        place = DISK if os.access(DISK, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="omium-bench-", dir=place, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@contextmanager
def open_server(
    environment: Mapping[str, str] | None = None, wrapper: Sequence[str] = (), *, place: Path | None = None
) -> Iterator[Server]:
    """A fresh server with an owner, killed afterwards; `place` is where its folder shall be."""
    with open_folder(place) as folder:
        server = Server(folder / "data", environment, wrapper)
        try:
            server.bootstrap()
            yield server
        finally:
            server.kill()


def run_contender(
    module: str,
    arguments: Mapping[str, object],
    *,
    environment: Mapping[str, str] | None = None,
    peer: bool = False,
    wrapper: Sequence[str] = (),
) -> dict[str, float]:
    """Run `benchmarks.contenders.<module>` to its end and return what it printed.

    With `peer` it runs in the peers' environment, and raises `Missing` where there is none.
    """
    if peer and not PEERS_PYTHON.exists():
        raise Missing(INSTALL_PEERS)
    command = [str(PEERS_PYTHON) if peer else sys.executable, "-m", f"benchmarks.contenders.{module}"]
    for name, value in arguments.items():
        command += [f"--{name.replace('_', '-')}", str(value)]
    surroundings = {**plain_environment(), **(environment or {})}
    done = subprocess.run(
        [*wrapper, *command],
        cwd=ROOT,
        env=surroundings,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S * 4,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{module} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found
