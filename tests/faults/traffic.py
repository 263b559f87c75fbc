"""Traffic: drivers that write steps as fast as a server answers, and remember what it acknowledged.

    with Traffic(server, drivers=8) as traffic:
        ...                                        # kill the server
    server.restart()
    traffic.look(gate)                             # every acknowledged step is there, once, and no other

An unanswered request is sent again, as every client does: then it counts like the others. Speaks plain HTTP,
one connection a driver, so that the SDK's own patience is not what is tried here.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import threading
import time
from dataclasses import dataclass, field
from typing import Self

from omium.clock import SystemClock
from omium.ids import new_id
from tests.engine.harness import process
from tests.faults.gate import Gate
from tests.faults.patience import PATIENCE_S

PAUSE_S = 0.05  # before what was refused is sent again


@dataclass
class Driver:
    """One execution and its steps; the outputs are told from their numbers."""

    execution_id: str
    steps: int = 0  # acknowledged
    started: bool = False  # acknowledged
    refused: list[str] = field(default_factory=list)  # what was answered instead, if anything was

    @property
    def token(self) -> str:
        return hashlib.sha256(self.execution_id.encode()).hexdigest()

    def next_request(self) -> tuple[str, dict[str, object]]:
        """Return path and body of what comes next; the same until it is acknowledged."""
        if not self.started:
            return "/v1/executions", {
                "id": self.execution_id,
                "workflow": "traffic",
                "driver": "local",
                "input": {"of": self.execution_id},
                "input_digest": self.token,
                "lease_token": self.token,
                "process": process().model_dump(),
            }
        step = {
            "type": "step.completed",
            "path": f"step-{self.steps}",
            "name": f"step-{self.steps}",
            "output": self.output(self.steps),
            "input_digest": self.token,
            "started_at_us": 1,
            "ended_at_us": 2,
        }
        group = {"execution_id": self.execution_id, "epoch": 1, "lease_token": self.token, "writes": [step]}
        return "/v1/writes", {"groups": [group]}

    def output(self, number: int) -> dict[str, object]:
        return {"number": number, "text": self.execution_id * 15}

    def take(self, status: int, body: bytes) -> bool:
        """Note an answer; return whether it acknowledged what was asked."""
        answer = json.loads(body)
        good = status == 200
        if good and self.started:
            (group,) = answer["groups"]
            good = not group.get("problem") and not group["results"][0]["problem"]
        if not good:
            self.refused.append(f"{status} {body.decode()[:300]}")
        elif self.started:
            self.steps += 1
        else:
            self.started = True
        return good


class Traffic:
    """Threads that drive until their server is gone, or until the block ends."""

    def __init__(self, server, drivers: int = 8, after_each=lambda: None) -> None:
        self._server = server
        self._after_each = after_each
        self._stopping = False
        self.drivers = [Driver(new_id("ex", SystemClock().now_us())) for _ in range(drivers)]
        self._threads = [threading.Thread(target=self._drive, args=(driver,)) for driver in self.drivers]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping = True
        for thread in self._threads:
            thread.join()

    @property
    def acknowledged(self) -> int:
        return sum(driver.steps + driver.started for driver in self.drivers)

    def look(self, gate: Gate) -> None:
        """Count in `gate` what was acknowledged and is not there, or is there and cannot be right."""
        with Asking(self._server) as asking:
            for driver in self.drivers:
                if not driver.started and not asking.send(driver):
                    gate.lost(1, f"a start cannot be sent again: {driver.refused[-1:]}")
                    continue
                found = asking.list_outputs(driver)
                expected = [driver.output(number) for number in range(len(found))]
                missing = max(0, driver.steps - len(found))
                gate.lost(missing, f"{driver.steps} acknowledged, {len(found)} there")
                gate.lost(found != expected, f"other outputs than were sent: {found}")
                gate.lost(len(found) > driver.steps + 1, "more steps than were sent")
                if missing:
                    continue
                was_there = len(found)
                if not asking.send(driver):
                    gate.lost(1, f"a step cannot be sent again: {driver.refused[-1:]}")
                now, right = len(asking.list_outputs(driver)), max(was_there, driver.steps)
                gate.lost(now != right, f"{now} steps after the last one was sent again, not {right}")

    def _drive(self, driver: Driver) -> None:
        with Asking(self._server) as asking:
            while not self._stopping:
                try:
                    if not asking.send(driver):
                        time.sleep(PAUSE_S)
                except (OSError, http.client.HTTPException):
                    return
                self._after_each()


class Asking:
    """One connection to `server`."""

    def __init__(self, server) -> None:
        self._headers = {**server.headers, "content-type": "application/json"}
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, bytes]:
        data = None if body is None else json.dumps(body)
        self._connection.request(method, path, data, self._headers | headers)
        reply = self._connection.getresponse()
        return reply.status, reply.read()

    def read(self, path: str) -> bytes:
        """Return what a GET is answered, asking again for as long as the server says so (503)."""
        give_up_at = time.monotonic() + PATIENCE_S
        while True:
            status, body = self.ask("GET", path)
            if status == 200:
                return body
            assert status == 503, body
            assert time.monotonic() < give_up_at, body
            time.sleep(PAUSE_S)

    def send(self, driver: Driver) -> bool:
        """Send what comes next of `driver`; return whether it was acknowledged."""
        return driver.take(*self.ask("POST", *driver.next_request()))

    def list_outputs(self, driver: Driver) -> list[object]:
        """Return the outputs of its steps in their order, whatever else is recorded."""
        steps: list[dict[str, object]] = []
        after = ""
        while True:
            query = f"?limit=200&after={after}" if after else "?limit=200"
            page = json.loads(self.read(f"/v1/executions/{driver.execution_id}/steps{query}"))
            steps += page["items"]
            after = page["next"] or ""
            if not after:
                break
        return [step["output"] for step in sorted(steps, key=lambda step: int(str(step["key"])[5:]))]
