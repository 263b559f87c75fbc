"""Drivers that note what they really did: workers and scripts in processes of their own, for gates that
stop, cut off or kill them.

    with crew.start(url, slots=4) as worker: ...       # serves the workflows below
    crew.ask.queue("orders", order="a", n=6)

Every line in `notes` was written by a process that did what it says: "paid a-3 4711". Owns no fault.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

import omium
from omium.config import Settings
from omium.sdk.lease import Lease
from omium.sdk.registry import find_workflow
from omium.sdk.session import current_session
from omium.sdk.spooling import Spool
from omium.sdk.worker import Worker
from omium.states import Durability
from tests.faults.forks import Forked
from tests.faults.patience import PATIENCE_S
from tests.faults.planted import plant_for_good

SHORT_LEASES = {
    "OMIUM_LEASE_S": "3",
    "OMIUM_SELF_FENCE_S": "2",
    "OMIUM_HEARTBEAT_S": "0.5",
    "OMIUM_LEASE_GRACE_S": "0.5",
}
CALL_S = 0.05  # long enough that a driver is often stopped in the middle of a call


def note(line: str) -> None:
    with Path(os.environ["GATE_NOTES"]).open("a") as file:  # one write of one line: appended whole
        file.write(f"{line} {os.getpid()}\n")


@omium.step(effect=True)
def pay(order: str, number: int) -> str:
    note(f"paid {order}-{number}")
    time.sleep(CALL_S)
    return f"receipt {order}-{number}"


@omium.step
def think(order: str, number: int) -> int:
    note(f"thought {order}-{number}")
    time.sleep(CALL_S)
    return number


@omium.workflow
def orders(order: str, n: int) -> list[str]:
    try:
        paid = [pay(order, think(order, number)) for number in range(n)]
    except omium.LeaseLost:
        note(f"lost {order}")
        raise
    note(f"returned {order}")
    return paid


@omium.workflow(name="relaxed-orders", durability="relaxed")
def relaxed_orders(order: str, n: int) -> list[str]:
    return [pay(order, think(order, number)) for number in range(n)]


def serve_orders(environment: dict[str, str], slots: int) -> None:
    """Be a worker, until stopped."""
    os.environ.update(environment)
    found = find_workflow(orders)
    assert found is not None
    worker = Worker(current_session(), {found.name: found}, concurrency=slots)
    with worker.signals():
        worker.run()


def run_relaxed(environment: dict[str, str], order: str, n: int) -> None:
    """Be a script with a relaxed workflow."""
    os.environ.update(environment)
    print(relaxed_orders(order, n), flush=True)  # read by the gate
    current_session().close()  # what a script's end does, and a forked child's does not


@omium.step
def did(order: str, number: int) -> int:
    return number


def run_offline(environment: dict[str, str], order: str) -> None:
    """Be a script whose server is away, until killed; note each step that has returned."""
    os.environ.update(environment)

    @omium.workflow(name=f"offline-{order}", durability="relaxed")
    def offline() -> None:
        for number in range(100_000):
            did(order, number)
            note(f"did {order}-{number}")

    offline()


def send_what_is_left(environment: dict[str, str], bug: str) -> int:
    """Be the next process on the host; return 1 if something could not be sent."""
    os.environ.update(environment)
    if bug:
        plant_for_good(bug)
    session = current_session()
    left = session.transport.spool.send_leftovers(None, within_s=PATIENCE_S)
    session.close()
    return int(left.kept is not None)


def record_in_spool(folder: Path, records: int, bug: str) -> None:
    """Record checkpoints in a spool, and print a line for each that has returned."""
    if bug:
        plant_for_good(bug)
    spool = Spool(Settings(folder=folder, api_key="om_a"), None)  # it sends nothing
    lease = Lease("ex_1", 1, "token", 0, durability=Durability.RELAXED)
    for number in range(records):
        saved = {"type": "checkpoint.saved", "id": f"cp_{number}", "name": "n", "state": number, "at_us": 1}
        spool.append(lease, "checkpoint.saved", json.dumps(saved).encode())
        os.write(1, f"recorded {number}\n".encode())


class Asking:
    """What a gate asks the server, past every fault, over one connection."""

    def __init__(self, base_url: str, headers: dict[str, str]) -> None:
        self._client = httpx.Client(base_url=base_url, headers=headers, timeout=PATIENCE_S)

    def get(self, path: str) -> Any:
        reply = self._client.get(path)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def read(self, path: str) -> bytes:
        """Return an answer's bytes, whatever it says."""
        return self._client.get(path).content

    def post(self, path: str, body: object = None) -> httpx.Response:
        return self._client.post(path, json=body or {}, headers={"Idempotency-Key": str(uuid4())})

    def put(self, path: str, body: object) -> httpx.Response:
        return self._client.put(path, json=body)

    def detail(self, execution_id: str) -> Any:
        return self.get(f"/v1/executions/{execution_id}")

    def status(self, execution_id: str) -> str:
        return str(self.detail(execution_id)["status"])

    def events(self, execution_id: str) -> list[Any]:
        return list(self.get(f"/v1/executions/{execution_id}/events?limit=500")["items"])

    def decide_as_paid(self, execution_id: str) -> None:
        """Confirm what nobody knows, as a person would who found it paid, and go on."""
        for effect in self.get(f"/v1/executions/{execution_id}/effects")["items"]:
            if effect["state"] == "unknown":
                order, number = effect["input"]["order"], effect["input"]["number"]
                body = {"decision": "confirm", "output": f"receipt {order}-{number}", "reason": "found paid"}
                path = f"/v1/executions/{execution_id}/effects/{effect['effect_key']}/decide"
                reply = self.post(path, body)
                # Its driver may say so itself at the same moment: then there is nothing left to decide.
                assert reply.status_code == 200 or reply.json()["code"] == "already-decided", reply.text
        self.post(f"/v1/executions/{execution_id}/resume")

    def close(self) -> None:
        self._client.close()


