"""Run: what belongs to one run of a workflow in an execution.

Owns what all steps of the run have in common: its order, its state, what they streamed. Which of it is
in a step's record is steps.py's, what LlamaIndex's loop is given of it is runtime.py's.
"""

from __future__ import annotations

import math
from collections import defaultdict
from contextvars import ContextVar
from typing import Any, Final

from workflows import Workflow
from workflows.events import Event, WorkflowIdleEvent
from workflows.plugins.basic import AsyncioAdapterQueues
from workflows.runtime.types.results import StepWorkerStateContextVar

from omium.adapters.llama_index.clock import LoopClock
from omium.adapters.llama_index.state import RecordedStore
from omium.adapters.llama_index.turns import Turns
from omium.adapters.llama_index.values import EventCodec
from omium.adapters.recorded import LateRecord, StepPolicy
from omium.errors import ConfigError
from omium.sdk.context import Frame

ORDER: Final = "order of steps"
"""The step that records in which order steps ended and events came: no step of a user's has such a name."""
ALONE: Final[ContextVar[bool]] = ContextVar("omium_llama_index_alone", default=False)
"""Whether nobody is there who could send an event into the run that begins."""
_FOREVER_S: Final = 2000.0
"""LlamaIndex's own time to wait for an event, where nobody gave one."""


class Run:
    """What belongs to one run of a workflow in an execution."""

    def __init__(self, frame: Frame, workflow: Workflow, queues: AsyncioAdapterQueues) -> None:
        self.run_id = queues.run_id
        self.queues = queues
        self.codec = EventCodec(workflow)
        self.waits: list[float | None] = []
        """How long steps said they would wait for an event."""
        self._is_alone = ALONE.get()
        self._frame = frame
        self._limit_s = workflow._timeout  # noqa: SLF001  # it has no public name
        self.turns = Turns(
            LoopClock(),
            self.codec,
            self._make_late,
            self._deliver,
            has_records=frame.driving.book.has_records,
        )
        self.store = RecordedStore(queues.state_store, self.codec)
        queues.receive_queue = self.turns.mailbox
        self._streamed: defaultdict[str, list[Event]] = defaultdict(list)
        self._noted: dict[str, tuple[dict[str, Any], str, bool]] = {}
        self._left_out: set[str] = set()

    def note(self, invocation: str, recorded: dict[str, Any], digest: str, *, again: bool) -> None:
        """Keep what is recorded of a step until it is its turn."""
        kept = ("state", "state_number", "writes")
        state: dict[str, Any] = {name: recorded[name] for name in kept if name in recorded}
        self._noted[invocation] = (state, digest, again)

    def leave_out(self, invocation: str) -> None:
        """Let nothing depend on what a step gave that has no record: it runs again, and may give another."""
        self._left_out.add(invocation)
        self.take_streamed(invocation)

    def stream(self, event: Event) -> None:
        """Note what a step streams, for its record."""
        try:
            invocation = StepWorkerStateContextVar.get().state.invocation_id
        except LookupError:  # from the loop itself, which streams it again on a resume
            if isinstance(event, WorkflowIdleEvent) and self._is_alone:
                self._refuse_waiting()
        else:
            self._streamed[str(invocation)].append(event)

    def take_streamed(self, invocation: str) -> list[Event]:
        """Return what a step streamed."""
        return self._streamed.pop(invocation, [])

    async def _deliver(self, invocation: str) -> str:
        if invocation in self._left_out:
            return ""
        state, digest, again = self._noted.pop(invocation, ({}, "", False))
        await self.store.deliver(invocation, state, again=again)
        return digest

    def _make_late(self, part: int, chain: str) -> LateRecord:
        return LateRecord(self._frame, StepPolicy().options(ORDER), {"part": part, "after": chain})

    def _refuse_waiting(self) -> None:
        """End a run that waits for what nobody can send; a short wait of a step's own ends by itself."""
        longest = min((each for each in self.waits if each is not None), default=math.inf)
        if longest >= min(_FOREVER_S, self._limit_s or math.inf):
            self.turns.fail(
                ConfigError(
                    "The workflow waits for an event, and nobody can send one. Run it in a workflow of your"
                    " own, where you answer what it asks: docs/llama-index.md."
                )
            )
