"""A real browser without a window, told what to do through its own debugging protocol.

    with open_chromium(folder) as browser:
        browser.go(link)
        browser.press("3")
        print(browser.text)

The terminal draws on a canvas, so what it shows is read from its own cells: a script that runs before those
of the page keeps hold of it. The event loop stands still between calls, so tests read as a person acts: one
thing after another.
"""

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

PATIENCE_S = 120
LOOK_EVERY_S = 0.1
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
REQUIRED = "OMIUM_REQUIRE_CHROMIUM"
KEYS = {
    "enter": ("Enter", 13, "\r"),
    "esc": ("Escape", 27, ""),
    "tab": ("Tab", 9, ""),
    "space": (" ", 32, " "),
    "up": ("ArrowUp", 38, ""),
    "down": ("ArrowDown", 40, ""),
    "backspace": ("Backspace", 8, ""),
}
CTRL, SHIFT = 2, 8
HOLD = """
Object.defineProperty(Object.prototype, "terminal", {
  configurable: true,
  set(terminal) {
    Object.defineProperty(this, "terminal", {value: terminal, writable: true, configurable: true});
    if (terminal && terminal.buffer) window.omiumTerminal = terminal;
  },
});
"""
"""Whoever gets a terminal first shows it to us; the page itself shows it to nobody."""
CELLS = """
(() => {
  const terminal = window.omiumTerminal;
  if (!terminal) return "";
  const lines = [];
  for (let y = 0; y < terminal.rows; y++) {
    const line = terminal.buffer.active.getLine(y);
    if (COLOURED) {
      for (let x = 0; x < terminal.cols; x++) {
        const cell = line.getCell(x);
        lines.push(cell.getChars(), cell.getFgColor(), cell.getBgColor(), cell.isBold(), cell.isInverse());
      }
    }
    else lines.push(line.translateToString(true));
  }
  return lines.join(COLOURED ? " " : "\\n");
})()
"""


def find_chromium() -> str:
    """Return the browser's program; skips the test without one, unless it is required."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        if os.environ.get(REQUIRED):
            pytest.fail(f"There is no Chromium, and {REQUIRED} is set.")
        pytest.skip("there is no Chromium on this machine")
    return found


class BetweenPages(Exception):
    """The page that was asked is being left for another."""


class Browser:
    """One page of a browser."""

    def __init__(self, runner: asyncio.Runner, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._runner = runner
        self._socket = socket
        self._calls = 0
        self.requests: list[str] = []
        """The address of everything that the page asked for."""
        self.complaints: list[str] = []
        """What the page logged as an error, such as something that its policy forbids."""

    def call(self, method: str, **parameters: object) -> dict[str, object]:
        """Have the browser do something; return its answer."""
        return self._runner.run(self._call(method, parameters))

    def go(self, address: str) -> None:
        self.call("Page.navigate", url=address)

    def evaluate(self, script: str) -> object:
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Press one key by its name: `enter`, `shift+tab`, `ctrl+s`, or a character."""
        self.evaluate("document.querySelector('.xterm-helper-textarea')?.focus()")
        *held, plain = key.split("+") if len(key) > 1 else [key]
        name, code, text = KEYS.get(plain, (plain, ord(plain.upper()[0]), plain))
        modifiers = sum({"ctrl": CTRL, "shift": SHIFT}[each] for each in held)
        if modifiers & CTRL:
            text = ""
        common = {"key": name, "windowsVirtualKeyCode": code, "modifiers": modifiers}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, unmodifiedText=text, **common)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    @property
    def text(self) -> str:
        """What the terminal shows; nothing before there is one."""
        return self._read(CELLS.replace("COLOURED", "false"))

    @property
    def drawn(self) -> str:
        """What the terminal shows, with its colours."""
        return self._read(CELLS.replace("COLOURED", "true"))

    @property
    def page(self) -> str:
        """The words of the page outside of its terminal that are to be seen now."""
        seen = "each.id != 'terminal' && each.getClientRects().length"
        others = f"[...document.body.children].filter(each => {seen})"
        return self._read(f"{others}.map(each => each.innerText).join(' ')")

    def until_page(self, words: str) -> None:
        """Wait until the page says `words` outside of its terminal."""
        until = time.monotonic() + PATIENCE_S
        while words not in self.page:
            assert time.monotonic() < until, f"{words!r} does not come:\n{self.page}\n{self.complaints}"
            time.sleep(LOOK_EVERY_S)

    def _read(self, script: str) -> str:
        try:
            return str(self.evaluate(script))
        except BetweenPages:
            return ""

    async def _call(self, method: str, parameters: dict[str, object]) -> dict[str, object]:
        self._calls += 1
        number = self._calls
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        async with asyncio.timeout(PATIENCE_S):
            while True:
                told = json.loads((await self._socket.receive()).data)
                self._note(told)
                if told.get("id") == number:
                    if "navigated" in told.get("error", {}).get("message", ""):
                        raise BetweenPages
                    assert "error" not in told, told
                    return told["result"]

    def _note(self, told: dict[str, object]) -> None:
        parameters = told.get("params", {})
        if told.get("method") == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif told.get("method") == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.complaints.append(parameters["entry"]["text"])


@contextlib.contextmanager
def open_chromium(folder: Path, width: int = 1000, height: int = 640) -> Iterator[Browser]:
    """Start a browser with a profile in `folder`, and a page of so many pixels."""
    process = subprocess.Popen(
        [
            find_chromium(),
            "--headless=new",
            "--no-sandbox",  # tests run as root in containers
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--remote-debugging-port=0",
            f"--user-data-dir={folder / 'chromium'}",
            "about:blank",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        port = _read_port(folder / "chromium" / "DevToolsActivePort")
        with asyncio.Runner() as runner:
            session, socket = runner.run(_connect(port))
            try:
                browser = Browser(runner, socket)
                for domain in ("Page", "Network", "Runtime", "Log"):
                    browser.call(f"{domain}.enable")
                browser.call(
                    "Emulation.setDeviceMetricsOverride",
                    width=width, height=height, deviceScaleFactor=1, mobile=False,
                )  # fmt: skip
                browser.call("Page.addScriptToEvaluateOnNewDocument", source=HOLD)
                yield browser
            finally:
                runner.run(session.close())
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE_S)


async def _connect(port: int) -> tuple[aiohttp.ClientSession, aiohttp.ClientWebSocketResponse]:
    session = aiohttp.ClientSession()
    try:
        async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
            pages = await answer.json()
        address = next(page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page")
        return session, await session.ws_connect(address, max_msg_size=0)
    except BaseException:
        await session.close()
        raise


def _read_port(file: Path) -> int:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        with contextlib.suppress(FileNotFoundError, IndexError, ValueError):
            return int(file.read_text().split()[0])
        time.sleep(LOOK_EVERY_S)
    raise AssertionError("the browser does not start")