class Crew:
    """Drivers of one server and what they noted."""

    def __init__(self, running: Any, folder: Path) -> None:
        self.folder = folder
        self.asking = Asking(running.base_url, running.headers)
        self.notes = folder / "notes.txt"
        self.notes.touch()
        self._environment = {
            "OMIUM_API_KEY": running.api_key,
            "OMIUM_CONFIG_DIR": str(folder / "config"),
            "GATE_NOTES": str(self.notes),
        }
        self._children: list[Forked] = []

    def start(self, function: Callable[..., object], base_url: str, *arguments: object) -> Forked:
        """Run `function(environment, *arguments)` in a process of its own, which talks to `base_url`."""
        environment = {**self._environment, "OMIUM_BASE_URL": base_url}
        child = Forked(function, environment, *arguments, log=self.folder / "drivers.log")
        self._children.append(child)
        return child

    def queue(self, order: str, n: int) -> str:
        """Queue an execution of `orders` and return its id."""
        body = {"workflow": "orders", "driver": "worker", "input": {"order": order, "n": n}}
        reply = self.asking.post("/v1/executions", body | {"input_digest": "0" * 64})
        assert reply.status_code == 200, reply.text
        return str(reply.json()["id"])

    def noted(self, order: str = "", *words: str) -> list[tuple[str, str, int]]:
        """Return (word, what, process) of every line, of one order or of all, after `words` or any word."""
        lines = [line.split() for line in self.notes.read_text().splitlines()]
        return [
            (word, what, int(pid))
            for word, what, pid in lines
            if (not order or what.partition("-")[0] == order) and (not words or word in words)
        ]

    def paid_more_than_once(self) -> list[str]:
        """Return the effects that happened more than once, of all orders."""
        return [
            what
            for what, count in Counter(what for _, what, _ in self.noted("", "paid")).items()
            if count > 1
        ]

    def close(self) -> None:
        for child in self._children:
            if not child.output.closed:  # nobody has waited for it yet
                child.kill()
                child.finish()
        self.asking.close()


@contextmanager
def crew_of(running: Any, folder: Path) -> Iterator[Crew]:
    """Drivers of `running` that end with the block."""
    folder.mkdir()
    crew = Crew(running, folder)
    try:
        yield crew
    finally:
        crew.close()


def until(condition: Callable[[], object], what: str = "it") -> Any:
    """Wait until `condition()` is true and return what it returned."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < deadline_s, f"{what} did not happen in {PATIENCE_S} s"
        time.sleep(0.05)
    return found
