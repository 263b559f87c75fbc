"""The dashboard: from its command to its first page, and from a key to what it shows.

    python -m benchmarks.dashboard [--json] [--rounds 3] [--quick]

In a terminal of 120 columns and 40 lines that nobody looks at. Beside the first page: a Textual program that
shows one line. A key is pressed on an execution of 10,000 steps, as `j` in its step tree.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import statistics
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.processes import ROOT, Server, open_folder, open_server, plain_environment
from benchmarks.rows import Goal, Options, Rounds, Row, figure_of, run_module

OMIUM, PAGE = "Omium, first paint", "Omium, its first page with figures"
MINIMAL = "a Textual program of one line"
COLUMNS, LINES = 120, 40
STEPS, KEYS = 10_000, 60
PATIENCE_S = 120
QUIET_S = 0.15

PROGRAM = """
from textual.app import App
from textual.widgets import Static

class Minimal(App):
    def compose(self):
        yield Static("Recent executions")

Minimal().run()
"""
LONG = """
import sys
import omium

@omium.step
def one(number):
    return number

@omium.workflow
def long(count):
    for number in range(count):
        one(number)

long(int(sys.argv[1]))
"""


class Terminal:
    """A program in a terminal of its own."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.started_s = time.perf_counter()
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        self._process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=ROOT,
            env={**environment, "TERM": "xterm-256color", "COLORTERM": "truecolor"},
            start_new_session=True,
        )
        os.close(theirs)
        self._seen = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._ours)

    def until(self, words: str) -> float:
        """Return the seconds from the start until `words` were drawn."""
        while words.encode() not in self._seen:
            if not self._read(PATIENCE_S):
                raise RuntimeError(f"{words!r} did not come: {self._seen[-2000:]!r}")
        return time.perf_counter() - self.started_s

    def press(self, key: str) -> float:
        """Return the seconds from a key to the first of what it draws."""
        self._settle()
        pressed_s = time.perf_counter()
        os.write(self._ours, key.encode())
        if not self._read(PATIENCE_S):
            raise RuntimeError(f"{key!r} draws nothing")
        return time.perf_counter() - pressed_s

    def _settle(self) -> None:
        while self._read(QUIET_S):
            pass

    def _read(self, timeout_s: float) -> bool:
        if not select.select([self._ours], [], [], timeout_s)[0]:
            return False
        chunk = os.read(self._ours, 1 << 16)
        self._seen = (self._seen + chunk)[-(1 << 20) :]
        return bool(chunk)


def measure(options: Options) -> list[Row]:
    """Open the dashboard and the minimal program in turn; press keys on a long execution."""
    rounds = Rounds()
    steps, keys = int(options.choose(STEPS, 50)), int(options.choose(KEYS, 5))
    with open_folder() as folder, open_server() as server:
        minimal = folder / "minimal.py"
        minimal.write_text(PROGRAM)
        rounds.run(
            options.rounds * int(options.choose(3, 1)),
            {
                OMIUM: lambda: open_dashboard(server, "1Overview"),
                PAGE: lambda: open_dashboard(server, "Recent executions"),
                MINIMAL: lambda: open_minimal(minimal),
            },
        )
        key_ms = press_keys(server, folder, steps, keys)
    return [
        Row(
            name="dashboard",
            what="dashboard, from the command to the first paint",
            unit="s",
            figures=[rounds.figure(name) for name in (OMIUM, PAGE, MINIMAL)],
            goals=[Goal(f"beside {MINIMAL}", rounds.ratio(OMIUM, MINIMAL), 1.4, unit=" ×")],
            bound_by="importing Textual; the client, the pages and the server's answers come after",
        ),
        Row(
            name="dashboard_key",
            what=f"dashboard, from a key to what it draws, {steps:,} steps",
            unit="ms",
            figures=[figure_of("Omium", key_ms)],
            goals=[Goal("key to paint", statistics.median(key_ms), 100, unit=" ms")],
            bound_by="Textual's own turn of at most 60 drawings a second",
            remarks=[f"the median of {keys} keys"],
        ),
    ]


def open_dashboard(server: Server, words: str) -> float:
    """Return the seconds from `omium tui` until it has drawn `words`."""
    environment = {**plain_environment(), **server.client_environment}
    with Terminal([sys.executable, "-m", "omium", "tui"], environment) as terminal:
        return terminal.until(words)


def open_minimal(program: Path) -> float:
    """Return the seconds from the start of the minimal program to its line."""
    with Terminal([sys.executable, str(program)], plain_environment()) as terminal:
        return terminal.until("Recent executions")


def press_keys(server: Server, folder: Path, steps: int, keys: int) -> list[float]:
    """Return the milliseconds from each key to what it draws, on an execution of so many steps."""
    script = folder / "long.py"
    script.write_text(LONG)
    environment = {**plain_environment(), **server.client_environment}
    subprocess.run([sys.executable, str(script), str(steps)], env=environment, cwd=folder, check=True)
    listed = subprocess.run(
        [sys.executable, "-m", "omium", "executions", "list", "--json"],
        env=environment,
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    found = re.search(r"ex_[0-9a-z]{26}", listed.stdout)
    assert found is not None, "the long execution is not listed"
    with Terminal([sys.executable, "-m", "omium", "tui", found[0]], environment) as terminal:
        terminal.until("one")
        return [terminal.press("j") * 1000 for _ in range(keys)]


if __name__ == "__main__":
    run_module(measure, __doc__)
