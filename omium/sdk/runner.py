"""The runner: takes an execution that was granted to this process through its life, sync or async.

Owns the few lines where sync and async differ (who drives the flow, how a task is interrupted) and what is
around the user's function: heartbeat, hooks, the frame. What happens is life.py.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from omium.errors import ConfigError, ConnectionLost, Suspension
from omium.jsonvalue import decode
from omium.sdk.calls import Call
from omium.sdk.context import Frame, outside
from omium.sdk.coroutines import is_async
from omium.sdk.driving import Driving
from omium.sdk.flows import Flow, drive_async, drive_sync
from omium.sdk.inputs import restore_call
from omium.sdk.joining import Joined, start_local, wait_for
from omium.sdk.life import end_quietly, live
from omium.sdk.offline import begin_offline
from omium.sdk.pinned import as_pinned
from omium.sdk.registry import Workflow
from omium.sdk.session import Session
from omium.sdk.starting import Beginning, Granted, make_driving


@dataclass(frozen=True, slots=True)
class Task:
    """A call of a workflow that is to become an execution here."""

    workflow: Workflow
    call: Call
    beginning: Beginning


def run(session: Session, task: Task, *, told: Callable[[str], None] | None = None) -> Any:
    """Start the execution, run it in this thread, and return its output; `told` is called with its id."""
    refuse_running_loop(task.workflow)  # before it's granted: nobody would keep that lease
    with outside():
        try:
            joined = drive_sync(start_local(task.beginning, session.prepare), session.link.ports)
        except ConnectionLost as error:
            joined = begin_offline(session, task.beginning, error)
    if told is not None:
        told(joined.execution_id)
    return _finish(session, joined, task.workflow, task.call)


async def arun(session: Session, task: Task) -> Any:
    """Start the execution, run it in this task, and return its output."""
    try:
        joined = await session.drive_async(start_local(task.beginning, session.aprepare))
    except ConnectionLost as error:
        joined = begin_offline(session, task.beginning, error)
    return await _afinish(session, joined, task.workflow, task.call)


def join(session: Session, joined: Joined) -> Any:
    """Run an execution that exists already, or wait for whoever does; return its output."""
    return _finish(session, joined, joined.workflow, None)


async def ajoin(session: Session, joined: Joined) -> Any:
    """Run an execution that exists already, or wait for whoever does; return its output."""
    return await _afinish(session, joined, joined.workflow, None)


def _finish(session: Session, joined: Joined, workflow: Workflow | None, call: Call | None) -> Any:
    if joined.granted is None:
        detail = drive_sync(wait_for(joined.execution_id), session.link.ports)
        return decode(detail.get("output"), types=session.link.types)
    driving, known, made = drive_sync(_prepare(session, joined.granted, workflow, call), session.link.ports)
    return drive(session, driving, known, made)


async def _afinish(session: Session, joined: Joined, workflow: Workflow | None, call: Call | None) -> Any:
    if joined.granted is None:
        detail = await session.drive_async(wait_for(joined.execution_id))
        return decode(detail.get("output"), types=session.link.types)
    driving, known, made = await session.drive_async(_prepare(session, joined.granted, workflow, call))
    return await adrive(session, driving, known, made)


def drive(session: Session, driving: Driving, workflow: Workflow, call: Call) -> Any:
    """Run the workflow's function in this thread until the execution ends or is given back."""
    if is_async(workflow.function):
        return _drive_in_own_loop(session, driving, workflow, call)
    flow = live(
        driving, functools.partial(_invoke, call), retry=workflow.options.retry, types=session.link.types
    )
    with session.active(driving), outside():
        return drive_sync(flow, session.link.ports)


async def adrive(session: Session, driving: Driving, workflow: Workflow, call: Call) -> Any:
    """Run the workflow's function in this task until the execution ends or is given back."""
    import asyncio  # noqa: PLC0415  # loaded by async code anyway

    from omium.sdk.async_calls import run_async  # noqa: PLC0415  # as above

    def invoke(frame: Frame) -> Coroutine[Any, Any, Any]:
        return run_async(call, frame, workflow.options.timeout_s, workflow.name)

    task = asyncio.current_task()
    assert task is not None
    flow = live(driving, invoke, retry=workflow.options.retry, types=session.link.types)
    with session.active(driving), outside(), driving.interruptible(task, asyncio.get_running_loop()):
        try:
            return await drive_async(flow, session.link.async_ports())
        except Suspension:
            if driving.interrupted and task.cancelling():
                task.uncancel()  # the cancellation was ours, and has become this suspension
            raise


def _drive_in_own_loop(session: Session, driving: Driving, workflow: Workflow, call: Call) -> Any:
    """Run an async workflow for sync code, which has no event loop."""
    import asyncio  # noqa: PLC0415  # loaded by async code only

    refuse_running_loop(workflow)
    return asyncio.run(adrive(session, driving, workflow, call))


def refuse_running_loop(workflow: Workflow) -> None:
    """Raise `ConfigError` if sync code cannot run `workflow` here: it's async and a loop runs already."""
    if is_async(workflow.function) and in_running_loop():
        raise ConfigError(
            f"Workflow {workflow.name} is async and an event loop runs here: "
            "await omium.arun_workflow, omium.aresume or omium.areplay instead."
        )


def in_running_loop() -> bool:
    """Say whether the caller runs inside an event loop; without asyncio there is none."""
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and asyncio._get_running_loop() is not None  # noqa: SLF001  # documented


def _invoke(call: Call, frame: Frame) -> Any:
    return call.run_here(frame)


def _prepare(
    session: Session, granted: Granted, workflow: Workflow | None, call: Call | None
) -> Flow[tuple[Driving, Workflow, Call]]:
    known = _known(workflow)
    driving = make_driving(granted, session.link, known.options)
    try:
        if call is None:
            assert granted.grant is not None
            known = yield from as_pinned(known, granted)
            recorded = granted.grant.get("input")
            call = restore_call(known.function, recorded, session.link.types, known.options.ignore)
    except Exception as error:  # whatever it is, the lease must not be left to run out
        yield from end_quietly(driving, error)
        raise
    return driving, known, call


def _known(workflow: Workflow | None) -> Workflow:
    assert workflow is not None, "only what can be run here is granted to this process"
    return workflow


__all__ = [
    "Callable",
    "Task",
    "adrive",
    "ajoin",
    "arun",
    "drive",
    "in_running_loop",
    "join",
    "refuse_running_loop",
    "run",
]
