"""Processes: Semantic Kernel's local runtime, in which each function of a step is a step of the execution.

Owns what is recorded of a function: what it gave, the events that it emitted, and its step's state behind
it; and that a resume emits the same events and has the same state without running it. Semantic Kernel's own
runtime leads the events along the edges, superstep by superstep, and is deterministic: nothing else is
recorded. One step's messages are handled one after another, because Semantic Kernel lets them write into the
same arguments.

An error that an edge takes (`on_event("send.OnError")`) goes on along it, and is recorded like a result.
Semantic Kernel forgets any other error; here it ends the execution, and a resume runs that function again.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Final

from pydantic import BaseModel, Field
from semantic_kernel.exceptions import KernelException, KernelInvokeException
from semantic_kernel.functions import FunctionResult
from semantic_kernel.processes.kernel_process import (
    KernelProcess,
    KernelProcessEvent,
    KernelProcessStepContext,
)
from semantic_kernel.processes.kernel_process.kernel_process_event import KernelProcessEventVisibility
from semantic_kernel.processes.kernel_process.kernel_process_step_info import KernelProcessStepInfo
from semantic_kernel.processes.local_runtime.local_process import LocalProcess
from semantic_kernel.processes.local_runtime.local_step import LocalStep

from omium.adapters.recorded import Form, LateRecord, StepPolicy, record_async
from omium.adapters.semantic_kernel.kernels import IS_STEP
from omium.errors import OmiumError
from omium.sdk.attempts import RETRIED
from omium.sdk.calling import find_active_frame
from omium.sdk.current import capture_failure

FindPolicy = Callable[[str], StepPolicy]
_PYDANTIC: Final = ("__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__")


class ProcessRun:
    """One run of a process: the policies of its steps, and what ended it."""

    def __init__(self, find_policy: FindPolicy) -> None:
        self.find_policy = find_policy
        self.failure: BaseException | None = None

    def end(self, failure: BaseException) -> KernelException:
        """Note what ends the run; Omium's own way to stop goes before an error."""
        if self.failure is None or isinstance(self.failure, Exception) > isinstance(failure, Exception):
            self.failure = failure
        return KernelException("The run ends: see the execution.")


class RecordedStep(LocalStep):  # type: ignore[misc]  # the framework is not installed where types are checked
    """A step whose functions are recorded."""

    run: Any = None
    place: str = ""
    turn: asyncio.Lock = Field(default_factory=asyncio.Lock, exclude=True)
    emitted: list[Any] | None = None
    """What the function that runs has emitted; what is emitted otherwise is not a function's."""
    told: str = ""
    """What Semantic Kernel says of the error that the function raised."""

    async def handle_message(self, message: Any) -> None:
        """As Semantic Kernel's own, one message after another."""
        async with self.turn:
            if self.run.failure is None:
                await super().handle_message(message)

    async def emit_event(self, process_event: KernelProcessEvent) -> None:
        """As Semantic Kernel's own; of a function that runs, when it has ended."""
        if self.emitted is None:
            await super().emit_event(process_event)
        else:
            self.emitted.append(process_event)

    async def invoke_function(self, function: Any, kernel: Any, arguments: dict[str, Any]) -> Any:
        """Return what was recorded of this call, or call the function and record it."""
        if find_active_frame() is None:
            return await super().invoke_function(function, kernel, arguments)
        shown = {
            "function": function.name,
            "arguments": {
                name: value
                for name, value in arguments.items()
                if not isinstance(value, KernelProcessStepContext)
            },
        }
        late = self._find_late(function, shown)
        told = await late.find() if late is not None else None
        if told is not None:
            find_active_frame().scope.allot(self.place)  # type: ignore[union-attr]  # it is what `late` was made in
            await self._repeat(told)
            raise KernelException(str(told["error"]))

        async def work() -> dict[str, Any]:
            value = await self._call(function, kernel, arguments)
            ran.append(True)
            return {"value": value, **self._describe()}

        ran: list[bool] = []

        try:
            recorded = await record_async(
                self.run.find_policy(self.place).options(self.place), shown, work, Form()
            )
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # a boundary: functions raise anything, and Omium stops by one, too
            own = isinstance(error, OmiumError) and not isinstance(error, RETRIED)
            if late is None or own or not isinstance(error, Exception):
                self.emitted = None
                raise self.run.end(error) from error
            capture_failure(error)  # the run goes on, with a sentence that does not say what it was
            told = {"error": self.told or str(error), **self._describe()}
            await late.record(told)
            await self._emit(told["events"])
            raise KernelException(told["error"]) from error
        await (self._emit(recorded["events"]) if ran else self._repeat(recorded))
        return FunctionResult(function=function.metadata, value=recorded["value"])

    def _find_late(self, function: Any, shown: Mapping[str, object]) -> LateRecord | None:
        """Return where an error of this call is recorded, None where no edge takes it."""
        frame = find_active_frame()
        if frame is None or not self.get_edge_for_event(f"{self.name}_{self.id}.{function.name}.OnError"):
            return None
        return LateRecord(frame, StepPolicy().options(f"{self.place} error"), shown)

    async def _call(self, function: Any, kernel: Any, arguments: dict[str, Any]) -> Any:
        """Call the function; what Semantic Kernel wraps around its error would hide that from a policy."""
        self.emitted, self.told = [], ""
        token = IS_STEP.set(True)
        try:
            result = await LocalStep.invoke_function(self, function, kernel, arguments)
        except KernelInvokeException as error:
            self.told = str(error)
            raise (error.__cause__ or error) from None
        finally:
            IS_STEP.reset(token)
        if result is None:
            raise KernelException(f"Function {function.name} returned None.")
        return result.value

    def _describe(self) -> dict[str, Any]:
        state = self.step_state.state
        events = [
            {"id": each.id, "data": each.data, "visibility": each.visibility.value}
            for each in self.emitted or ()
        ]
        return {"events": events} | ({} if state is None else {"state": state})

    async def _repeat(self, recorded: Mapping[str, Any]) -> None:
        """Do what the function did, without running it."""
        if "state" in recorded:
            self.step_state.state = _put_back(self.step_state.state, recorded["state"])
        await self._emit(recorded["events"])

    async def _emit(self, events: list[dict[str, Any]]) -> None:
        self.emitted = None
        for each in events:
            visibility = KernelProcessEventVisibility(each["visibility"])
            await self.emit_event(KernelProcessEvent(id=each["id"], data=each["data"], visibility=visibility))


