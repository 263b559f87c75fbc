"""Running: workflows in this process, and the public functions that start, resume and replay them.

Owns what a call of a workflow means in the place where it's made: a new execution, or a child of the one that
it's called in. Sync and async are two thin drivers of the same flows; the async names begin with `a`. What
happens inside is life.py and steps.py; executions without a function (`with omium.start_execution`) are
execution.py.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from omium.errors import ConfigError
from omium.jsonvalue import InputRecord, decode, input_record
from omium.sdk import runner
from omium.sdk.calling import bind, call_async_step, call_step, find_active_frame, find_signature
from omium.sdk.calls import Call
from omium.sdk.code_version import describe_code
from omium.sdk.context import Frame
from omium.sdk.flows import Flow, drive_sync
from omium.sdk.joining import ask_replay, join_execution, start_queued, wait_for
from omium.sdk.options import WorkflowOptions, make_step_options
from omium.sdk.registry import REGISTRY, Workflow, find_workflow
from omium.sdk.runner import Task
from omium.sdk.session import Session, current_session
from omium.sdk.starting import Beginning, Granted

Target = str | Callable[..., Any]


def run_local(workflow: Workflow, call: Call) -> Any:
    """Run a call of a sync workflow as an execution of its own, here."""
    session = current_session()
    return runner.run(session, _task(session, workflow, call))


async def arun_local(workflow: Workflow, call: Call) -> Any:
    """Run a call of an async workflow as an execution of its own, here."""
    session = current_session()
    return await runner.arun(session, _task(session, workflow, call))


def run_workflow(
    target: Target,
    inputs: Mapping[str, Any] | None = None,
    *,
    idempotency_key: str | None = None,
    wait: bool = True,
) -> Any:
    """Run a workflow as an execution of its own, and return its output.

    A function under `@omium.workflow` runs here; a name (or `wait=False`) is queued for the workers that
    serve it, and with `wait=False` the execution's id is returned. Inside another execution it becomes a
    child of it: run again after a crash, the same child is found, not a second one started. The same
    `idempotency_key` starts nothing new, but returns (or goes on with) what it started first.
    """
    frame = find_active_frame()
    if frame is not None:
        return _run_child(frame, target, inputs, idempotency_key, wait=wait)
    session = current_session()
    workflow = find_workflow(target)
    if workflow is not None and wait:
        task = _task(session, workflow, _to_call(workflow, inputs), key=idempotency_key)
        return runner.run(session, task)
    return drive_sync(_queue(session, target, inputs, idempotency_key, wait=wait), session.link.ports)


async def arun_workflow(
    target: Target,
    inputs: Mapping[str, Any] | None = None,
    *,
    idempotency_key: str | None = None,
    wait: bool = True,
) -> Any:
    """Run a workflow as `run_workflow` does, from async code."""
    frame = find_active_frame()
    if frame is not None:
        return await _arun_child(frame, target, inputs, idempotency_key, wait=wait)
    session = current_session()
    workflow = find_workflow(target)
    if workflow is not None and wait:
        task = _task(session, workflow, _to_call(workflow, inputs), key=idempotency_key)
        return await runner.arun(session, task)
    return await session.drive_async(_queue(session, target, inputs, idempotency_key, wait=wait))


def resume(execution_id: str) -> Any:
    """Go on with an execution: every recorded step is kept. Returns its output.

    It runs here if this process knows its workflow (import the module that defines it first); else whoever
    serves it goes on, and this waits.
    """
    session = current_session()
    session.transport.send_leftovers(execution_id)
    return runner.join(session, drive_sync(join_execution(execution_id, _known()), session.link.ports))


async def aresume(execution_id: str) -> Any:
    """Go on with an execution as `resume` does, from async code."""
    session = current_session()
    session.transport.send_leftovers(execution_id)
    return await runner.ajoin(session, await session.drive_async(join_execution(execution_id, _known())))


def replay(
    execution_id: str,
    from_step: str | None = None,
    patch: Mapping[str, Any] | None = None,
    *,
    wait: bool = True,
) -> Any:
    """Run an execution anew from `from_step`, keeping what was recorded before it, and return the output.

    The source stays as it is. `patch` changes what it starts from: `{"input": {...}}`, `{"outputs": {"step":
    value}}`, `{"state": {"checkpoint": value}}`. With `wait=False` the new execution's id is returned, and
    only a worker runs it. A replay that would do an effect again is refused: look at its plan first.
    """
    session = current_session()
    started = drive_sync(ask_replay(execution_id, from_step, patch, session.link.types), session.link.ports)
    if not wait:
        return started
    return runner.join(session, drive_sync(join_execution(started, _known()), session.link.ports))


async def areplay(
    execution_id: str,
    from_step: str | None = None,
    patch: Mapping[str, Any] | None = None,
    *,
    wait: bool = True,
) -> Any:
    """Replay an execution as `replay` does, from async code."""
    session = current_session()
    started = await session.drive_async(ask_replay(execution_id, from_step, patch, session.link.types))
    if not wait:
        return started
    return await runner.ajoin(session, await session.drive_async(join_execution(started, _known())))


def _known() -> Callable[[str], Workflow | None]:
    return REGISTRY.workflows.get


def _task(session: Session, workflow: Workflow, call: Call, *, key: str | None = None) -> Task:
    recorded = input_record(bind(call), workflow.options.ignore, types=session.link.types)
    return Task(
        workflow,
        call,
        Beginning(
            workflow=workflow.name,
            input=recorded,
            options=workflow.options,
            durability=workflow.options.durability or session.durability,
            code=describe_code(workflow.function),
            idempotency_key=key,
        ),
    )


def _to_call(workflow: Workflow, inputs: Mapping[str, Any] | None) -> Call:
    return Call(workflow.function, (), dict(inputs or {}))


def _queue(
    session: Session, target: Target, inputs: Mapping[str, Any] | None, key: str | None, *, wait: bool
) -> Flow[Any]:
    """Queue an execution for workers, and wait for its output if asked."""
    name, options = _name_of(target)
    recorded = input_record(inputs or {}, types=session.link.types)
    beginning = Beginning(name, recorded, options, session.durability, idempotency_key=key)
    execution_id = yield from start_queued(beginning)
    if not wait:
        return execution_id
    detail = yield from wait_for(execution_id)
    return decode(detail["output"], types=session.link.types)


def _name_of(target: Target) -> tuple[str, WorkflowOptions]:
    workflow = find_workflow(target)
    if workflow is not None:
        return workflow.name, workflow.options
    if not isinstance(target, str):
        raise ConfigError(
            f"{target!r} is not a workflow; put @omium.workflow on it, or give a workflow's name."
        )
    return target, WorkflowOptions(target)


def _run_child(
    frame: Frame, target: Target, inputs: Mapping[str, Any] | None, key: str | None, *, wait: bool
) -> Any:
    name, _ = _name_of(target)
    body = functools.partial(_child_body, frame, target, key, wait)
    return call_step(
        frame, make_step_options(name, kind="child"), Call(_Child(name, body), (), dict(inputs or {}))
    )


async def _arun_child(
    frame: Frame, target: Target, inputs: Mapping[str, Any] | None, key: str | None, *, wait: bool
) -> Any:
    name, _ = _name_of(target)
    body = functools.partial(_achild_body, frame, target, key, wait)
    call = Call(_Child(name, body), (), dict(inputs or {}))
    return await call_async_step(frame, make_step_options(name, kind="child"), call)


class _Child:
    """The function of a step that runs a child execution; its arguments are the child's inputs."""

    def __init__(self, name: str, body: Callable[[Mapping[str, Any]], Any]) -> None:
        self.__name__ = name
        self._body = body

    def __call__(self, **inputs: Any) -> Any:
        return self._body(inputs)


