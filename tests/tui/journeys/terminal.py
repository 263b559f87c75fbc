"""A real terminal, that of tmux, with a program in it: keys go in as a person presses them, text comes out.

    with open_terminal(["omium", "tui"], environment, folder) as terminal:
        terminal.press("3")
        terminal.until("3 failures")

`Terminal` is any terminal, also that of a browser (page.py); `Tmux` is tmux's. Without tmux the test is
skipped, unless OMIUM_REQUIRE_TMUX is set.
"""

import contextlib
import os
import shlex
import shutil
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

PATIENCE_S = 120
LOOK_EVERY_S = 0.1
ANSWER_S = 2
REQUIRED = "OMIUM_REQUIRE_TMUX"
COLUMNS, ROWS = 100, 30
KEYS = {
    "enter": "Enter",
    "esc": "Escape",
    "tab": "Tab",
    "shift+tab": "BTab",
    "space": "Space",
    "up": "Up",
    "down": "Down",
    "backspace": "BSpace",
}


def require_tmux() -> None:
    """Skip the test without tmux; fail it where tmux is required."""
    if shutil.which("tmux") is None:
        if os.environ.get(REQUIRED):
            pytest.fail(f"There is no tmux, and {REQUIRED} is set.")
        pytest.skip("there is no tmux on this machine")


class Terminal(ABC):
    """One program on one screen."""

    def press(self, *keys: str) -> None:
        """Press keys by their names: `enter`, `shift+tab`, `ctrl+s`, or a character.

        Each waits for a moment until the screen answers, as a person does who looks at it.
        """
        for key in keys:
            before = self._drawn
            self._send(key)
            until = time.monotonic() + ANSWER_S
            while self._drawn == before and time.monotonic() < until:
                time.sleep(LOOK_EVERY_S)

    @abstractmethod
    def type(self, text: str) -> None:
        """Type a text, without looking."""

    @property
    @abstractmethod
    def text(self) -> str:
        """What is on the screen."""

    @abstractmethod
    def until_ended(self) -> int:
        """Wait until the program has ended; return its exit code."""

    @abstractmethod
    def _send(self, key: str) -> None:
        """Press one key."""

    @property
    @abstractmethod
    def _drawn(self) -> str:
        """The screen with its colours, hence with what has the focus."""

    def until(self, words: str) -> None:
        """Wait until the screen holds `words`."""
        self._wait(lambda text: words in text, f"{words!r} does not come")

    def until_gone(self, words: str) -> None:
        """Wait until the screen does not hold `words`."""
        self._wait(lambda text: words not in text, f"{words!r} does not go")

    def _wait(self, right: Callable[[str], bool], sentence: str) -> None:
        until = time.monotonic() + PATIENCE_S
        while not right(text := self.text):
            assert time.monotonic() < until, f"{sentence}:\n{text}"
            time.sleep(LOOK_EVERY_S)


class Tmux(Terminal):
    """A terminal of tmux."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    def type(self, text: str) -> None:
        self._tmux("send-keys", "-l", "--", text)

    @property
    def text(self) -> str:
        return self._tmux("capture-pane", "-p")

    def until_ended(self) -> int:
        ended = self._socket.with_name("ended")
        self._wait(lambda _: ended.exists(), "the program does not end")
        return int(ended.read_text())

    def end(self) -> None:
        """End the terminal, and what runs in it."""
        with contextlib.suppress(AssertionError):  # it has ended with its program
            self._tmux("kill-server")

    def _send(self, key: str) -> None:
        if key.startswith("ctrl+"):
            self._tmux("send-keys", f"C-{key.removeprefix('ctrl+')}")
        elif key in KEYS:
            self._tmux("send-keys", KEYS[key])
        else:
            self.type(key)

    @property
    def _drawn(self) -> str:
        return self._tmux("capture-pane", "-p", "-e")

    def _tmux(self, *command: str) -> str:
        done = subprocess.run(
            ["tmux", "-S", str(self._socket), *command], check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@contextlib.contextmanager
def open_terminal(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> Iterator[Terminal]:
    """Start `command` in a terminal of its own, which ends with the block."""
    require_tmux()
    short = Path(tempfile.mkdtemp(prefix="tmux-"))  # a socket's path has at most a hundred characters
    settings = short / "tmux.conf"
    settings.write_text(
        "set -g remain-on-exit on\nset -s escape-time 0\nset -g status off\n"
        'set -g default-terminal "tmux-256color"\nset -g default-command ""\n'
    )
    terminal = Tmux(short / "socket")
    shell = f"{shlex.join(command)}; echo $? > {short}/code; mv {short}/code {short}/ended"
    sizeless = {name: value for name, value in environment.items() if name not in ("COLUMNS", "LINES")}
    try:
        start = [
            "new-session",
            "-d",
            "-x",
            str(COLUMNS),
            "-y",
            str(ROWS),
            "-c",
            str(folder),
            shell,
        ]
        subprocess.run(
            ["tmux", "-u", "-f", str(settings), "-S", str(short / "socket"), *start],
            check=True,
            env={**sizeless, "LC_ALL": "C.UTF-8", "TERM": "xterm-256color", "SHELL": "/bin/sh"},
            stdin=subprocess.DEVNULL,
        )
        yield terminal
    finally:
        terminal.end()
        shutil.rmtree(short, ignore_errors=True)
