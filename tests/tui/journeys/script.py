"""Journeys: what a person does with the dashboard, recorded as small text files, and how they are replayed.

A line is a step; what follows a `#` at its beginning is for the reader.

    $ omium tui failures         the first such line opens the dashboard in a terminal: that of tmux,
                                 or that of a browser, as the test will have it
    see 3 failures               wait until the screen holds it
    gone Loading                 wait until the screen does not hold it
    press 3 ctrl+s esc           keys, one after another
    type a long pass phrase      a text into what has the focus
    keep key om_dev_\\S+         the screen's text that fits the pattern, for later lines as <key>
    $ NAME=value python x.py     a command in another terminal, which has to succeed; with & at its end
                                 it goes on until the journey ends
    do mend                      what happens elsewhere: one of the functions that the test gives
    ended                        wait until the program has ended well
"""

import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests import preloaded
from tests.tui.journeys.terminal import PATIENCE_S, Terminal, open_terminal

HERE = Path(__file__).resolve().parent
Opens = Callable[[Sequence[str], Mapping[str, str], Path], AbstractContextManager[Terminal]]
"""Opens the program of a command in a terminal, with an environment, in a folder."""
PROGRAMS = {"omium": [sys.executable, "-m", "omium"], "python": [sys.executable]}


@dataclass(frozen=True, slots=True)
class Line:
    """A step of a journey."""

    number: int
    verb: str
    rest: str


def read_journey(name: str) -> list[Line]:
    """Return the steps of a recorded journey."""
    found = []
    for number, text in enumerate((HERE / f"{name}.txt").read_text().splitlines(), start=1):
        verb, _, rest = text.strip().partition(" ")
        if verb and not verb.startswith("#"):
            found.append(Line(number, verb, rest))
    return found


class Journey:
    """One replay of a recorded journey; close it at its end."""

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str],
        deeds: Mapping[str, Callable[[], object]],
        opens: Opens = open_terminal,
    ) -> None:
        self._folder = folder
        self._environment = environment
        self._deeds = deeds
        self._opens = opens
        self._kept: dict[str, str] = {}
        self._terminal: Terminal | None = None
        self._open = ExitStack()

    def replay(self, name: str) -> None:
        """Go through all steps; raises `AssertionError` with the line and the screen where one fails."""
        for line in read_journey(name):
            try:
                self._step(line.verb, re.sub(r"<(\w+)>", self._put_in, line.rest))
            except AssertionError as error:
                raise AssertionError(
                    f"{name}.txt, line {line.number}: {line.verb} {line.rest}\n{error}"
                ) from None

    def close(self) -> None:
        """End what the journey has begun."""
        self._open.close()

    @property
    def terminal(self) -> Terminal:
        assert self._terminal is not None, "the dashboard has not been opened"
        return self._terminal

    def _step(self, verb: str, rest: str) -> None:
        match verb:
            case "see":
                self.terminal.until(rest)
            case "gone":
                self.terminal.until_gone(rest)
            case "press":
                self.terminal.press(*rest.split())
            case "type":
                self.terminal.type(rest)
            case "keep":
                name, _, pattern = rest.partition(" ")
                found = re.search(pattern, self.terminal.text)
                assert found is not None, f"Nothing fits {pattern}:\n{self.terminal.text}"
                self._kept[name] = found[0]
            case "do":
                self._deeds[rest]()
            case "ended":
                assert self.terminal.until_ended() == 0, self.terminal.text
            case "$":
                self._shell(rest)
            case _:
                raise AssertionError(f"No journey has a step {verb!r}.")

    def _put_in(self, found: re.Match[str]) -> str:
        return self._kept.get(found[1], found[0])

    def _shell(self, text: str) -> None:
        words = shlex.split(text.removesuffix("&"))
        environment = dict(self._environment)
        while "=" in words[0]:
            name, _, environment[name] = words.pop(0).partition("=")
        command = [*PROGRAMS[words[0]], *words[1:]]
        if words[:2] == ["omium", "tui"]:
            self._terminal = self._open.enter_context(self._opens(command, environment, self._folder))
        elif text.endswith("&"):
            process = preloaded.Popen(
                command,
                cwd=self._folder,
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            self._open.callback(process.wait, timeout=PATIENCE_S)
            self._open.callback(process.terminate)
        else:
            process = preloaded.Popen(
                command, cwd=self._folder, env=environment,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
            out, err = process.communicate(timeout=PATIENCE_S)
            assert process.returncode == 0, out + err