def _child_beginning(
    session: Session, parent: Frame, target: Target, inputs: Mapping[str, Any], key: str | None
) -> tuple[Workflow | None, Beginning]:
    frame = find_active_frame()
    assert frame is not None, "a child is started by a step of its parent"
    path = frame.scope.path
    name, options = _name_of(target)
    workflow = find_workflow(target)
    recorded: InputRecord = (
        input_record(bind(_to_call(workflow, inputs)), workflow.options.ignore, types=session.link.types)
        if workflow is not None
        else input_record(inputs, types=session.link.types)
    )
    parent_id = parent.driving.execution_id
    return workflow, Beginning(
        workflow=name,
        input=recorded,
        options=options,
        durability=options.durability or session.durability,
        code=describe_code(workflow.function) if workflow else None,
        idempotency_key=key,
        parent=(parent_id, path),
    )


def _child_body(parent: Frame, target: Target, key: str | None, wait: bool, inputs: Mapping[str, Any]) -> Any:
    session = current_session()
    workflow, beginning = _child_beginning(session, parent, target, inputs, key)
    if workflow is not None and wait:
        return runner.run(session, Task(workflow, _to_call(workflow, inputs), beginning))
    execution_id = drive_sync(start_queued(beginning), session.link.ports)
    return drive_sync(_await_queued(session, execution_id), session.link.ports) if wait else execution_id


async def _achild_body(
    parent: Frame,
    target: Target,
    key: str | None,
    wait: bool,
    inputs: Mapping[str, Any],  # as above
) -> Any:
    session = current_session()
    workflow, beginning = _child_beginning(session, parent, target, inputs, key)
    if workflow is not None and wait:
        return await runner.arun(session, Task(workflow, _to_call(workflow, inputs), beginning))
    execution_id = await session.drive_async(start_queued(beginning))
    return await session.drive_async(_await_queued(session, execution_id)) if wait else execution_id


def _await_queued(session: Session, execution_id: str) -> Flow[Any]:
    detail = yield from wait_for(execution_id)
    return decode(detail["output"], types=session.link.types)


__all__ = [
    "Coroutine",
    "Granted",
    "areplay",
    "aresume",
    "arun_local",
    "arun_workflow",
    "find_signature",
    "replay",
    "resume",
    "run_local",
    "run_workflow",
]
