"""A wall clock that jumps: no lease ends by it, and each timer fires once."""

import json
import time
from dataclasses import dataclass

import pytest

from omium.clock import ManualClock
from omium.errors import Problem
from omium.server.db.open import open_database
from omium.server.engine.parts import EngineParts
from omium.server.engine.values import Vault
from omium.server.seal import KeyFile
from omium.server.store.tenants import insert_tenant
from tests.engine.harness import Engine, Run, principal
from tests.faults.drivers import crew_of, serve_orders, until
from tests.faults.planted import plant
from tests.serverfixture import RunningServer

HOUR_S = 3_600
ENDED = ("completed", "failed", "paused")
STEPS_S = (-30 * 24 * HOUR_S, -HOUR_S, -31, -1, 1, 31, HOUR_S, 30 * 24 * HOUR_S, 400 * 24 * HOUR_S)
DRIVERS, TIMERS, TURNS = 3, 6, 12


@dataclass
class Timer:
    run: Run
    wake_at_us: int
    fired: int = 0


async def open_engine(database_url, clock, tmp_path) -> Engine:
    db = await open_database(database_url, clock=clock)
    tenant = await db.write(lambda tx: insert_tenant(tx, "test"))
    stranger = await db.write(lambda tx: insert_tenant(tx, "test"))
    parts = EngineParts(db, Vault(KeyFile.open(tmp_path / "keys")))
    return Engine(parts, clock, principal(tenant.id), principal(stranger.id, "key_other"))


async def jump(gate, engine: Engine, rounds: int) -> None:
    """Let time pass and jump in turns, with drivers that beat, one that does not, and timers."""
    clock = engine.clock
    for _ in range(rounds):
        drivers = [await engine.worker_run() for _ in range(DRIVERS)]
        silent, silent_since_us = await engine.worker_run(), clock.boot_us()
        timers = []
        for _ in range(TIMERS):
            run = await engine.worker_run("later")
            wake_at_us = clock.now_us() + gate.random.randrange(1, 3 * HOUR_S) * 1_000_000
            await run.wait(wake_at_us=wake_at_us)
            timers.append(Timer(run, wake_at_us))
        for _ in range(TURNS):
            if gate.random.random() < 0.7:
                clock.step_wall(gate.random.choice(STEPS_S))
            else:
                clock.advance(gate.random.uniform(0, engine.parts.policy.heartbeat_s))
            await engine.sweep()
            await look_at_leases(gate, engine, drivers, silent, clock.boot_us() - silent_since_us)
            await look_at_timers(gate, engine, timers)
            for driver in drivers:
                try:
                    await driver.heartbeat()
                except Problem as problem:
                    gate.lost(1, f"a beat was refused: {problem}")
        gate.tried(TURNS, "steps of the clock")
        if gate.bug is not None and gate.losses:  # it is caught; what it has left may have ended, too
            return
        for each in [*drivers, silent, *(timer.run for timer in timers)]:
            await engine.cancel(each.id)
        await engine.expire()


async def look_at_leases(gate, engine: Engine, drivers, silent: Run, silent_us: int) -> None:
    for driver in drivers:
        row = await engine.row(driver.id)
        gate.lost(row.status != "running" or row.interruptions > 0, f"a driver that beats is {row.status}")
    policy = engine.parts.policy
    is_over = silent_us > (policy.lease_s + policy.grace_s) * 1_000_000
    row = await engine.row(silent.id)
    gate.lost((row.status == "queued") != is_over, f"a silent driver is {row.status} after {silent_us} us")


async def look_at_timers(gate, engine: Engine, timers: list[Timer]) -> None:
    for timer in timers:
        events = await engine.event_types(timer.run.id)
        fired = events.count("execution.queued")
        is_due = engine.clock.now_us() >= timer.wake_at_us
        gate.lost(fired > 1, f"a timer fired {fired} times")
        gate.lost(fired > timer.fired and not is_due, "a timer fired before its time")
        gate.lost(is_due and fired == 0, "a timer that is due did not fire")
        timer.fired = fired


@pytest.mark.gate(
    promise="A wall clock that jumps ends no lease, and every timer fires once, when its time has come.",
    fault="Steps of the wall clock from a second to a year, in both directions, between sweeps and beats.",
)
async def test_a_clock_that_jumps_ends_no_lease_and_doubles_no_timer(gate, tmp_path, database_url):
    engine = await open_engine(database_url, ManualClock(), tmp_path)
    try:
        await jump(gate, engine, gate.rounds(short=5, long=500))
    finally:
        await engine.db.close()


