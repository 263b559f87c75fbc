"""Offline: relaxed executions that begin, or go on, while their server is away (semantics 3.6, 3.7).

Owns which may, and the grant of one that goes on: what its dead process recorded in the spool is all that
there is of it, so lookups read that. It goes on in the same file under the same lease, as the same driver.
What was told to the server in part, or has ended, waits for the server. The file is spooling.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from omium.errors import ConnectionLost
from omium.jsonvalue import json_bytes
from omium.sdk.joining import Joined
from omium.sdk.registry import Workflow
from omium.sdk.session import Session
from omium.sdk.starting import Beginning, Granted, make_offline_grant, start_offline
from omium.states import Durability

Recorded = Sequence[tuple[str, dict[str, Any]]]


def begin_offline(session: Session, beginning: Beginning, error: ConnectionLost) -> Joined:
    """Begin a relaxed execution without its server, or go on with it; raise `error` where that cannot be."""
    relaxed = beginning.durability is Durability.RELAXED
    if not relaxed or beginning.parent is not None or beginning.idempotency_key is not None:
        raise error  # an id that only the server can derive
    if beginning.execution_id is not None:  # the user's own: begun anew, it could clash with what there is
        return go_on_offline(session, beginning.execution_id, error)
    granted, lease, body = start_offline(beginning)
    session.transport.start_offline(lease, json_bytes(body))  # type: ignore[arg-type]  # JSON by its makers
    return Joined(lease.execution_id, granted)


def go_on_offline(
    session: Session,
    execution_id: str,
    error: ConnectionLost,
    find: Callable[[str], Workflow | None] | None = None,
) -> Joined:
    """Go on with what a dead process of this host began offline; raise `error` if there is no such thing.

    With `find` its workflow has to be known here, too.
    """
    recorded = session.transport.adopt(execution_id)
    if recorded is None:
        raise error
    (_, start), *writes = recorded
    workflow = find(start["workflow"]) if find is not None else None
    if find is not None and workflow is None:
        raise error
    grant = make_offline_grant(start)
    grant["records"], grant["checkpoints"] = replay_writes(writes)
    grant["input"] = start["input"]
    granted = Granted(grant["execution"], grant, 0)
    return Joined(execution_id, granted, workflow)


def replay_writes(writes: Recorded) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the records and the newest states that a server would have after `writes`."""
    records: dict[str, dict[str, Any]] = {}
    states: dict[str, Any] = {}
    for kind, write in writes:
        if kind == "checkpoint.saved":
            states[write["name"]] = write["state"]
        elif kind == "step.completed":
            records[write["path"]] = _record(write, "completed")
        elif kind == "step.attempt_failed":
            inside = f"{write['path']}/"  # what was done inside a try that failed is done again (2.4)
            records = {path: each for path, each in records.items() if not path.startswith(inside)}
            records[write["path"]] = _record(write, "failed" if write["delay_us"] is None else "retrying")
    return [*records.values()], states


def _record(write: dict[str, Any], status: str) -> dict[str, Any]:
    """Return the `models.driver.Record` of a step's write."""
    completed = status == "completed"
    return {
        "path": write["path"],
        "name": write["name"],
        "occurrence": write["occurrence"],
        "explicit_key": write["explicit_key"],
        "kind": write["kind"],
        "status": status,
        "attempt": write["attempt"],
        "input_digest": write["input_digest"],
        "comparable": write["comparable"],
        "has_output": completed and write["has_output"],
        "output": write.get("output"),
        "inline": True,
    }
