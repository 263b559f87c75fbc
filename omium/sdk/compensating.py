"""Compensating: running what a rollback planned, newest effect first (semantics 2.8).

Owns finding the function that undoes an effect, by the name recorded with it, among those that this process
declared; and its arguments: the effect's inputs, its output, its key. One that fails stops the list, and a
person looks. Each has a key of its own, so running one again after a crash is for its receiver to notice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from omium.errorinfo import describe_exception
from omium.errors import ConfigError, Suspension
from omium.jsonvalue import TypeRegistry, decode, encode
from omium.sdk.capture import StepLog
from omium.sdk.context import Frame
from omium.sdk.driving import Driving
from omium.sdk.flows import drive_sync
from omium.sdk.identity import Scope
from omium.sdk.life import end_quietly
from omium.sdk.registry import REGISTRY
from omium.sdk.session import Session


def compensate(session: Session, driving: Driving, tasks: Sequence[Mapping[str, Any]]) -> None:
    """Run the compensations in order, until the list is empty or one fails."""
    with session.active(driving):
        try:
            for task in tasks:
                driving.check()
                if not _run_one(session, driving, task):
                    break
        except (Suspension, KeyboardInterrupt) as error:  # the rest is given back now, not after the lease
            ending = drive_sync(end_quietly(driving, error), session.link.ports)
            if ending is error:
                raise
            raise ending from error
    driving.ended = "compensated"


def _run_one(session: Session, driving: Driving, task: Mapping[str, Any]) -> bool:
    attempt = int(task["attempt"]) + 1
    body: dict[str, object] = {
        "type": "compensation.ended",
        "position": task["position"],
        "attempt": attempt,
    }
    frame = Frame(driving, Scope(str(task["path"]), 1), attempt, f"{task['effect_key']}:c", StepLog())
    try:
        with driving.running_path(str(task["path"])), frame.entered():
            body["output"] = encode(_call(task, session.link.types), types=session.link.types)
    except Exception as error:  # a boundary: whatever a compensation raises stops the list and is recorded
        body["error"] = describe_exception(error).to_json()
    drive_sync(driving.write(body), session.link.ports)
    return "error" not in body


def _call(task: Mapping[str, Any], types: TypeRegistry) -> object:
    function = find_compensation(str(task["compensate"]))
    form = task["input"] or {}
    inputs = {name: decode(value, types=types) for name, value in form.items()}
    result = function(inputs, decode(task["output"], types=types), str(task["effect_key"]))
    if asyncio.iscoroutine(result):
        return asyncio.run(_await(result))
    return result


async def _await(result: Any) -> object:
    return await result


def find_compensation(name: str) -> Callable[..., Any]:
    """Return the function that was declared to undo an effect; `ConfigError` if this process has none."""
    function = REGISTRY.compensations.get(name)
    if function is None:
        raise ConfigError(
            f"The compensation {name!r} is not declared in what this worker loaded. Keep the function that "
            "`compensate=` names in the module of the workflow, or skip the compensation."
        )
    return function