@pytest.mark.planted(
    bug="Leases on the wall clock", gate="test_a_clock_that_jumps_ends_no_lease_and_doubles_no_timer"
)
async def test_the_gate_catches_leases_on_the_wall_clock(trial, tmp_path, monkeypatch):
    plant("leases-on-the-wall-clock", monkeypatch)
    engine = await open_engine(str(tmp_path / "omium.sqlite"), ManualClock(), tmp_path)
    try:
        await jump(trial, engine, 5)
    finally:
        await engine.db.close()


def jump_beside_workers(gate, running, offset, folder, seconds: float) -> None:
    """Let workers work and a timer wait on a real server, and step its clock meanwhile."""
    with crew_of(running, folder) as crew:
        crew.start(serve_orders, running.base_url, 4)
        ids = [crew.queue(f"j{number}", 15) for number in range(4)]
        timer = wait_for_an_hour(crew)
        until(crew.noted, "the workers' start")
        ends_at_s = time.monotonic() + seconds
        while time.monotonic() < ends_at_s:
            step_s = gate.random.choice([step for step in STEPS_S if abs(step) > HOUR_S])
            offset.write_text(str(step_s * 1_000_000_000))
            gate.tried(1, "steps of the clock")
            time.sleep(0.05)
        offset.write_text(str(2 * HOUR_S * 1_000_000_000))
        until(lambda: crew.asking.status(timer) != "waiting", "the timer")
        until(lambda: all(crew.asking.status(each) in ENDED for each in ids), "the end of all")
        ended = [crew.asking.status(each) for each in ids]
        gate.lost(len(ids) - ended.count("completed"), f"they ended as {ended}")
        interrupted = [each for each in ids if crew.asking.detail(each)["interruptions"]]
        gate.lost(len(interrupted), f"{len(interrupted)} drivers were lost")
        gate.lost(len(twice := crew.paid_more_than_once()), f"paid twice: {twice}")
        fired = [each for each in crew.asking.events(timer) if each["type"] == "execution.queued"]
        gate.lost(len(fired) != 1, f"the timer fired {len(fired)} times")
    offset.write_text("0")


def wait_for_an_hour(crew) -> str:
    """Queue an execution, claim it as a worker, and let it wait for an hour."""
    ask = crew.asking.post
    start = {"workflow": "later", "driver": "worker", "input_digest": "0" * 64}
    timer = str(ask("/v1/executions", start).json()["id"])
    process = {"boot_id": "b", "pid_namespace": "n", "pid": 1, "started_ticks": 1}
    claim = {"worker_id": "by-hand", "workflows": ["later"], "process": process, "wait_s": 0}
    (grant,) = ask("/v1/workers/claim", claim).json()["grants"]
    wake_at_us = time.time_ns() // 1000 + HOUR_S * 1_000_000
    wait = {"type": "execution.waits", "reason": "timer", "wake_at_us": wake_at_us}
    lease = {"execution_id": timer, "epoch": grant["epoch"], "lease_token": grant["lease_token"]}
    reply = ask("/v1/writes", {"groups": [lease | {"writes": [wait]}]})
    assert reply.status_code == 200, reply.text
    assert crew.asking.status(timer) == "waiting", json.dumps(reply.json())
    return timer


@pytest.mark.gate(
    promise="Workers of a server whose clock is set go on as if nothing had happened.",
    fault="The wall clock of a running server stepped by hours and months, up to twenty times a second.",
)
def test_workers_do_not_notice_that_their_servers_clock_jumps(gate, tmp_path):
    jump_often(gate, tmp_path)


def jump_often(gate, tmp_path, bug="", *, short=1):
    offset = tmp_path / "offset"
    offset.write_text("0")
    ballast = {"OMIUM_BALLAST_BYTES": "0"}
    running = RunningServer(tmp_path / "data", ballast, ("-m", "tests.faults.wall_clock", str(offset), bug))
    try:
        running.bootstrap()
        for number in gate.paced(short=short, long=60):
            jump_beside_workers(gate, running, offset, tmp_path / f"crew{number}", 3.0)
    finally:
        running.kill()


@pytest.mark.planted(
    bug="Leases on the wall clock of a server",
    gate="test_workers_do_not_notice_that_their_servers_clock_jumps",
)
def test_the_gate_catches_a_server_that_looks_at_the_wall(trial, tmp_path, long_only):
    jump_often(trial, tmp_path, "leases-on-the-wall-clock", short=40)
