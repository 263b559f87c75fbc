"""Task contexts: what a handler knows of the node that it does, and what it can say about it.

Owns the public `TaskContext`. A handler asks for it by annotating a parameter; without one,
`omium.effect_key`, `omium.record_usage` and `omium.execution_id` find it by themselves. Nothing in here talks
to the server: usage and lines travel with the task's end, the lease is kept by task_beats.py.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Final

from omium.errors import Cancelled, LeaseLost
from omium.jsonvalue import TypeRegistry, decode
from omium.sdk.capture import StepLog
from omium.sdk.context import Line
from omium.sdk.usage import make_usage

LOST: Final = "Another worker was granted this task, or it has ended; what it still does is not recorded."


class TaskContext:
    """The node that a handler does; one object for each attempt, safe to use from several threads."""

    def __init__(self, grant: Mapping[str, Any], *, types: TypeRegistry, capture: bool) -> None:
        self.grant = grant
        self.captured: Line | None = StepLog() if capture else None
        self.cancel_requested = False
        """Whether somebody asked that the execution be cancelled: end as soon as it makes sense."""
        self.lost = False
        """Whether another worker has the task now: nothing that is said of it counts any more."""
        self._types = types
        self._lock = threading.Lock()
        self._usage: list[dict[str, object]] = []

    @property
    def execution_id(self) -> str:
        """The execution that the node belongs to."""
        return str(self.grant["execution_id"])

    @property
    def workflow(self) -> str:
        """The name of the execution's workflow."""
        return str(self.grant["workflow"])

    @property
    def node(self) -> str:
        """The id of the node in its spec."""
        return str(self.grant["node"])

    @property
    def path(self) -> str:
        """Which activation of the node: its id, with the numbers of loops and items."""
        return str(self.grant["path"])

    @property
    def environment(self) -> str:
        """The environment that the execution runs in."""
        return str(self.grant["environment"])

    @property
    def attempt(self) -> int:
        """Which try this is, from 1."""
        return int(self.grant["attempt"])

    @property
    def effect_key(self) -> str | None:
        """Of an effect, the key to hand to its receiver: the same on every attempt, resume and replay."""
        key = self.grant.get("effect_key")
        return None if key is None else str(key)

    @property
    def timeout_s(self) -> float | None:
        """How long the attempt may take; None without a limit."""
        limit_s = self.grant.get("timeout_s")
        return None if limit_s is None else float(limit_s)

    @property
    def inputs(self) -> Mapping[str, Any]:
        """The node's inputs by name, as the handler's arguments have them."""
        found: Any = decode(self.grant.get("inputs"), types=self._types)
        return found or {}

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The node's parameters, as its spec has them."""
        return self.grant.get("parameters") or {}

    @property
    def agent(self) -> Mapping[str, Any] | None:
        """The node's agent, as its spec has it; None where it names none."""
        return self.grant.get("agent")

    @property
    def tools(self) -> Any:
        """The tools of the node or its agent, as the spec has them."""
        return self.grant.get("tools")

    def heartbeat(self) -> None:
        """Return if it is of use to go on; raise `Cancelled` or `LeaseLost` if not.

        The lease is kept without it. It's for code that works long and cannot be interrupted: call it now and
        then, it costs nothing.
        """
        if self.lost:
            raise LeaseLost(LOST)
        if self.cancel_requested:
            raise Cancelled(f"The execution {self.execution_id} is being cancelled.")

    def log(self, text: str, level: str = "info") -> None:
        """Keep a line with the node's record, beside what is printed and logged."""
        if self.captured is not None:
            self.captured.add("log", text, level)

    def usage(self, **counts: Any) -> None:
        """Record what a provider charged for, with the arguments of `omium.record_usage`."""
        record = make_usage(self.execution_id, self.path, self.attempt, **counts)
        with self._lock:
            self._usage.append(record)

    def take_lines(self) -> list[dict[str, object]]:
        """Return what was printed and logged since the last call."""
        return self.captured.take() if isinstance(self.captured, StepLog) else []

    def take_usage(self) -> list[dict[str, object]]:
        """Return what was recorded since the last call."""
        with self._lock:
            taken, self._usage = self._usage, []
        return taken
