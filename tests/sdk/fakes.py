"""A server at the edge of the writers: takes `Http`, checks what it is sent, answers as told."""

import json
import threading

from omium.clock import ManualClock
from omium.errors import ConnectionLost, LeaseLostProblem
from omium.models.driver import WriteBatch
from omium.sdk.flows import Http, HttpAnswer, Lease


def make_lease(execution_id="ex_1", **changes) -> Lease:
    return Lease(**{"execution_id": execution_id, "epoch": 1, "token": "t", "acked_us": 0, **changes})


def checkpoint(name, state=None) -> dict:
    return {"type": "checkpoint.saved", "id": f"cp_{name}", "name": name, "state": state, "at_us": 1}


def usage(name) -> dict:
    return {"type": "usage.recorded", "usage": {"id": name, "at_us": 1}}


def problem_answer(problem, **headers) -> HttpAnswer:
    body = json.dumps(problem.to_problem()).encode()
    return HttpAnswer(problem.status, headers, body, 0)


class WriteServer:
    """Accepts every write under the current epoch. `script` holds what happens to the next requests instead:
    an exception is raised, an answer returned, None lets the request through."""

    def __init__(self, clock=None):
        self.clock = clock or ManualClock()
        self.script = []
        self.bodies = []
        self.timeouts_s = []
        self.seen = []  # [(execution id, name)] per request, in the order of arrival
        self.lost = set()  # executions that another driver has
        self.problems = {}  # name: problem
        self.cancelled = set()
        self.hold = None  # an event that the next request waits for
        self.arrived = threading.Event()

    def __call__(self, request: Http) -> HttpAnswer:
        sent_us = self.clock.boot_us()
        self.bodies.append(request.body)
        self.timeouts_s.append(request.timeout_s)
        self.arrived.set()
        if (hold := self.hold) is not None:
            self.hold = None
            assert hold.wait(30)
        if self.script:
            happens = self.script.pop(0)
            if isinstance(happens, BaseException):
                raise happens
            if happens is not None:
                return happens
        return self.answer(request.body, sent_us)

    def answer(self, body: bytes, sent_us: int) -> HttpAnswer:
        batch = json.loads(body)
        WriteBatch.model_validate(batch)
        self.seen.append([(g["execution_id"], label(w)) for g in batch["groups"] for w in g["writes"]])
        groups = [
            {
                "results": [self.result(group, write) for write in group["writes"]],
                "cancel_requested": group["execution_id"] in self.cancelled,
                "suspend": None,
            }
            for group in batch["groups"]
        ]
        return HttpAnswer(200, {}, json.dumps({"groups": groups}).encode(), sent_us)

    def result(self, group, write) -> dict:
        if group["execution_id"] in self.lost and write["type"] not in {"usage.recorded", "effect.ended"}:
            return {"problem": LeaseLostProblem("Worker b has it.").to_problem()}
        if (problem := self.problems.get(label(write))) is not None:
            return {"problem": problem.to_problem()}
        return {"seq": 1, "effect": None, "problem": None}

    @property
    def names(self):
        return [[name for _, name in request] for request in self.seen]


def label(write) -> str:
    return write.get("name") or write.get("usage", {}).get("id") or write["type"]


def away() -> ConnectionLost:
    return ConnectionLost("No Omium server answers at http://127.0.0.1:1.")
