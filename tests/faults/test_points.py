"""A server that is killed at each of its writes, syncs, truncations and unlinks, one after the other."""

import asyncio
import re
import shutil
from collections import Counter

import pytest

from tests.faults import programs
from tests.faults.forks import Forked, needs_strace
from tests.faults.life import EVENTS, life_id, make_folder, open_life

CALLS = ("pwrite64", "fdatasync", "fsync", "ftruncate", "unlink", "unlinkat")
FILES = ("omium.sqlite", "omium.sqlite-wal", "omium.sqlite-shm", "omium.sqlite-journal")

pytestmark = needs_strace


@pytest.fixture
async def folder(tmp_path):
    """A server's folder with a tenant, whose server is stopped."""
    await make_folder(tmp_path / "made")
    return tmp_path / "made"


def strace(data, trace, inject=None):
    names = ",".join(CALLS)
    paths = [part for name in FILES for part in ("-P", str(data / name))]
    options = ["-e", f"inject={inject}"] if inject else []
    return ["strace", "-f", "-o", str(trace), *paths, "-e", f"trace={names}", *options]


def list_points(folder, tmp_path, program, *arguments):
    """Run a program unharmed; return every (call, number of it) that it makes on the database."""
    data, trace = tmp_path / "counted", tmp_path / "trace"
    shutil.copytree(folder, data)
    child = Forked(program, data, *arguments, log=tmp_path / "log", under=strace(data, trace))
    code, _ = child.finish()
    assert code == 0, (tmp_path / "log").read_text()
    counts = Counter(re.findall(r"^\d+ +(\w+)\(", trace.read_text(), re.MULTILINE))
    return [(call, number + 1) for call in CALLS for number in range(counts[call])]


def choose(gate, points, short):
    """Return all points in the long form; in the short one the rare calls, and some of the many writes."""
    if (wanted := gate.rounds(short, len(points))) >= len(points):
        return points
    rare = [point for point in points if point[0] != "pwrite64"]
    many = [point for point in points if point[0] == "pwrite64"]
    gate.random.shuffle(rare)
    gate.random.shuffle(many)
    return rare[: wanted // 2] + many[: wanted - min(len(rare), wanted // 2)]


def kill_at(point, folder, tmp_path, program, *arguments):
    """Run a program on a copy of `folder` until it is killed at `point`; return the copy and its output.

    A run may get by with one write less than the one that was counted: then it ends by itself.
    """
    call, number = point
    data = tmp_path / "killed"
    shutil.rmtree(data, ignore_errors=True)
    shutil.copytree(folder, data)
    under = strace(data, "/dev/null", f"{call}:signal=SIGKILL:when={number}")
    child = Forked(program, data, *arguments, log=tmp_path / "log", under=under)
    code, output = child.finish()
    assert code in {-9, 0}, (tmp_path / "log").read_text()
    return data, output, code == -9


async def look(data, acknowledged, executions):
    """Open the folder as a restart would; return what is wrong with what is in it."""
    async with open_life(data) as life:
        if problems := await life.list_problems():
            return str(problems)
        for number in range(executions):
            execution_id = life_id(number)
            if wrong := await life.look(execution_id, acknowledged.count(execution_id)):
                return wrong
    return None


async def try_points(gate, folder, tmp_path, *program):
    executions = gate.rounds(short=1, long=5)
    points = await asyncio.to_thread(list_points, folder, tmp_path, *program, executions)
    gate.figure("points of the scenario", len(points))
    assert len(points) > len(EVENTS) * executions * 4
    for number, point in enumerate(chosen := choose(gate, points, short=40), start=1):
        data, output, killed = await asyncio.to_thread(kill_at, point, folder, tmp_path, *program, executions)
        wrong = await look(data, output, executions)
        gate.lost(wrong is not None, f"{point}: {wrong}")
        gate.tried(int(killed), "points")
        gate.show_progress(number, len(chosen))
        if gate.bug is not None and gate.losses:
            return
    assert gate.count > len(chosen) * 0.8, "most points were not reached"


@pytest.mark.gate(
    promise="Wherever the server dies, what it acknowledged is there, nothing is half done, work goes on.",
    fault="SIGKILL at every write, sync, truncation and unlink while executions are started, written and"
    " failed, and while the database is closed",
)
async def test_a_server_may_die_at_every_write_and_sync(gate, folder, tmp_path):
    await try_points(gate, folder, tmp_path, programs.live)


@pytest.mark.planted(
    bug="Every statement commits by itself", gate="test_a_server_may_die_at_every_write_and_sync"
)
async def test_the_gate_catches_what_is_half_done(trial, folder, tmp_path):
    await try_points(trial, folder, tmp_path, programs.live_with, "commit-each-statement")
