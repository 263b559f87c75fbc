"""Over a slow line that loses, the dashboard answers keys at once; for a slow browser, it waits."""

import asyncio
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from omium.tui.web.gate import Credential
from omium.tui.web.sessions import DashboardProcess
from tests.serverfixture import IN_CLEAR
from tests.tui.driving import open_dashboard
from tests.tui.slow_link import slow_link

pytestmark = pytest.mark.timeout(300)

PATIENCE_S = 120


@asynccontextmanager
async def open_far_away(server, size=(80, 24), **chosen):
    """Open a dashboard at the far end of a line, which is fast until it is held."""
    async with slow_link(server.port) as line:
        line.api_key = server.api_key
        async with open_dashboard(line, size=size, **chosen) as driver:
            try:
                yield driver, line
            finally:
                line.release()


async def until(driver, right):
    """Wait until something holds, while the dashboard lives."""
    async with asyncio.timeout(PATIENCE_S):
        while not right():
            await driver.pilot.pause(0.01)


def start_an_execution(server):
    answer = httpx.post(
        f"{server.base_url}/v1/executions",
        json={"workflow": "nightly", "driver": "worker", "input_digest": "0" * 64, "input": {}},
        headers={**server.headers, "idempotency-key": "one"},
        verify=IN_CLEAR,
    )
    assert answer.status_code == 200, answer.text
    return answer.json()["id"]


async def test_while_answers_take_their_time_pages_change_and_say_that_they_load(running_server):
    async with open_far_away(running_server) as (driver, line):
        await driver.until("● live")
        line.hold()
        for key, title in {"2": " Executions ", "6": " Keys ", "3": " Failures ", "0": " Settings "}.items():
            await driver.pilot.press(key)
            await driver.until(title)
            await driver.until("Loading")
        await until(driver, lambda: line.waiting > 0)
        await driver.pilot.press("question_mark")
        await driver.until("Keys: Settings")
        await driver.pilot.press("escape")
        await until(driver, lambda: "Keys: Settings" not in driver.text)
        await driver.pilot.press("2")
        await driver.until("Loading")
        line.release()
        await driver.until("Nothing has run yet")
        driver.expect_not("Loading")
        for key, words in {"6": "owner", "3": "Nothing is open", "0": "only API keys act here"}.items():
            await driver.pilot.press(key)
            await driver.until(words)


async def test_what_is_typed_while_an_answer_is_awaited_is_there_when_it_has_come(running_server):
    start_an_execution(running_server)
    async with open_far_away(running_server, start="executions") as (driver, line):
        await driver.until("nightly")
        line.hold()
        await driver.pilot.press("slash")
        await driver.until("esc drop it")
        for key in "nightly":
            await driver.pilot.press(key)
        await driver.until("nightly")
        await driver.pilot.press("enter")
        line.release()
        await driver.until("queued")
        driver.expect("nightly")


async def test_the_late_answer_of_a_page_that_was_left_is_dropped(running_server):
    execution = start_an_execution(running_server)
    async with open_far_away(running_server, start="executions") as (driver, line):
        await driver.until("nightly")
        line.hold()
        await driver.pilot.press("enter")
        await driver.until(f"Executions / {execution}"[:20])
        left = driver.app.screen
        await until(driver, lambda: line.waiting > 0)
        await driver.pilot.press("escape")
        await until(driver, lambda: driver.app.screen is not left)
        assert not [each for each in driver.app.workers if each.node is left and not each.is_finished]
        line.release()
        await driver.settle()
        assert not left.is_attached
        await driver.until("● live")
        driver.expect("nightly", "queued")
        assert driver.notices == []


async def test_over_a_line_that_loses_every_page_comes_in_the_end(running_server):
    async with open_far_away(running_server) as (driver, line):
        await driver.until("● live")
        line.break_every(3)
        for key, words in {"2": "Nothing has run yet", "6": "owner", "3": "Nothing is open"}.items():
            await driver.pilot.press(key)
            for _ in range(20):
                await driver.settle()
                if words in driver.text:
                    break
                await driver.pilot.press("ctrl+r")
            driver.expect(words)
        line.break_every(0)
        await driver.until("● live")


# ------------------------------------------------------------------------------ a browser
DRAWS = """
import os, sys
print("__GANGLION__", flush=True)
packet = b"D" + (1024).to_bytes(4, "big") + b"x" * 1024
for _ in range(64 * 1024):
    os.write(1, packet)
"""


class Endless(DashboardProcess):
    """A dashboard that draws 64 MiB, as fast as it is let."""

    async def _open_app_process(self, width=80, height=24):
        self._process = process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", DRAWS,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        self._stdin = process.stdin
        return process


async def test_a_browser_that_reads_nothing_has_its_dashboard_wait(tmp_path):
    reads, passed = asyncio.Event(), []

    async def write(data):
        passed.append(len(data))
        await reads.wait()

    async def close():
        passed.append("closed")

    process = Endless(
        Credential("http://127.0.0.1:9", ""), read_only=False, config_folder=str(tmp_path),
        write_bytes=write, write_str=write, close=close, log_out=lambda: None,
    )  # fmt: skip
    await process.start(80, 24)
    try:
        drawn = await drawn_until_it_waits(process._process)
        assert passed == [1024]
        assert drawn < 2**20
        reads.set()
        async with asyncio.timeout(PATIENCE_S):
            await process._process.wait()
            await process._task
        assert sum(passed[:-1]) == 2**26
        assert passed[-1] == "closed"
    finally:
        await process.stop()


async def drawn_until_it_waits(process):
    """Return how many bytes a process has written when it writes no more; all of them, if it never waits."""
    drawn = before = -1
    for _ in range(PATIENCE_S):
        drawn = written_by(process.pid)
        if (drawn == before and drawn > 2**15) or process.returncode is not None:
            break
        before = drawn
        await asyncio.sleep(0.5)
    return drawn


def written_by(pid):
    return int(Path(f"/proc/{pid}/io").read_text().split("wchar: ")[1].split()[0])