class RecordedProcess(LocalProcess):  # type: ignore[misc]  # as above
    """A process whose steps are recorded, and the processes in it."""

    run: Any = None
    ids: Any = None
    """Ids of its steps in their order, and those of processes inside by the id of these."""

    def initialize_process(self) -> None:
        """As Semantic Kernel's own, with steps that are recorded."""
        self.output_edges = {event: list(edges) for event, edges in self.process.edges.items()}
        for info, (place, inside) in zip(self.step_infos, self.ids, strict=True):
            shared = {"kernel": self.kernel, "factories": self.factories, "parent_process_id": self.id}
            if isinstance(info, KernelProcess):
                made = RecordedProcess(process=info, **shared)
                made.ids = inside
            else:
                made = RecordedStep(step_info=info, **shared)
                made.place = place
            made.run = self.run
            self.steps.append(made)

    def enqueue_external_messages(self, message_channel: Any) -> None:
        """As Semantic Kernel's own, at the beginning of a superstep: behind an error there is none."""
        if self.run.failure is not None:
            raise KernelException("The run ends: see the execution.")
        super().enqueue_external_messages(message_channel)

    async def handle_message(self, message: Any) -> None:
        """As Semantic Kernel's own; an error inside ends the run when what runs beside it has ended."""
        try:
            await super().handle_message(message)
        except Exception:
            if self.run.failure is None:
                raise


def copy_process(process: Any) -> Any:
    """Return a process with states of its own: a run changes those that it was built with."""
    return KernelProcess(
        state=process.state.model_copy(deep=True),
        steps=[
            copy_process(each)
            if isinstance(each, KernelProcess)
            else KernelProcessStepInfo(
                inner_step_type=each.inner_step_type,
                state=each.state.model_copy(deep=True),
                output_edges=each.edges,
            )
            for each in process.steps
        ],
        edges=process.edges,
        factories=process.factories,
    )


def list_states(process: Any, ids: Any) -> dict[str, Any]:
    """Return the states of the steps that ran, by place, as people read them."""
    states: dict[str, Any] = {}
    for each, (place, inside) in zip(process.steps, ids, strict=False):
        if isinstance(each, LocalProcess):
            states |= list_states(each, inside)
        elif each.initialize_task and each.step_state.state is not None:
            state = each.step_state.state
            states[place] = state.model_dump(mode="json") if isinstance(state, BaseModel) else state
    return states


def _put_back(state: Any, recorded: Any) -> Any:
    """Give a state its recorded fields where it is: the step keeps the object that it was activated with."""
    if type(state) is not type(recorded):
        return recorded
    fields: dict[str, Any] = getattr(state, "__dict__", {})
    if isinstance(state, dict):
        state.clear()
        state.update(recorded)
    elif isinstance(state, list):
        state[:] = recorded
    elif isinstance(state, BaseModel) or dataclasses.is_dataclass(state):
        fields.clear()
        fields.update(recorded.__dict__)
        if isinstance(state, BaseModel):
            for name in _PYDANTIC:
                object.__setattr__(state, name, getattr(recorded, name))
    else:
        return recorded
    return state


for _each in (LocalProcess, RecordedProcess):  # they name a class that Semantic Kernel imports late
    _each.model_rebuild()
