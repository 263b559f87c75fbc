"""Joining: getting to the one execution that is meant, whoever drives it, and to its outcome.

Owns the cases of "it exists already": completed (its output is the answer), stopped (it's taken up here),
driven by somebody (it's waited for, or taken over where the former process is provably gone). Beginning
something new is starting.py.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from omium.errors import Cancelled, ConfigError, ExecutionExists, StepFailed, Suspended
from omium.ids import derived_id
from omium.jsonvalue import TypeRegistry, encode
from omium.sdk.code_version import describe_code
from omium.sdk.flows import Flow, invoke, sleep
from omium.sdk.process import Process, is_gone
from omium.sdk.registry import Workflow
from omium.sdk.starting import Beginning, Granted, begin, call, get_execution, hand_over, take_up

POLL_S = 0.5
POLL_MAX_S = 5.0


Prepare = Callable[[str], bool | Awaitable[bool]]
"""What is called with the id of an execution before it's taken up here: it sends what dead processes of this
host recorded and did not send, which the new grant would shut out, and says whether there was anything."""


@dataclass(frozen=True, slots=True)
class Joined:
    """An execution: granted to this process, or, without `granted`, somebody's whose end is waited for."""

    execution_id: str
    granted: Granted | None
    workflow: Workflow | None = None


def start_local(beginning: Beginning, prepare: Prepare) -> Flow[Joined]:
    """Start an execution that this process drives, or join the one with the same id or key."""
    try:
        granted = yield from begin(beginning)
    except ExecutionExists as error:
        if (other := _other_child(error, beginning)) is not None:
            return (yield from start_local(other, prepare))
        return (yield from _join(_existing(error), beginning.code, prepare))
    execution = granted.execution
    if granted.grant is not None and execution["status"] == "running":
        return Joined(execution["id"], granted)
    return (yield from _join(execution["id"], beginning.code, prepare))


def start_queued(beginning: Beginning) -> Flow[str]:
    """Queue an execution for workers and return its id; the same id or key queues nothing new."""
    try:
        granted = yield from begin(beginning, driver="worker")
    except ExecutionExists as error:
        if (other := _other_child(error, beginning)) is not None:
            return (yield from start_queued(other))
        execution_id = _existing(error)
        detail = yield from get_execution(execution_id)
        if detail["status"] in ("failed", "paused"):
            yield from hand_over(execution_id)
        return execution_id
    return str(granted.execution["id"])


def join_execution(
    execution_id: str, find: Callable[[str], Workflow | None], prepare: Prepare
) -> Flow[Joined]:
    """Take an execution up here if its workflow is known here, else hand it to whoever serves it.

    What `find` raises about a workflow that cannot run here is raised before anything is granted.
    """
    yield from invoke(prepare, execution_id)  # its very start may be among what was not sent
    detail = yield from get_execution(execution_id)
    if detail["status"] in ("completed", "cancelled"):
        return Joined(execution_id, None)
    workflow = find(detail["workflow"]) if detail["driver"] != "engine" else None
    if workflow is not None:
        joined = yield from _join(execution_id, describe_code(workflow.function), prepare, detail)
        return Joined(execution_id, joined.granted, workflow)
    if detail["status"] in ("failed", "paused", "waiting"):
        served = detail["runner"]
        if served["runner"] == "none":  # queued, it would only wait for nobody
            command = " ".join(served.get("command") or []) or "omium worker path.py:workflow"
            raise ConfigError(
                f"Nobody serves the workflow {detail['workflow']!r}, and it's not defined in this process. "
                f"Import the module that holds it, or start it as it was: {command}"
            )
        yield from hand_over(execution_id)
    return Joined(execution_id, None)


def wait_for(execution_id: str) -> Flow[dict[str, Any]]:
    """Wait until an execution has ended, and return it with its exact output; raise what else ended it."""
    delay_s = POLL_S / 4
    while True:
        detail = yield from get_execution(execution_id)
        status = detail["status"]
        if status == "completed":
            return {**detail, "output": (yield from fetch_output(execution_id))}
        if status == "failed":
            raise make_failure(detail)
        if status == "cancelled":
            raise Cancelled(f"Execution {execution_id} was cancelled.")
        if status == "paused":
            raise Suspended(
                f"Execution {execution_id} is paused ({detail.get('reason')}). "
                f"Go on with: omium resume {execution_id}",
                execution_id=execution_id,
                reason=str(detail.get("reason")),
                resume_command=f"omium resume {execution_id}",
            )
        yield from sleep(delay_s)
        delay_s = min(delay_s * 1.5, POLL_MAX_S)


