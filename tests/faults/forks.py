"""Processes that start in milliseconds: children of a clean one that has imported the server already.

    child = Forked(serve_child, bug, data, port, environment, log=folder / "log")
    child.read_line(); child.kill(); child.wait()

A gate kills hundreds of servers, and Python's own start would be nine tenths of its time. The clean process
is multiprocessing's fork server, so a child has none of pytest's threads, warnings or open files.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO

import pytest

from tests.faults import planted
from tests.faults.patience import PATIENCE_S
from tests.serverfixture import RunningServer

ANY_TRACER = (0x59616D61, -1)  # PR_SET_PTRACER: some kernels let only a parent trace

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(
    ["tests.faults.forks", "tests.faults.programs", "tests.faults.drivers", "omium.server.serve"]
)

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


class Forked:
    """A child that runs `function(*arguments)`: its standard output here, its standard error in `log`."""

    def __init__(
        self, function: Callable[..., object], *arguments: object, log: Path, under: list[str] | None = None
    ) -> None:
        """Start it, with `under` (strace and its options) only once that looks on."""
        output, child_output = _forks.Pipe(duplex=False)
        child_go, go = _forks.Pipe(duplex=False)
        self._process = _forks.Process(
            target=_run, args=(child_output, child_go, log, function, arguments), daemon=True
        )
        self._process.start()
        for ours in (child_output, child_go):
            ours.close()
        self.output: IO[bytes] = os.fdopen(os.dup(output.fileno()), "rb", buffering=0)
        output.close()
        self._tracer = None if under is None else self._trace(under)
        go.send_bytes(b"go")
        go.close()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.is_alive()

    def read_line(self) -> str:
        """Return the next line of its output, "" at the end."""
        return self.output.readline().decode()

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send it a signal, unless it has ended."""
        if self._process.is_alive():
            os.kill(self.pid, number)

    def wait(self, timeout_s: float = PATIENCE_S) -> int:
        """Return its exit code, the negative signal where it was killed; the output stays readable."""
        self._process.join(timeout_s)
        code = self._process.exitcode
        assert code is not None, f"it did not end within {timeout_s} s"
        self._process.close()
        if self._tracer is not None:
            self._tracer.communicate(timeout=PATIENCE_S)
        return code

    def finish(self, timeout_s: float = PATIENCE_S) -> tuple[int, str]:
        """Wait for its end; return its exit code and what is left of its output."""
        rest = self.output.read()  # type: ignore[call-arg]
        self.output.close()
        return self.wait(timeout_s), rest.decode()

    def _trace(self, under: list[str]) -> subprocess.Popen[bytes]:
        tracer = subprocess.Popen([*under, "-p", str(self.pid)], stderr=subprocess.PIPE)
        assert tracer.stderr is not None
        assert b"attached" in (line := tracer.stderr.readline()), line
        return tracer


def _run(
    output: Connection,
    go: Connection,
    log: Path,
    function: Callable[..., object],
    arguments: tuple[object, ...],
) -> None:
    ctypes.CDLL(None).prctl(*ANY_TRACER)
    with log.open("ab") as errors:
        os.dup2(errors.fileno(), 2)
    os.dup2(output.fileno(), 1)
    output.close()
    go.recv_bytes()
    go.close()
    code = function(*arguments)
    os._exit(code if isinstance(code, int) else 0)


def serve_child(bug: str, data: Path, port: int, environment: dict[str, str]) -> int:
    os.environ.update(environment)
    return planted.main(bug, str(data), str(port))


class DidNotStart(AssertionError):
    """A server ended before it was ready, with `code`."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class ForkedServer(RunningServer):
    """A `RunningServer` whose processes are forked; `start_anew` starts Python, too."""

    def __init__(
        self,
        data: Path,
        environment: dict[str, str],
        bug: str = "",
        under: list[str] | None = None,
        *,
        start: bool = True,
    ) -> None:
        self.bug = bug
        self.under = under
        self._child: Forked | None = None
        self._start_now = start
        super().__init__(data, environment, ("-m", "tests.faults.planted", bug), from_nothing=True)

    def start(self) -> None:
        if self._start_now:
            self.launch()
            self.wait_until_ready()
        self._start_now = True

    def launch(self) -> None:
        """Start, and go on before it is ready."""
        assert self._child is None
        log = self.data.parent / "server.log"
        self._child = Forked(
            serve_child, self.bug, self.data, self.port, self.environment, log=log, under=self.under
        )

    def wait_until_ready(self) -> None:
        """Return once it listens; raises `DidNotStart`."""
        assert self._child is not None
        line = self._child.read_line()
        found = re.search(r"ready at https?://.*:(\d+)", line)
        if found is None:
            raise DidNotStart(self.wait(), f"the server did not start: {line!r}\n{self.log()}")
        self.port = int(found[1])

    def start_anew(self) -> None:
        """Start as a person does, in a Python of its own."""
        super().start()

    @property
    def pid(self) -> int:
        return self._child.pid if self._child is not None else super().pid

    @property
    def is_alive(self) -> bool:
        return self._child is not None and self._child.is_alive

    def restart(self) -> None:
        self.stop()
        self.start()

    def wait(self) -> int:
        """Wait until it has ended by itself; return its exit code."""
        assert self._child is not None
        child, self._child = self._child, None
        return child.finish()[0]

    def _end(self, number: int) -> int:
        if self._child is None:
            return super()._end(number)
        self._child.kill(number)
        return self.wait()
