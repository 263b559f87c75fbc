"""The server's side of a driver, at the edge: takes the effects of flows, keeps the writes, answers as told.

What the real server decides is tested with the real server (tests/sdk/test_durable.py); here stand the cases
that it cannot be brought into, and those that need no process.
"""

import asyncio
import json
import threading
from collections import Counter

from omium.clock import ManualClock
from omium.config import load_settings
from omium.jsonvalue import TypeRegistry
from omium.sdk.book import Book
from omium.sdk.breakers import Breakers
from omium.sdk.context import outside
from omium.sdk.driving import Driving, Link
from omium.sdk.flows import HttpAnswer, Lease, WriteOutcome
from omium.sdk.session import Session


class Edge:
    """Sync and async ports in one. `clock` moves by what is slept."""

    def __init__(self):
        self.clock = ManualClock()
        self.writes = []
        self.requests = []
        self.values = {}
        self.group = {}
        self.refusals = {}
        self.effects = {}
        self.answers = {}
        self.slots = []  # what the next questions for a slot are answered with; then "held"
        self.signals = []  # what the next questions for a signal are answered with; then none has come
        self._lock = threading.Lock()

    def write(self, request):
        request.lease.require(str(request.write["type"]))
        body = json.loads(json.dumps(request.write))
        with self._lock:
            problem = self.refusals.get(body["type"])
            if problem is not None:
                raise problem
            self.writes.append(body)
            request.lease.note_ack(self.clock.boot_us())
        result = {"seq": len(self.writes)}
        if body["type"] == "effect.intended":
            key = f"key-of-{body['path']}"
            result["effect"] = {
                "effect_key": key, "state": "intended", "may_call": True, "output": None,
                **self.effects.get(body["path"], {}),
            }  # fmt: skip
        if body["type"] == "slot.asked":
            with self._lock:
                result["slot"] = self.slots.pop(0) if self.slots else "held"
        if body["type"] == "signal.asked":
            with self._lock:
                payload = self.signals.pop(0) if self.signals else None
                result["signal"] = payload if payload is None else {"signal_id": "sg_1", "payload": payload}
        return WriteOutcome(result, dict(self.group))

    def write_beside(self, requests):
        return [self.write(request) for request in requests]

    def http(self, request):
        self.requests.append((request.method, request.path, json.loads(request.body or b"null")))
        if request.path.endswith("/records"):
            paths = json.loads(request.body)["paths"]
            records = [{"path": path, "output": self.values[path]} for path in paths if path in self.values]
            return HttpAnswer(200, {}, json.dumps({"records": records}).encode(), 0)
        answer = self.answers[f"{request.method} {request.path}"].pop(0)
        if isinstance(answer, Exception):
            raise answer
        status, body = answer
        return HttpAnswer(status, {}, json.dumps(body).encode(), self.clock.boot_us())

    def sleep(self, seconds):
        self.clock.advance(seconds)

    def adopt(self, execution_id):
        return None

    def hurry(self, within_s):
        pass

    def close(self):
        pass

    def start_offline(self, lease, body):
        self.requests.append(("offline", lease.execution_id, json.loads(body)))

    def send_leftovers(self, execution_id):
        return False

    def session(self) -> Session:
        return Session(load_settings(environ={"HOME": "/nowhere"}), transport=self)

    def async_ports(self):
        return AsyncEdge(self)

    def types_of(self):
        return [write["type"] for write in self.writes]

    def of(self, type_):
        return [write for write in self.writes if write["type"] == type_]

    def completed(self):
        return Counter(write["path"] for write in self.of("step.completed"))

    def driving(self, records=(), *, durability=None, **options) -> Driving:
        lease = Lease(
            "ex_1", 1, "t", self.clock.boot_us(), **({"durability": durability} if durability else {})
        )
        link = Link(self, self.async_ports, TypeRegistry(), Breakers(self.clock))
        return Driving(lease, Book(records), link, workflow="w", clock=self.clock, **options)


class AsyncEdge:
    def __init__(self, edge):
        self.edge = edge

    async def write(self, request):
        await asyncio.sleep(0)
        return self.edge.write(request)

    async def http(self, request):
        await asyncio.sleep(0)
        return self.edge.http(request)

    async def sleep(self, seconds):
        await asyncio.sleep(0)
        self.edge.sleep(seconds)


def record(path, digest, output=None, *, name=None, status="completed", kind="step", attempt=1, **more):
    """Return a `models.driver.Record` as JSON."""
    occurrence = int(path.rpartition("#")[2]) if "#" in path else 1
    return {
        "path": path, "name": name or path.rpartition("/")[2].partition("#")[0], "occurrence": occurrence,
        "explicit_key": False, "kind": kind, "status": status, "attempt": attempt, "input_digest": digest,
        "comparable": "full", "has_output": status == "completed", "output": output,
        "inline": status == "completed", "effect_key": None, "effect_state": None, "error": None, **more,
    }  # fmt: skip


def grant(edge, *, generation=1, epoch=2, records=()):
    """Return a `models.driver.Grant` as JSON."""
    return {
        "execution": {"id": "ex_1", "workflow": "w", "generation": generation, "durability": "strict"},
        "epoch": epoch, "lease_token": f"t{epoch}", "lease_s": 30, "heartbeat_s": 10, "self_fence_s": 20,
        "input": {}, "records": list(records), "checkpoints": {}, "compensations": [],
    }  # fmt: skip


def entered(driving):
    """Enter the execution's root scope; returns a context manager."""
    return driving.open_root().entered()


__all__ = ["Edge", "entered", "grant", "outside", "record"]
