"""Versions: which version of a spec a replay runs on, and which nodes it defines otherwise than its source.

A replay of an execution that runs a stored spec stays on its source's version unless another is asked for:
so a prompt, a tool or a policy is patched. What a node is made of is its digest (`Definition.digest_of`).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final, TypeVar

from omium.errors import InvalidRequest
from omium.jsonvalue import parse_json
from omium.models.replay import PlanReplay
from omium.server.db.tx import Tx
from omium.server.engine import native
from omium.server.engine.definitions import Definition
from omium.server.engine.parts import EngineParts
from omium.server.store import engine_runs, workflows
from omium.server.store.executions import ExecutionRow
from omium.server.store.workflows import WorkflowVersionRow
from omium.spec.canonical import list_nodes, node_digest
from omium.spec.check import restore_spec
from omium.states import Driver

Asked = TypeVar("Asked", bound=PlanReplay)


@dataclass(frozen=True, slots=True)
class Pinned:
    """The source's definition, and the one that the replay runs on."""

    was: Definition
    version: WorkflowVersionRow
    now: Definition


@dataclass(frozen=True, slots=True)
class NativePinned:
    """The same of a framework's workflow, which workers run: code, with a spec beside it."""

    version: WorkflowVersionRow
    changed: frozenset[str]
    """Nodes that the version defines otherwise than the source's, as `spell` spells their ids."""

    def is_changed(self, path: str) -> bool:
        """Say whether the step `path` belongs to a node that is defined otherwise.

        A path begins with its node: `write`, `write#2/call`, `write:4b114dcf2f28`, `team:9a66|write:e7e0`.
        """
        return spell(_END.split(path, maxsplit=1)[0]) in self.changed


_END: Final = re.compile(r"[/#:|]")


def spell(name: str) -> str:
    """Return the letters and digits of a node's name or id: the id of a node may be spelt otherwise."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return "".join(filter(str.isalnum, plain)).lower()


def settle_mode(row: ExecutionRow, command: Asked) -> Asked:
    """Return the command with its mode said: specs are replayed by inputs, code by its log."""
    if command.mode is not None:
        return command
    mode = "incremental" if row.driver == Driver.ENGINE else "prefix"
    return command.model_copy(update={"mode": mode})


def read_pinned(
    tx: Tx, parts: EngineParts, row: ExecutionRow, number: int | None
) -> Pinned | NativePinned | None:
    """Return what a replay of `row` runs on, None for an execution of code alone.

    Raises `InvalidRequest` for a version of code, which has none here, `NotFound` for one that there isn't.
    """
    if row.driver != Driver.ENGINE:
        return _read_native(tx, row, number)
    run = engine_runs.get_run(tx, row.id)
    was = parts.definitions.get(tx, run)
    version = workflows.get_version(tx, run.tenant_id, run.workflow_id, number or run.version)
    if version.mode != Driver.ENGINE:
        raise InvalidRequest(
            f"Version {version.number} of {row.workflow} is run by workers; replay on one in engine mode."
        )
    return Pinned(was, version, parts.definitions.of_version(version))


def _read_native(tx: Tx, row: ExecutionRow, number: int | None) -> NativePinned | None:
    run = native.find_pin(tx, row)
    if run is None:
        if number is not None:
            raise InvalidRequest(f"{row.id} ran code, not a stored spec; it cannot be replayed on a version.")
        return None
    was = workflows.get_version(tx, run.tenant_id, run.workflow_id, run.version)
    if number is None or number == run.version:
        return NativePinned(was, frozenset())
    version = workflows.get_version(tx, run.tenant_id, run.workflow_id, number)
    if version.mode != native.NATIVE:
        raise InvalidRequest(
            f"Version {version.number} of {row.workflow} is run by the engine, and {row.id} by workers;"
            " replay on one in native mode."
        )
    former, latter = (restore_spec(parse_json(each.document)) for each in (was, version))
    known = {node.id for node in former.nodes}
    changed = [
        node
        for node in latter.nodes
        if node.id not in known or node_digest(former, node.id) != node_digest(latter, node.id)
    ]
    return NativePinned(version, frozenset(spell(each.id) for node in changed for each in list_nodes(node)))
