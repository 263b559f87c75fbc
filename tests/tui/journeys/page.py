"""The terminal of the dashboard's browser version, in a real Chromium: the same journeys as in tmux.

with open_page(["omium", "tui"], environment, folder) as terminal:
    terminal.press("3")
    terminal.until("3 failures")
"""

import contextlib
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests import preloaded
from tests.tui.chromium import Browser, open_chromium
from tests.tui.journeys.terminal import PATIENCE_S, Terminal


class PageTerminal(Terminal):
    """A terminal in a page; `link` opens it, once."""

    def __init__(self, browser: Browser, link: str) -> None:
        self.browser = browser
        self.origin = link.partition("/?")[0]
        browser.go(link)

    def type(self, text: str) -> None:
        for character in text:
            self.browser.press(character)

    @property
    def text(self) -> str:
        return self.browser.text

    def until_ended(self) -> int:
        """Wait until the page says that the dashboard has ended, which is well, as far as it knows."""
        self.browser.until_page("The dashboard has ended.")
        return 0

    def _send(self, key: str) -> None:
        self.browser.press(key)

    @property
    def _drawn(self) -> str:
        return self.browser.drawn


@contextlib.contextmanager
def open_page(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> Iterator[PageTerminal]:
    """Serve the dashboard of `command` to browsers, and open it in one."""
    process = preloaded.Popen(
        [*command, "--web", "--port", "0"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        line = process.stdout.readline()
        found = re.search(r"http://localhost:\d+\S*", line)
        assert found, line
        with open_chromium(folder) as browser:
            yield PageTerminal(browser, found[0])
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE_S)
        process.stdout.close()
