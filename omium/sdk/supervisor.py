"""The supervisor: `omium worker --isolation process`, a process per slot, so that what runs can be killed.

A thread cannot be stopped; a process can. Each child is a worker with one slot. When a step has timed out and
its function goes on, or a cancelled execution does not stop within its grace, the child reports that and ends
itself, with everything that ran in it; the supervisor starts another. The server is told that the former one
is gone by whoever claims next on this host, so nothing waits for a lease.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import FrameType
from typing import TYPE_CHECKING, Final

from omium.errors import ConfigError, Suspension
from omium.sdk.driving import Driving
from omium.sdk.flows import drive_sync
from omium.sdk.loading import find_workflows, load_target
from omium.sdk.registry import Workflow
from omium.sdk.session import Session, current_session, init
from omium.sdk.tasks import Running
from omium.sdk.worker import Worker

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

GRACE_S: Final = 5.0  # how long a cancelled execution may go on before its process is ended
LOOK_S: Final = 0.2
RESTART_S: Final = 1.0  # a child that dies at once is not started again at once
EXIT_ENDED = 75  # a child that ended itself because something in it could not be stopped

_log = logging.getLogger("omium.worker")


@dataclass(frozen=True, slots=True)
class Service:
    """What a worker serves, in a form that reaches a child: the child loads it by itself."""

    target: str
    queue: str = "default"
    base_url: str | None = None
    profile: str | None = None


def load_service(service: Service) -> dict[str, Workflow]:
    """Return the workflows that the target of `service` holds; `ConfigError` if it holds none."""
    module, found = load_target(service.target)
    # What was recorded when the file ran as a script names its classes after `__main__`.
    current_session().link.types.alias_module("__main__", module.__name__)
    workflows = find_workflows(found)
    if not workflows:
        raise ConfigError(
            f"There is no workflow in {service.target}; put @omium.workflow on a function, "
            "or name another target."
        )
    return workflows


class Supervisor:
    """Keeps `concurrency` children running until it is told to stop."""

    def __init__(self, service: Service, *, concurrency: int) -> None:
        settings = current_session().settings  # what this process was told, its children must know as well
        self._service = replace(service, base_url=settings.base_url, profile=settings.profile)
        self._concurrency = concurrency
        self._context = multiprocessing.get_context("spawn")  # a fork would share connections and locks
        self._children: list[SpawnProcess] = []
        self._stopping = threading.Event()

    def run(self) -> None:
        """Start the children and replace those that end, until `stop`."""
        while not self._stopping.is_set():
            self._children = [child for child in self._children if _is_alive(child)]
            while len(self._children) < self._concurrency and not self._stopping.is_set():
                child = self._context.Process(target=serve, args=(self._service,), name="omium-child")
                child.start()
                self._children.append(child)
            self._stopping.wait(RESTART_S)
        for child in self._children:
            if child.pid is not None and child.is_alive():
                os.kill(child.pid, signal.SIGTERM)
        for child in self._children:
            child.join()

    def stop(self) -> None:
        """Let the children end the steps that run, give their executions back, and end."""
        self._stopping.set()

    def kill(self) -> None:
        """End the children at once."""
        for child in self._children:
            child.kill()

    def handle_signals(self) -> None:
        """Stop at SIGTERM and SIGINT; at the second one kill the children."""

        def handle(_number: int, _frame: FrameType | None) -> None:
            if self._stopping.is_set():
                self.kill()
                os._exit(130)
            self.stop()

        signal.signal(signal.SIGTERM, handle)
        signal.signal(signal.SIGINT, handle)


def serve(service: Service) -> None:
    """Be a child: one execution at a time, and an end to whatever cannot be stopped."""
    init(base_url=service.base_url, profile=service.profile)
    session = current_session()
    workflows = load_service(service)
    running = Killable(session, workflows)
    worker = Worker(session, workflows, queue=service.queue, concurrency=1, running=running)
    threading.Thread(target=running.watch, name="omium-watch", daemon=True).start()
    with worker.signals():
        worker.run()


class Killable(Running):
    """Executions whose process ends itself when something in them goes on that must not."""

    def __init__(self, session: Session, workflows: Mapping[str, Workflow]) -> None:
        super().__init__(session, workflows)
        self._session = session
        self._cancelled_s: dict[Driving, float] = {}

    def watch(self) -> None:
        """Look again and again; runs in a thread of its own until the process ends."""
        while True:
            time.sleep(LOOK_S)
            for driving in self.list_drivings():
                if driving.stuck:
                    self._end(driving, "a step is to be tried again and its last try cannot be stopped")
                if driving.lease.cancel_requested:
                    since_s = self._cancelled_s.setdefault(driving, time.monotonic())
                    if time.monotonic() - since_s > GRACE_S:
                        self._end(driving, "it was cancelled and does not stop", cancelled=True)

    def _leave(self, driving: Driving) -> None:
        super()._leave(driving)
        if driving.abandoned:
            self._end(driving, "a step has timed out and its function goes on")

    def _end(self, driving: Driving, why: str, *, cancelled: bool = False) -> None:
        """End this process, and with it what could not be stopped otherwise."""
        _log.warning("%s: %s; its process is ended.", driving.execution_id, why)
        if cancelled:  # true as soon as the next line has run
            try:
                body = {"type": "execution.suspends", "reason": "cancel", "outcome": "stopped"}
                drive_sync(driving.write({**body}, within_s=GRACE_S), self._session.link.ports)
            except (Suspension, Exception) as error:  # a boundary: the process ends in any case
                _log.debug("The server was not told: %s", error)
        os._exit(EXIT_ENDED)


def _is_alive(child: SpawnProcess) -> bool:
    if child.is_alive():
        return True
    child.join()
    child.close()
    return False
