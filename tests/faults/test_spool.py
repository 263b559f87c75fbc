"""A driver without its server, killed and cut off from power: what it recorded arrives, in its order."""

import json
import shutil
from pathlib import Path

import pytest

from omium.sdk.sealing import load_key
from omium.sdk.spool import SpoolFile
from tests.faults.drivers import Crew, crew_of, record_in_spool, run_offline, send_what_is_left, until
from tests.faults.forks import Forked, needs_strace
from tests.faults.power_cut import STRACE, list_cuts
from tests.faults.proxy import Proxy

AT_ONCE = 5


def kill_offline(gate, running, folder, bug: str = "") -> None:
    """Kill drivers that record without their server, tear the last frame, and let another process send."""
    network = Proxy(running.port)
    network.cut()
    with crew_of(running, folder) as crew:
        orders = [f"{folder.name}x{number}" for number in range(AT_ONCE)]
        drivers = [crew.start(run_offline, network.url, order) for order in orders]
        for driver, order in zip(drivers, orders, strict=True):
            enough = gate.random.randrange(3, 40)
            until(lambda order=order, enough=enough: len(crew.noted(order)) >= enough, "the moment to kill")
            driver.kill()
        for driver in drivers:
            driver.finish()
        files = sorted((folder / "config" / "spool").glob("*.spool"))
        gate.lost(len(files) != AT_ONCE, f"{len(files)} files of {AT_ONCE} executions")
        for file in files:
            tear(gate, file)
        network.heal()
        code, _ = crew.start(send_what_is_left, network.url, bug).finish()
        gate.lost(code != 0, "the next process could not send what was left")
        gate.tried(AT_ONCE, "kills")
        for order in orders:
            look(gate, crew, order)
        left = [str(file.name) for file in (folder / "config" / "spool").rglob("*.spool")]
        gate.lost(len(left), f"left behind: {left}")
    network.close()


def tear(gate, file) -> None:
    """Add what a write that was cut short can leave: a part of a frame, zeros, or nothing."""
    content = file.read_bytes()
    first = content[40:]  # frames begin behind magic and salt
    torn = (b"", first[: gate.random.randrange(1, 16)], bytes(gate.random.randrange(1, 200)))
    with file.open("ab") as appended:
        appended.write(gate.random.choice(torn))


def look(gate, crew: Crew, order: str) -> None:
    """Compare what the server has of an execution with what its driver was promised."""
    promised = [int(what.partition("-")[2]) for _, what, _ in crew.noted(order)]
    listed = crew.asking.get(f"/v1/executions?workflow=offline-{order}&limit=10")["items"]
    if len(listed) != 1:
        gate.lost(1, f"{order} is there {len(listed)} times")
        return
    events = [each for each in crew.asking.events(listed[0]["id"]) if each["type"] == "step.completed"]
    arrived = [int(each["data"]["path"].partition("#")[2] or 1) - 1 for each in events]
    gate.lost(len(set(promised) - set(arrived)), f"{order}: {promised} were promised, {arrived} arrived")
    gate.lost(arrived != list(range(len(arrived))), f"{order}: the order is {arrived}")
    gate.lost(
        max(0, len(arrived) - len(promised) - 1), f"{order}: {arrived}, though only {promised} happened"
    )


@pytest.mark.gate(
    promise="What a relaxed driver records without its server arrives when it is back, once, in its order.",
    fault="SIGKILL of drivers whose server is away, and a torn last frame in their spool.",
)
def test_what_was_recorded_offline_survives_a_kill_and_arrives_in_order(gate, serve, tmp_path):
    running = serve()
    for number in gate.paced(short=2, long=40):
        kill_offline(gate, running, tmp_path / f"crew{number}")


@pytest.mark.planted(
    bug="The newest is sent first", gate="test_what_was_recorded_offline_survives_a_kill_and_arrives_in_order"
)
def test_the_gate_catches_records_that_are_sent_out_of_order(trial, serve, tmp_path):
    kill_offline(trial, serve(), tmp_path / "crew", bug="newest-first")


def cut_power(gate, tmp_path, records: int, bug: str = "") -> None:
    """Look at what the disk has of a spool at every record that its driver was promised."""
    folder, trace = tmp_path / "config", tmp_path / "trace"
    folder.mkdir()
    child = Forked(
        record_in_spool, folder, records, bug, log=tmp_path / "log", under=[*STRACE, "-o", str(trace)]
    )
    code, _ = child.finish()
    assert code == 0, (tmp_path / "log").read_text()
    key = load_key(folder)
    promised = 0
    for line, files in list_cuts(trace):
        promised += line.startswith("recorded")
        if not promised:
            continue
        (path,) = [path for path in files if path.endswith(".spool")]
        for chance in (None, gate.random):
            left = tmp_path / "left" / Path(path).name
            shutil.rmtree(left.parent, ignore_errors=True)
            left.parent.mkdir()
            left.write_bytes(files[path].after_power_cut(chance))
            found = read_numbers(left, key)
            gate.lost(len(found) < promised, f"{promised} were promised, {len(found)} are left")
            gate.lost(found != list(range(len(found))), f"the order is {found}")
        gate.tried(1, "acknowledgements")
        if gate.bug is not None and gate.losses:
            return


def read_numbers(path, key: bytes) -> list[int]:
    file = SpoolFile.take_over(path, key)
    assert file is not None
    numbers = []
    try:
        for _, frame in file.unsent():
            body = json.loads(frame.partition(b',"body":')[2][:-1])
            numbers.append(body["state"])
    except ValueError:  # not readable from here on
        pass
    finally:
        file.close()
    return numbers


@needs_strace
@pytest.mark.gate(
    promise="What a relaxed driver has recorded is in its spool after a power cut.",
    fault="The disk keeps what was synced, of the rest none or any; looked at after every record.",
)
def test_a_power_cut_loses_nothing_that_was_recorded_offline(gate, tmp_path):
    cut_power(gate, tmp_path, gate.rounds(short=60, long=2_000))


@needs_strace
@pytest.mark.planted(
    bug="A spool without syncs", gate="test_a_power_cut_loses_nothing_that_was_recorded_offline"
)
def test_the_gate_catches_a_spool_without_syncs(trial, tmp_path):
    cut_power(trial, tmp_path, 20, bug="spool-without-sync")
