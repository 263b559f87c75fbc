"""Children: executions that are started inside another one, each by a step of its parent.

Owns what makes a child findable again: it's a step of kind `child`, its id follows from the parent and the
path, so a parent that runs again after a crash joins the same child. Executions without a parent are run.py.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from omium.errors import Cancelled, ConfigError, StepFailed
from omium.jsonvalue import InputRecord, decode, input_record
from omium.sdk import runner
from omium.sdk.calling import bind, call_async_step, call_step, find_active_frame
from omium.sdk.calls import Call
from omium.sdk.code_version import describe_code
from omium.sdk.context import Frame
from omium.sdk.driving import Driving
from omium.sdk.flows import Flow, drive_sync
from omium.sdk.joining import start_queued, wait_for
from omium.sdk.options import WorkflowOptions, make_step_options
from omium.sdk.registry import Workflow, find_workflow
from omium.sdk.runner import Task
from omium.sdk.session import Session, current_session
from omium.sdk.starting import Beginning

Target = str | Callable[..., Any]


def name_of(target: Target) -> tuple[str, WorkflowOptions]:
    """Return the name and the options of what is to be run; `ConfigError` if it is no workflow."""
    workflow = find_workflow(target)
    if workflow is not None:
        return workflow.name, workflow.options
    if not isinstance(target, str):
        raise ConfigError(
            f"{target!r} is not a workflow; put @omium.workflow on it, or give a workflow's name."
        )
    return target, WorkflowOptions(target)


def to_call(workflow: Workflow, inputs: Mapping[str, Any] | None) -> Call:
    """Return the call of a workflow's function with `inputs` by parameter name."""
    return Call(workflow.function, (), dict(inputs or {}))


def run_child(
    frame: Frame, target: Target, inputs: Mapping[str, Any] | None, key: str | None, *, wait: bool
) -> Any:
    """Run a child of `frame`'s execution, as a step of it, and return its output (its id without `wait`)."""
    name, _ = name_of(target)
    body = functools.partial(_child_body, frame, target, key, wait)
    return call_step(
        frame, make_step_options(name, kind="child"), Call(_Child(name, body), (), dict(inputs or {}))
    )


def arun_child(
    frame: Frame, target: Target, inputs: Mapping[str, Any] | None, key: str | None, *, wait: bool
) -> Coroutine[Any, Any, Any]:
    """Return the coroutine that runs a child; which call of the parent it is, is settled now."""
    name, _ = name_of(target)
    body = functools.partial(_achild_body, frame, target, key, wait)
    call = Call(_Child(name, body), (), dict(inputs or {}))
    return call_async_step(frame, make_step_options(name, kind="child"), call)


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
    name, options = name_of(target)
    workflow = find_workflow(target)
    recorded: InputRecord = (
        input_record(bind(to_call(workflow, inputs)), workflow.options.ignore, types=session.link.types)
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
    try:
        if workflow is not None and wait:
            return runner.run(session, Task(workflow, to_call(workflow, inputs), beginning))
        execution_id = drive_sync(start_queued(beginning), session.link.ports)
        return drive_sync(await_queued(session, execution_id), session.link.ports) if wait else execution_id
    except Cancelled as error:
        drive_sync(_judge_cancel(parent, error), session.link.ports)


async def _achild_body(
    parent: Frame,
    target: Target,
    key: str | None,
    wait: bool,
    inputs: Mapping[str, Any],
) -> Any:
    session = current_session()
    workflow, beginning = _child_beginning(session, parent, target, inputs, key)
    try:
        if workflow is not None and wait:
            return await runner.arun(session, Task(workflow, to_call(workflow, inputs), beginning))
        execution_id = await session.drive_async(start_queued(beginning))
        return await session.drive_async(await_queued(session, execution_id)) if wait else execution_id
    except Cancelled as error:
        await session.drive_async(_judge_cancel(parent, error))


def _judge_cancel(parent: Frame, error: Cancelled) -> Flow[None]:
    """Raise what a child's cancel means: the parent's own, if that was asked for too; else a failed step."""
    driving: Driving = parent.driving
    yield from driving.write({"type": "heartbeat", "running": driving.running[:1000]})
    driving.check(parent)
    raise StepFailed(f"The child execution was cancelled. {error}", code="child-cancelled") from error


def await_queued(session: Session, execution_id: str) -> Flow[Any]:
    """Wait until a queued execution has ended, and return its output."""
    detail = yield from wait_for(execution_id)
    return decode(detail["output"], types=session.link.types)
