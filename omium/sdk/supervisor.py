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
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Final, Protocol

from omium.errors import Cancelled, ConfigError, Suspension
from omium.sdk.driving import Driving
from omium.sdk.flows import drive_sync
from omium.sdk.handlers import Handler, find_handlers
from omium.sdk.loading import find_workflows, load_target
from omium.sdk.registry import Workflow
from omium.sdk.session import Session, current_session, init
from omium.sdk.task_context import TaskContext
from omium.sdk.task_ending import fail
from omium.sdk.task_running import DoingTasks
from omium.sdk.tasks import Running
from omium.sdk.worker import Worker

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

GRACE_S: Final = 5.0  # how long a cancelled execution may go on before its process is ended
LOOK_S: Final = 0.2
RESTART_S: Final = 1.0  # a child that dies at once is not started again at once
EXIT_ENDED = 75  # a child that ended itself because something in it could not be stopped

_log = logging.getLogger("omium.worker")


class Adopt(Protocol):
    """What makes workflows of the objects of frameworks that a target holds."""

    def __call__(self, target: str, module: ModuleType, found: object) -> dict[str, Workflow]:
        """Return the workflows by name of the objects that `found` is, or holds if it's a module."""
        ...


@dataclass(frozen=True, slots=True)
class Service:
    """What a worker serves, in a form that reaches a child: the child loads it by itself."""

    target: str
    queue: str = "default"
    base_url: str | None = None
    profile: str | None = None
    adopt: Adopt | None = None
    """Finds objects of frameworks; a function of a module, because a child imports it by name."""


@dataclass(frozen=True, slots=True)
class Served:
    """What a target holds: workflows, and handlers of nodes."""

    workflows: dict[str, Workflow]
    handlers: dict[str, Handler]

    @property
    def names(self) -> list[str]:
        """What is served, for people."""
        return [*sorted(self.workflows), *(f"handler {name}" for name in sorted(self.handlers))]


def load_service(service: Service) -> Served:
    """Return what the target of `service` holds; `ConfigError` if it holds nothing to serve."""
    module, found = load_target(service.target)
    # What was recorded when the file ran as a script names its classes after `__main__`.
    current_session().link.types.alias_module("__main__", module.__name__)
    adopted = service.adopt(service.target, module, found) if service.adopt is not None else {}
    served = Served({**find_workflows(found), **adopted}, find_handlers(found))
    if not served.workflows and not served.handlers:
        raise ConfigError(
            f"There is no workflow in {service.target}, and no handler; put @omium.workflow or "
            "@omium.handler on a function, or name a crew, a graph or another target."
        )
    return served


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
    """Be a child: one execution or task at a time, and an end to whatever cannot be stopped."""
    init(base_url=service.base_url, profile=service.profile)
    session = current_session()
    served = load_service(service)
    running = Killable(session, served.workflows)
    doing = KillableTasks(session, served.handlers)
    worker = Worker(
        session,
        served.workflows,
        handlers=served.handlers,
        queue=service.queue,
        concurrency=1,
        running=running,
        doing=doing,
    )
    threading.Thread(target=running.watch, name="omium-watch", daemon=True).start()
    threading.Thread(target=doing.watch, name="omium-watch-tasks", daemon=True).start()
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


class KillableTasks(DoingTasks):
    """Nodes' tasks whose process ends itself when a handler goes on that must not."""

    def __init__(self, session: Session, handlers: Mapping[str, Handler]) -> None:
        super().__init__(session, handlers)
        self._session = session
        self._stopping_s: dict[TaskContext, float] = {}

    def watch(self) -> None:
        """Look again and again; runs in a thread of its own until the process ends."""
        while True:
            time.sleep(LOOK_S)
            for context in self.list_contexts():
                if context.cancel_requested or context.lost:
                    since_s = self._stopping_s.setdefault(context, time.monotonic())
                    if time.monotonic() - since_s > GRACE_S:
                        self._end(context)

    def abandon(self, context: TaskContext, ended: threading.Event) -> None:
        """End this process: the failure was told, and its function has to stop before the next try."""
        if not ended.is_set():
            _log.warning("%s has timed out and goes on; its process is ended.", context.path)
            os._exit(EXIT_ENDED)

    def _end(self, context: TaskContext) -> None:
        """Tell that the task has stopped, true as soon as the next line has run, and end this process."""
        _log.warning("%s is not to be done any more and does not stop; its process is ended.", context.path)
        if not context.lost:
            try:
                cancelled = Cancelled(f"The execution {context.execution_id} was cancelled.")
                drive_sync(fail(context, cancelled).send(GRACE_S), self._session.link.ports)
            except Exception as error:  # a boundary: the process ends in any case
                _log.debug("The server was not told: %s", error)
        os._exit(EXIT_ENDED)


def _is_alive(child: SpawnProcess) -> bool:
    if child.is_alive():
        return True
    child.join()
    child.close()
    return False
