"""Running: workflows in this process, and the public functions that start, resume and replay them.

Owns what a call of a workflow means in the place where it's made: a new execution, or a child of the one that
it's called in. Sync and async are two thin drivers of the same flows; the async names begin with `a`. What
happens inside is life.py and steps.py; executions without a function (`with omium.start_execution`) are
execution.py.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any

from omium.errors import ConfigError, ConnectionLost
from omium.jsonvalue import input_record
from omium.sdk import runner
from omium.sdk.calling import bind, find_active_frame
from omium.sdk.calls import Call
from omium.sdk.children import Target, arun_child, await_queued, name_of, run_child, to_call
from omium.sdk.code_version import describe_code
from omium.sdk.flows import Flow, drive_sync
from omium.sdk.frames import LEAVING
from omium.sdk.joining import ask_replay, join_execution, start_queued
from omium.sdk.offline import go_on_offline
from omium.sdk.options import NO_LABELS, Credits, Labels, make_labels, read_credits
from omium.sdk.registry import REGISTRY, Workflow, find_workflow
from omium.sdk.runner import Task
from omium.sdk.session import Session, current_session
from omium.sdk.starting import Beginning, get_execution


def run_local(workflow: Workflow, call: Call) -> Any:
    """Run a call of a sync workflow as an execution of its own, here."""
    session = current_session()
    return runner.run(session, _task(session, workflow, call))


async def arun_local(workflow: Workflow, call: Call) -> Any:
    """Run a call of an async workflow as an execution of its own, here."""
    with LEAVING:
        session = current_session()
        return await runner.arun(session, _task(session, workflow, call))


def run_workflow(
    target: Target,
    inputs: Mapping[str, Any] | None = None,
    *,
    idempotency_key: str | None = None,
    wait: bool = True,
    max_credits: Credits | None = None,
    tags: Iterable[str] | None = None,
    business_key: str | None = None,
) -> Any:
    """Run a workflow as an execution of its own, and return its output.

    A function under `@omium.workflow` runs here; a name (or `wait=False`) is queued for the workers that
    serve it, and with `wait=False` the execution's id is returned. Inside another execution it becomes a
    child of it: run again after a crash, the same child is found, not a second one started. The same
    `idempotency_key` starts nothing new, but returns (or goes on with) what it started first. `max_credits`
    is what the execution may be charged; a child has its workflow's (`@omium.workflow(max_credits=...)`).
    `tags` and the `business_key` (such as an order's number) are what people find it by; a child is found by
    its parent.
    """
    labels = make_labels(tags, business_key)
    with LEAVING:
        frame = find_active_frame()
        if frame is not None:
            _refuse_own_terms(max_credits, labels)
            return run_child(frame, target, inputs, idempotency_key, wait=wait)
        session = current_session()
        workflow = find_workflow(target)
        if workflow is not None and wait:
            call = to_call(workflow, inputs)
            return runner.run(
                session,
                _task(session, workflow, call, key=idempotency_key, max_credits=max_credits, labels=labels),
            )
        queue = _queue(
            session, target, inputs, idempotency_key, wait=wait, max_credits=max_credits, labels=labels
        )
        return drive_sync(queue, session.link.ports)


def run_here(
    function: Callable[..., Any],
    inputs: Mapping[str, Any],
    *,
    key: str | None = None,
    told: Callable[[str], None],
    max_credits: Credits | None = None,
    tags: Iterable[str] | None = None,
    business_key: str | None = None,
) -> Any:
    """Run a decorated workflow as `run_workflow` does; `told` is called with the id before anything runs."""
    with LEAVING:
        session = current_session()
        workflow = find_workflow(function)
        assert workflow is not None, "the caller has found it under its decorator"
        task = _task(
            session,
            workflow,
            to_call(workflow, inputs),
            key=key,
            max_credits=max_credits,
            labels=make_labels(tags, business_key),
        )
        return runner.run(session, task, told=told)


def arun_workflow(
    target: Target,
    inputs: Mapping[str, Any] | None = None,
    *,
    idempotency_key: str | None = None,
    wait: bool = True,
    max_credits: Credits | None = None,
    tags: Iterable[str] | None = None,
    business_key: str | None = None,
) -> Coroutine[Any, Any, Any]:
    """Run a workflow as `run_workflow` does, from async code: await what this returns."""
    labels = make_labels(tags, business_key)
    frame = find_active_frame()
    if frame is not None:
        _refuse_own_terms(max_credits, labels)
        return arun_child(frame, target, inputs, idempotency_key, wait=wait)
    return _arun_workflow(target, inputs, idempotency_key, wait=wait, max_credits=max_credits, labels=labels)


async def _arun_workflow(
    target: Target,
    inputs: Mapping[str, Any] | None,
    key: str | None,
    *,
    wait: bool,
    max_credits: Credits | None,
    labels: Labels,
) -> Any:
    with LEAVING:
        session = current_session()
        workflow = find_workflow(target)
        if workflow is not None and wait:
            call = to_call(workflow, inputs)
            return await runner.arun(
                session, _task(session, workflow, call, key=key, max_credits=max_credits, labels=labels)
            )
        queue = _queue(session, target, inputs, key, wait=wait, max_credits=max_credits, labels=labels)
        return await session.drive_async(queue)


def resume(execution_id: str) -> Any:
    """Go on with an execution: every recorded step is kept. Returns its output.

    It runs here if this process knows its workflow (import the module that defines it first); else whoever
    serves it goes on, and this waits.
    """
    with LEAVING:
        session = current_session()
        try:
            joined = drive_sync(join_execution(execution_id, _find_sync, session.prepare), session.link.ports)
        except ConnectionLost as error:
            joined = go_on_offline(session, execution_id, error, _find_sync)
        return runner.join(session, joined)


async def aresume(execution_id: str) -> Any:
    """Go on with an execution as `resume` does, from async code."""
    with LEAVING:
        session = current_session()
        try:
            joined = await session.drive_async(join_execution(execution_id, _find, session.aprepare))
        except ConnectionLost as error:
            joined = go_on_offline(session, execution_id, error, _find)
        return await runner.ajoin(session, joined)


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
    with LEAVING:
        session = current_session()
        if wait and runner.in_running_loop():  # before there is a replay that nobody runs
            source = drive_sync(get_execution(execution_id), session.link.ports)
            _find_sync(source["workflow"])
        started = drive_sync(
            ask_replay(execution_id, from_step, patch, session.link.types), session.link.ports
        )
        if not wait:
            return started
        joined = drive_sync(join_execution(started, _find_sync, session.prepare), session.link.ports)
        return runner.join(session, joined)


async def areplay(
    execution_id: str,
    from_step: str | None = None,
    patch: Mapping[str, Any] | None = None,
    *,
    wait: bool = True,
) -> Any:
    """Replay an execution as `replay` does, from async code."""
    with LEAVING:
        session = current_session()
        started = await session.drive_async(ask_replay(execution_id, from_step, patch, session.link.types))
        if not wait:
            return started
        joined = await session.drive_async(join_execution(started, _find, session.aprepare))
        return await runner.ajoin(session, joined)


def _find(name: str) -> Workflow | None:
    return REGISTRY.workflows.get(name)


def _find_sync(name: str) -> Workflow | None:
    """Return the workflow if this process knows it; `ConfigError` if sync code cannot run it here."""
    workflow = _find(name)
    if workflow is not None:
        runner.refuse_running_loop(workflow)
    return workflow


def _refuse_own_terms(max_credits: Credits | None, labels: Labels) -> None:
    if labels is not NO_LABELS:
        raise ConfigError("A child execution is found by its parent; give tags and business_key to that one.")
    if max_credits is not None:
        raise ConfigError(
            "A child execution has the limit of its workflow; set it there: @omium.workflow(max_credits=...)."
        )


def _task(
    session: Session,
    workflow: Workflow,
    call: Call,
    *,
    key: str | None = None,
    max_credits: Credits | None = None,
    labels: Labels = NO_LABELS,
) -> Task:
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
            max_microcredits=read_credits(workflow.name, max_credits),
            labels=labels,
        ),
    )


def _queue(
    session: Session,
    target: Target,
    inputs: Mapping[str, Any] | None,
    key: str | None,
    *,
    wait: bool,
    max_credits: Credits | None,
    labels: Labels,
) -> Flow[Any]:
    """Queue an execution for workers, and wait for its output if asked."""
    name, options = name_of(target)
    recorded = input_record(inputs or {}, types=session.link.types)
    limit = read_credits(name, max_credits)
    beginning = Beginning(
        name,
        recorded,
        options,
        session.durability,
        idempotency_key=key,
        max_microcredits=limit,
        labels=labels,
    )
    execution_id = yield from start_queued(beginning)
    return (yield from await_queued(session, execution_id)) if wait else execution_id