def fetch_output(execution_id: str) -> Flow[Any]:
    """Return an execution's output exactly: what people are shown of it may be sealed or redacted."""
    found = yield from call("POST", f"/v1/executions/{execution_id}/records", {"paths": ["$output"]})
    return found["records"][0].get("output")


def make_failure(detail: Mapping[str, Any]) -> StepFailed:
    """Return the error that says how an execution failed elsewhere."""
    info = detail.get("error")
    error: Mapping[str, Any] = info if isinstance(info, dict) else {}
    kind, message = str(error.get("type") or "Error"), str(error.get("message") or "it failed")
    return StepFailed(
        f"Execution {detail['id']} failed: {kind}: {message}. "
        f"Look at it with: omium executions show {detail['id']}",
        step=str(error.get("step") or ""),
        error_type=kind,
        code=str(error.get("code") or ""),
    )


def ask_replay(
    execution_id: str, from_step: str | None, patch: Mapping[str, Any] | None, types: TypeRegistry
) -> Flow[str]:
    """Start a replay and return the new execution's id."""
    body = {"from_step": from_step, "edits": make_edits(patch, types)}
    answer = yield from call("POST", f"/v1/executions/{execution_id}/replay", body, keyed=True)
    return str(answer["execution"]["id"])


def make_edits(patch: Mapping[str, Any] | None, types: TypeRegistry) -> list[dict[str, object]]:
    """Return the `models.replay.Edit`s of a patch."""
    edits: list[dict[str, object]] = []
    targets = {"input": "input", "outputs": "output", "state": "state"}
    for part, values in (patch or {}).items():
        if part not in targets or not isinstance(values, Mapping):
            raise ConfigError(
                f'A patch has the parts "input", "outputs" and "state", each a dict by name, not {part!r}.'
            )
        edits.extend(
            {"target": targets[part], "path": path, "value": encode(value, types=types)}
            for path, value in values.items()
        )
    return edits


def _existing(error: ExecutionExists) -> str:
    """Return the id of the execution that stands in the way; raise if it's not the one that was meant."""
    execution_id = error.members.get("execution_id")
    if not isinstance(execution_id, str) or not error.members.get("same_start"):
        raise error
    return execution_id


def _other_child(error: ExecutionExists, beginning: Beginning) -> Beginning | None:
    """Return the start of another child, where the step that starts it has other inputs than before.

    Its id follows from the inputs too, so running the parent once more finds it again.
    """
    if beginning.parent is None or beginning.execution_id is not None or error.members.get("same_start"):
        return None
    other = derived_id("ex", *beginning.parent, beginning.input.digest)
    return replace(beginning, execution_id=other)


def _join(
    execution_id: str,
    code: Mapping[str, object] | None,
    prepare: Prepare,
    detail: Mapping[str, Any] | None = None,
) -> Flow[Joined]:
    """Take up an execution that exists, as its status allows."""
    delay_s = POLL_S / 4
    while True:
        if (yield from invoke(prepare, execution_id)):
            detail = None  # it may have changed by what was sent
        detail = detail or (yield from get_execution(execution_id))
        status = detail["status"]
        if status in ("completed", "cancelled"):
            return Joined(execution_id, None)
        if status != "running":
            return Joined(execution_id, (yield from take_up(execution_id, code)))
        if _driver_is_gone(detail):
            # It may have recorded something after what was sent above, and before it ended.
            yield from invoke(prepare, execution_id)
            return Joined(
                execution_id, (yield from take_up(execution_id, code, former_gone=detail["attempt"]))
            )
        yield from sleep(delay_s)
        delay_s, detail = min(delay_s * 1.5, POLL_MAX_S), None


def _driver_is_gone(detail: Mapping[str, Any]) -> bool:
    """Say whether the process that drives has ended for certain, which only its own host can see."""
    process = detail.get("process")
    return isinstance(process, dict) and is_gone(Process(**process)) is True
