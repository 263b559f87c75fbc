"""What the process of a dashboard in a browser cannot do to the machine that it runs on."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from omium.config import Settings
from omium.tui.app import DashboardApp
from tests.tui.served_web import press, read_until, serve_web
from tests.tui.test_keys import with_actions

pytestmark = pytest.mark.timeout(300)

TRIES = {
    "a program": "subprocess.run(['true'])",
    "a shell": "os.system('true')",
    "another program in its place": "os.execv('/bin/true', ['true'])",
    "a process of its own": "os.fork()",
    "a spawned process": "os.posix_spawn('/bin/true', ['true'], {})",
    "a terminal": "pty.spawn('true')",
    "a new file": "open('new', 'w')",
    "a new file by its number": "os.open('new', os.O_WRONLY | os.O_CREAT)",
    "a file that is there": "open('there', 'a')",
    "a file to read and write": "open('there', 'r+')",
    "a file by its path": "pathlib.Path('there').write_text('x')",
    "a temporary file": "tempfile.mkstemp(dir='.')",
    "a folder": "os.mkdir('folder')",
    "a removed file": "os.remove('there')",
    "a renamed file": "os.rename('there', 'new')",
    "a link": "os.symlink('there', 'new')",
    "a shortened file": "os.truncate('there', 0)",
    "a file for others": "os.chmod('there', 0o777)",
}


@pytest.fixture(scope="module")
def refusals(tmp_path_factory):
    """What was refused of TRIES, by a process that is confined as that of a dashboard."""
    folder = tmp_path_factory.mktemp("confined")
    (folder / "there").write_text("as it was")
    program = "import os, pathlib, pty, subprocess, tempfile\n"
    program += "from omium.tui.web.confine import confine\nconfine()\n"
    for what, code in TRIES.items():
        program += f"try:\n    {code}\nexcept PermissionError:\n    print({what!r}, flush=True)\n"
    program += "print(open('there').read())\n"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert [each.name for each in folder.iterdir()] == ["there"]
    return done.stdout.splitlines()


@pytest.mark.parametrize("what", TRIES)
def test_it_cannot_make(refusals, what):
    assert what in refusals


def test_it_reads_files_and_they_stay_as_they_were(refusals):
    assert refusals[-1] == "as it was"


@pytest.mark.parametrize("read_only", [False, True])
def test_no_page_offers_what_would_touch_the_machine(read_only):
    app = DashboardApp(None, in_browser=True, read_only=read_only)
    local = [action for kind in with_actions() for action in kind.ACTIONS if action.local]
    assert {"edit", "bundle", "write", "open_file", "in_editor"} <= {action.name for action in local}
    assert not [action for action in local if app.offers(action)]


async def test_every_page_opens_in_a_process_that_is_confined(running_server):
    settings = Settings(base_url=running_server.base_url, api_key=running_server.api_key)
    async with serve_web(settings, read_only=True) as web:
        await web.ask("GET", web.dashboard.new_link())
        opened = await web.open_socket()
        await read_until(opened, b"Recent executions")
        (pid,) = children_of(os.getpid())
        assert re.search("Max file size +0 +0 ", Path(f"/proc/{pid}/limits").read_text())  # noqa: ASYNC240
        for key, words in PAGES.items():
            await press(opened, key)
            await read_until(opened, words)
        assert children_of(pid) == []
        assert written_by(pid) == []
        await opened.close()


PAGES = {
    "2": b"Nothing has run yet",
    "3": b"Nothing is open.",
    "4": b"No workflows yet",
    "5": b"The last 7 days",
    "6": b"Spent of its cap",
    "7": b"credits a dollar",
    "8": b"Quickstart",
    "9": b"No worker is there",
    "0": b"only API keys act here",
}
"""What the pages show of a fresh server."""


def children_of(pid):
    """The dashboards that a process has started."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    return [each for each in found if b"omium.tui.web.child" in Path(f"/proc/{each}/cmdline").read_bytes()]


def written_by(pid):
    """The files that a process has open for writing."""
    found = []
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        flags = Path(f"/proc/{pid}/fdinfo/{descriptor.name}").read_text()
        mode = int(flags.split("flags:")[1].split()[0], 8)
        if descriptor.is_file() and mode & os.O_ACCMODE != os.O_RDONLY:
            found.append(descriptor.readlink())
    return found
