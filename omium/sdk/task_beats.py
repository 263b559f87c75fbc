"""Task beats: the thread that keeps the leases of the nodes' tasks that this worker does.

Owns one daemon thread, whatever the number of tasks: all of them beat together, in one request (of hundreds,
those that are due first), which brings back whether somebody cancelled them or was granted them. A beat that
fails is tried again soon; losing one is no reason to stop anything, only a grant to another worker is.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final

from omium.clock import US_PER_S, Clock
from omium.errors import OmiumError
from omium.jsonvalue import json_bytes
from omium.sdk.exchange import exchange, parse_answer
from omium.sdk.flows import Ports, drive_sync
from omium.sdk.lease import SYSTEM_CLOCK
from omium.sdk.task_context import TaskContext

SOONER: Final = 4  # a beat that failed is tried again after this part of its interval
TASKS_MAX: Final = 200  # models.tasks has the same bound

_log = logging.getLogger("omium.worker")


class TaskBeats:
    """Beats for every task that is done here, and hands on the news of each to `obey`."""

    def __init__(
        self, ports: Ports, obey: Callable[[TaskContext], None], clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._ports = ports
        self._obey = obey
        self._clock = clock
        self._changed = threading.Condition()
        self._due_us: dict[TaskContext, int] = {}
        self._thread: threading.Thread | None = None

    def add(self, context: TaskContext) -> None:
        """Beat for `context` from now on."""
        with self._changed:
            self._due_us[context] = self._clock.boot_us() + _interval_us(context)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="omium-task-beats", daemon=True)
                self._thread.start()
            self._changed.notify()

    def remove(self, context: TaskContext) -> None:
        """Beat for `context` no longer."""
        with self._changed:
            self._due_us.pop(context, None)
            self._changed.notify()

    def beat(self, contexts: Sequence[TaskContext]) -> bool:
        """Tell the server that these tasks are being done; say whether it answered."""
        body: dict[str, Any] = {"tasks": [name_grant(context) for context in contexts]}
        timeout_s = max(_interval_us(context) for context in contexts) / US_PER_S
        try:
            flow = exchange("POST", "/v1/tasks/heartbeat", json_bytes(body), timeout_s=timeout_s)
            answer: Any = parse_answer(drive_sync(flow, self._ports))
        except OmiumError as error:
            _log.debug("A heartbeat of %d tasks failed: %s", len(contexts), error)
            return False
        except Exception:  # a boundary: this thread keeps every lease of the worker's tasks
            _log.exception("A heartbeat failed")
            return False
        for context, news in zip(contexts, answer["tasks"], strict=True):
            context.lost = context.lost or news["lost"]
            context.cancel_requested = context.cancel_requested or news["cancel_requested"]
            if context.lost or context.cancel_requested:
                self._obey(context)
        return True

    def _run(self) -> None:
        while due := self._next():
            began_us = self._clock.boot_us()
            answered = self.beat(due)
            with self._changed:
                for context in due:
                    if context in self._due_us and not context.lost:
                        delay_us = _interval_us(context) // (1 if answered else SOONER)
                        self._due_us[context] = began_us + delay_us
                    else:
                        self._due_us.pop(context, None)

    def _next(self) -> list[TaskContext]:
        """Wait until a beat is due, and return the tasks whose beat is due first; empty: none is left."""
        with self._changed:
            while self._due_us:
                wait_us = min(self._due_us.values()) - self._clock.boot_us()
                if wait_us <= 0:
                    return sorted(self._due_us, key=self._due_us.__getitem__)[:TASKS_MAX]
                self._changed.wait(wait_us / US_PER_S)
            self._thread = None
            return []


def name_grant(context: TaskContext) -> dict[str, object]:
    """Return what says which task is meant, and that it was granted to this worker."""
    return {name: context.grant[name] for name in ("execution_id", "path", "epoch", "token")}


def _interval_us(context: TaskContext) -> int:
    return round(float(context.grant["heartbeat_s"]) * US_PER_S)
