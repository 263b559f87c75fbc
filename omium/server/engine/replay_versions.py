"""Versions: which version of a spec a replay runs on, and which nodes it defines otherwise than its source.

A replay of an execution that the engine drives stays on the source's version unless another one is asked for:
so a prompt, a tool or a policy is patched. What a node is made of is its digest (`Definition.digest_of`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from omium.errors import InvalidRequest
from omium.models.replay import PlanReplay
from omium.server.db.tx import Tx
from omium.server.engine.definitions import Definition
from omium.server.engine.parts import EngineParts
from omium.server.store import engine_runs, workflows
from omium.server.store.executions import ExecutionRow
from omium.server.store.workflows import WorkflowVersionRow
from omium.states import Driver

Asked = TypeVar("Asked", bound=PlanReplay)


@dataclass(frozen=True, slots=True)
class Pinned:
    """The source's definition, and the one that the replay runs on."""

    was: Definition
    version: WorkflowVersionRow
    now: Definition


def settle_mode(row: ExecutionRow, command: Asked) -> Asked:
    """Return the command with its mode said: specs are replayed by inputs, code by its log."""
    if command.mode is not None:
        return command
    mode = "incremental" if row.driver == Driver.ENGINE else "prefix"
    return command.model_copy(update={"mode": mode})


def read_pinned(tx: Tx, parts: EngineParts, row: ExecutionRow, number: int | None) -> Pinned | None:
    """Return what a replay of `row` runs on, None for an execution that is not the engine's.

    Raises `InvalidRequest` for a version of code, which has none here, `NotFound` for one that there isn't.
    """
    if row.driver != Driver.ENGINE:
        if number is not None:
            raise InvalidRequest(f"{row.id} ran code, not a stored spec; it cannot be replayed on a version.")
        return None
    run = engine_runs.get_run(tx, row.id)
    was = parts.definitions.get(tx, run)
    version = workflows.get_version(tx, run.tenant_id, run.workflow_id, number or run.version)
    if version.mode != Driver.ENGINE:
        raise InvalidRequest(
            f"Version {version.number} of {row.workflow} is run by workers; replay on one in engine mode."
        )
    return Pinned(was, version, parts.definitions.of_version(version))
