"""The worker: claims queued executions of its workflows and nodes' tasks of its handlers, and runs them.

Owns the loop of long polls, the slots (one poll and one set of slots for both), and how it stops: on the
first signal the steps and tasks that run end and every lease is given back, on the second the process goes at
once. What running means is tasks.py, for nodes task_running.py; a process per slot is supervisor.py. Former
workers of the same host that are provably gone are reported, so that what they held is queued at once and not
after its lease (semantics 3.3).
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Any, Final

from omium.errors import ConnectionLost, NothingToClaim, OmiumError, Problem
from omium.ids import new_id
from omium.jsonvalue import json_bytes
from omium.sdk import runner
from omium.sdk.code_version import describe_code
from omium.sdk.driving import STOPPING_S
from omium.sdk.exchange import exchange, parse_answer
from omium.sdk.flows import Flow, drive_sync
from omium.sdk.handlers import Handler
from omium.sdk.joining import join_execution
from omium.sdk.pinned import find_for
from omium.sdk.process import Process, current_process, is_gone
from omium.sdk.registry import Workflow
from omium.sdk.session import Session
from omium.sdk.starting import Granted
from omium.sdk.task_running import DoingTasks
from omium.sdk.tasks import Running

WAIT_S: Final = 20.0
PATIENCE_S: Final = 5.0  # between two tries to reach a server that is away
CLOSING_S: Final = 3.0  # for the last poll to come back, which the server ends when it hears of the stop

_log = logging.getLogger("omium.worker")


@dataclass(frozen=True, slots=True)
class Caught:
    """What one claim gave: executions, and nodes' tasks (`models.tasks.Task` as JSON)."""

    grants: list[Granted]
    tasks: list[Mapping[str, Any]]


