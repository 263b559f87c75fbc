"""Two live drivers of one execution, the network of the first cut and healed: no effect happens twice."""

import time
from collections import Counter

import httpx
import pytest

from tests.acceptance.proxy import Proxy
from tests.sdk.served import Server

TIMES = {
    "OMIUM_LEASE_S": "3",
    "OMIUM_SELF_FENCE_S": "2",
    "OMIUM_HEARTBEAT_S": "0.5",
    "OMIUM_LEASE_GRACE_S": "0.5",
}
DEADLINE_S = 60
HEALED_S = 1.5  # the first driver, healed, gets the time to do something wrong
SCRIPT = """
import os, time, omium

def note(file, what):
    with open(file, "a") as out:
        out.write(f"{what} {os.getpid()}\\n")

@omium.step(effect=True)
def pay(n):
    note("paid.txt", n)
    time.sleep(0.2)
    return f"receipt-{n}"

@omium.step
def think(n):
    note("thought.txt", n)
    time.sleep(0.2)
    return n

@omium.workflow
def orders(n):
    return [pay(think(i)) for i in range(n)]
"""


@pytest.fixture
def served(make_running_server, tmp_path, monkeypatch):
    running = make_running_server(**TIMES)
    running.bootstrap()
    monkeypatch.setenv("OMIUM_BASE_URL", running.base_url)
    monkeypatch.setenv("OMIUM_API_KEY", running.api_key)
    monkeypatch.setenv("OMIUM_CONFIG_DIR", str(tmp_path / "config"))
    return Server(running, tmp_path)


@pytest.fixture
def proxy(served):
    made = Proxy(served.running.port)
    yield made
    made.close()


def until(condition):
    deadline = time.monotonic() + DEADLINE_S
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come to that in time"
        time.sleep(0.05)
    return found


def lines(served, name):
    path = served.folder / name
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


def worker(served, script, **environment):
    program = served.write(
        "serve.py", f"import sys; from omium.cli.main import run; sys.exit(run(['worker', {str(script)!r}]))"
    )
    return served.start(program, **environment)


def test_a_worker_that_was_cut_off_and_the_one_that_replaced_it_pay_once(served, proxy):
    script = served.write("orders.py", SCRIPT)
    first = worker(served, script, OMIUM_BASE_URL=proxy.url)
    enqueue = served.write(
        "enqueue.py", "import omium; print(omium.run_workflow('orders', {'n': 12}, wait=False))"
    )
    execution_id = served.run(enqueue)[1].strip()
    until(lambda: len(lines(served, "paid.txt")) >= 3)

    proxy.cut()
    second = worker(served, script)
    until(
        lambda: (
            len({pid for _, pid in lines(served, "thought.txt")}) == 2 or _is(served, execution_id, "paused")
        )
    )
    proxy.heal()
    try:
        until(lambda: _is(served, execution_id, "completed", "paused"))
        time.sleep(HEALED_S)
        if _is(served, execution_id, "paused"):  # cut off between paying and saying so: a person has to look
            _decide(served, execution_id)
            until(lambda: _is(served, execution_id, "completed"))
    finally:
        for process in (first, second):
            process.kill()
            process.communicate()

    assert set(Counter(n for n, _ in lines(served, "paid.txt")).values()) == {1}
    assert served.detail(execution_id)["output"] == [f"receipt-{n}" for n in range(12)]


def _is(served, execution_id, *statuses):
    return served.detail(execution_id)["status"] in statuses


def _decide(served, execution_id):
    """Confirm what nobody knows, as a person would who found it paid, and go on."""
    running = served.running
    for effect in served.get(f"/v1/executions/{execution_id}/effects")["items"]:
        if effect["state"] == "unknown":
            number = int(effect["key"].partition("#")[2] or 1) - 1
            reply = httpx.post(
                f"{running.base_url}/v1/executions/{execution_id}/effects/{effect['effect_key']}/decide",
                json={
                    "decision": "confirm",
                    "output": f"receipt-{number}",
                    "reason": "found at the provider",
                },
                headers={**running.headers, "idempotency-key": effect["effect_key"]},
                timeout=DEADLINE_S,
            )
            # The first driver may say so itself at the same moment: then there is nothing left to decide.
            assert reply.status_code == 200 or reply.json()["code"] == "already-decided"
    served.post(f"/v1/executions/{execution_id}/resume")


def test_a_relaxed_driver_that_was_cut_off_is_not_replaced_and_loses_nothing(served, proxy):
    script = served.write(
        "relaxed.py",
        SCRIPT.replace("@omium.workflow", "@omium.workflow(durability='relaxed')") + "print(orders(8))\n",
    )
    driver = served.start(script, OMIUM_BASE_URL=proxy.url)
    until(lambda: len(lines(served, "paid.txt")) >= 2)

    proxy.cut()
    until(lambda: len(lines(served, "thought.txt")) >= 3)
    time.sleep(5)  # longer than lease and grace
    status = served.newest()["status"]
    proxy.heal()
    out, err = driver.communicate(timeout=DEADLINE_S)

    assert status == "running", "nobody takes a relaxed driver's execution away unasked"
    assert driver.returncode == 0, err
    assert out.strip() == str([f"receipt-{n}" for n in range(8)])
    until(lambda: served.newest()["status"] == "completed")
    assert set(Counter(n for n, _ in lines(served, "paid.txt")).values()) == {1}