class Worker:
    """Serves `workflows` and `handlers` until it is told to stop."""

    def __init__(
        self,
        session: Session,
        workflows: Mapping[str, Workflow],
        *,
        handlers: Mapping[str, Handler] | None = None,
        queue: str = "default",
        concurrency: int = 4,
        running: Running | None = None,
        doing: DoingTasks | None = None,
    ) -> None:
        self.id = new_id("wk", time.time_ns() // 1000)
        self.workflows = workflows
        self.handlers = handlers or {}
        self._session = session
        self._queue = queue
        self._concurrency = concurrency
        self._running = running or Running(session, workflows)
        self._doing = doing or DoingTasks(session, self.handlers)
        self._slots = threading.Semaphore(concurrency)
        self._stopping = threading.Event()
        self._gone: list[str] = []
        self._failure: Problem | None = None
        versions = [each.versions for each in workflows.values() if each.versions is not None]
        self._entrypoints = sorted({each for made in versions for each in made.entrypoints})
        functions = [workflow.function for workflow in workflows.values()]
        functions += [handler.function for handler in self.handlers.values()]
        self._code = describe_code(functions[0]) if functions else None

    def run(self) -> None:
        """Claim and run until `stop`; returns when nothing runs any more.

        Raises the problem if the server refuses this worker (a revoked key, a missing scope).
        """
        poll = threading.Thread(target=self._poll, name="omium-claims", daemon=True)
        poll.start()
        while not self._stopping.wait(1.0):  # in short waits, so that signals are handled in between
            pass
        self._running.left.clear()  # what came before was said when it happened
        self._running.drain()
        self._doing.drain()
        self._session.transport.hurry(STOPPING_S)
        poll.join(CLOSING_S if self._say_goodbye() else 0)  # it may bring a grant, which is given back
        self._running.wait()
        self._doing.wait()
        self._running.close()
        self._doing.close()
        self._name_left()
        if self._failure is not None:
            raise self._failure

    def run_once(
        self, execution_id: str | None = None, *, told: Callable[[str], None] = lambda _id: None
    ) -> Any:
        """Run one execution, a certain one or the next that can be claimed, and return its output.

        Of a worker with handlers the next may be a node's task: it's done, and nothing is returned.
        A certain execution is taken up whatever its state is: queued, paused, failed, or left by a process
        that is gone. `told` is called with its id before it runs. Raises what ended it.
        """
        if execution_id is not None:
            self._session.prepare(execution_id)
        wait_s = 0.0 if execution_id else WAIT_S
        try:
            caught = drive_sync(self._claim(execution_id, wait_s=wait_s), self._ports)
        except NothingToClaim:
            caught = None
        if caught is None:  # not above: what the user's code raises would be told as following from that
            assert execution_id is not None
            known = drive_sync(find_for(self.workflows, execution_id), self._ports)
            flow = join_execution(execution_id, lambda _name: known, self._session.prepare)
            joined = drive_sync(flow, self._ports)
            told(joined.execution_id)
            return runner.join(self._session, joined)
        for granted in caught.grants:
            told(granted.execution["id"])
            return self._running.run_here(granted)
        for task in caught.tasks:
            self._doing.begin(task, lambda: None)
        self._doing.wait()
        self._doing.close()
        return None

    @property
    def left(self) -> int:
        """How much could not be given back or told, because the server was away when this stopped."""
        return len(self._running.left) + len(self._doing.left)

    def stop(self) -> None:
        """Take no more work; let the steps that run end, and give the rest back."""
        self._stopping.set()

    @contextlib.contextmanager
    def signals(self) -> Iterator[None]:
        """Stop at SIGTERM and SIGINT; at the second one leave at once, as if killed."""

        def handle(_number: int, _frame: FrameType | None) -> None:
            if self._stopping.is_set():
                os._exit(130)
            _log.warning("Stopping: the steps that run are finished first. Once more to leave at once.")
            self.stop()

        before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @property
    def _ports(self) -> Any:
        return self._session.link.ports

    def _poll(self) -> None:
        away = False
        while not self._stopping.is_set():
            if not self._slots.acquire(timeout=1.0):
                continue
            free, taken = 1 + self._acquire_more(), 0
            try:
                caught = drive_sync(self._claim(None, wait_s=WAIT_S, most=free), self._ports)
                away = False
                for granted in caught.grants:
                    self._running.begin(granted, self._slots.release)
                    taken += 1
                for task in caught.tasks:
                    self._doing.begin(task, self._slots.release)
                    taken += 1
            except ConnectionLost as error:
                if not away:
                    _log.warning("The server is away; this worker goes on when it's back. %s", error)
                away = True
                self._stopping.wait(PATIENCE_S)
            except Problem as problem:
                if not problem.retryable:
                    self._failure = problem
                    self.stop()
                else:
                    self._stopping.wait(PATIENCE_S)
            except Exception:  # a boundary: a worker that only seems to serve is worse than one that says why
                _log.exception("This worker could not claim; it tries again")
                self._stopping.wait(PATIENCE_S)
            finally:
                for _ in range(free - taken):
                    self._slots.release()

    def _acquire_more(self) -> int:
        """Take the other free slots, too, and return how many there were."""
        more = 0
        while more < self._concurrency - 1 and self._slots.acquire(blocking=False):
            more += 1
        return more

    def _claim(self, execution_id: str | None, *, wait_s: float, most: int = 1) -> Flow[Caught]:
        body: dict[str, Any] = {
            "worker_id": self.id,
            "queue": self._queue,
            "workflows": sorted(self.workflows),
            "handlers": sorted(self.handlers),
            "entrypoints": self._entrypoints,
            "process": current_process().to_json(),
            "code": self._code,
            "max_executions": min(most, 100),
            "concurrency": self._concurrency,
            "wait_s": wait_s,
            "execution_id": execution_id,
            "gone_workers": self._gone,
        }
        answer = yield from exchange("POST", "/v1/workers/claim", json_bytes(body), timeout_s=wait_s + 15.0)
        claimed = parse_answer(answer)
        assert isinstance(claimed, dict)
        self._gone = [
            each["worker_id"] for each in claimed["neighbours"] if is_gone(Process(**each["process"])) is True
        ]
        grants = [Granted(grant["execution"], grant, answer.sent_us) for grant in claimed["grants"]]
        return Caught(grants, claimed.get("tasks", []))

    def _say_goodbye(self) -> bool:
        """Tell the server that this worker stops, once; say whether it was told."""
        try:
            body = json_bytes({"worker_id": self.id})
            flow = exchange("POST", "/v1/workers/stop", body, timeout_s=STOPPING_S / 2)
            drive_sync(flow, self._ports)
        except OmiumError as error:
            _log.warning("The server was not told that this worker stops. %s", error)
            return False
        return True

    def _name_left(self) -> None:
        """Say what was left behind because the server was away."""
        if left := self._running.left:
            _log.warning(
                "%d could not be given back: %s. The server queues them again when their leases have run "
                "out, and what it was not told of is run again.",
                len(left),
                ", ".join(f"{driving.execution_id} ({driving.workflow})" for driving in left),
            )
