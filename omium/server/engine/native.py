"""Native workflows: a worker runs the framework itself, pinned to a version of the stored spec.

Owns the pin of such an execution (the row in `engine_runs` that says the version; the engine keeps nothing
else of it) and which native workflows the objects on a worker's command line stand for. What the spec then
changes in the framework's object is the worker's: omium/adapters/native.py.

A pin is written in the transaction that begins its execution, so there is none without the other, and nothing
changes it afterwards: a resume finds the version that was begun with.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final

from omium.jsonvalue import JsonValue, parse_json
from omium.models.driver import ClaimWork, PinnedVersion
from omium.server.db.tx import Tx
from omium.server.store import engine_runs, workflows
from omium.server.store.engine_runs import RunRow
from omium.server.store.executions import ExecutionRow
from omium.server.store.workflows import WorkflowVersionRow
from omium.states import Driver

NATIVE: Final = "native"
KEPT: Final = 4_096
"""Entrypoints that are kept by the digest of their version: a few hundred bytes each."""
SERVED_MAX: Final = 500
"""Workflows that one claim may name, as in `ClaimWork`."""
LISTED_MAX: Final = KEPT
"""Native workflows of a tenant among which those of an entrypoint are looked for."""


@dataclass(frozen=True, slots=True)
class NativeRuntime:
    """What a native spec says of where it runs."""

    entrypoint: str | None
    queue: str


@dataclass(frozen=True, slots=True)
class NativeStart:
    """What a native spec says of a start: where it's queued, and the schema of what it takes."""

    queue: str
    inputs: JsonValue


class NativeRuntimes:
    """Runtimes by the digest of their version: versions never change, so each document is read once."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, NativeRuntime] = OrderedDict()

    def of(self, tx: Tx, tenant_id: str, workflow_id: str, number: int, digest: str) -> NativeRuntime:
        """Return the runtime of a version."""
        found = self._kept.get(digest)
        if found is None:
            version = workflows.get_version(tx, tenant_id, workflow_id, number)
            found = self._kept[digest] = read_runtime(version)
            while len(self._kept) > KEPT:
                self._kept.pop(next(iter(self._kept)), None)
        return found


def read_runtime(version: WorkflowVersionRow) -> NativeRuntime:
    """Return what the document of `version` says of where it runs."""
    return _read_runtime(parse_json(version.document))


def read_start(version: WorkflowVersionRow) -> NativeStart:
    """Return what the document of `version` says of a start."""
    document: Any = parse_json(version.document)
    return NativeStart(_read_runtime(document).queue, document.get("inputs") or {})


def _read_runtime(document: Any) -> NativeRuntime:
    runtime = document.get("runtime") or {}
    return NativeRuntime(runtime.get("entrypoint"), runtime.get("queue") or "default")


def pin(tx: Tx, row: ExecutionRow, version: WorkflowVersionRow) -> None:
    """Pin the execution `row`, which this transaction inserted, to `version`."""
    engine_runs.insert_run(
        tx, RunRow(row.id, row.tenant_id, version.workflow_id, version.number, version.digest, None, 0)
    )


def find_pin(tx: Tx, row: ExecutionRow) -> RunRow | None:
    """Return the version that an execution of workers is pinned to, or None: it runs code alone."""
    return engine_runs.find_run(tx, row.id) if row.driver != Driver.ENGINE else None


def find_pinned_version(tx: Tx, runtimes: NativeRuntimes, row: ExecutionRow) -> PinnedVersion | None:
    """Return what the driver of `row` is told of the version that it runs; None where it runs code alone."""
    run = find_pin(tx, row)
    if run is None:
        return None
    runtime = runtimes.of(tx, run.tenant_id, run.workflow_id, run.version, run.spec_digest)
    return PinnedVersion(
        workflow_id=run.workflow_id,
        version=run.version,
        digest=run.spec_digest,
        entrypoint=runtime.entrypoint,
    )


def find_entrypoint(tx: Tx, row: ExecutionRow) -> str | None:
    """Return what the version that `row` is pinned to names as the object to serve, or None."""
    run = find_pin(tx, row)
    if run is None:
        return None
    return read_runtime(workflows.get_version(tx, run.tenant_id, run.workflow_id, run.version)).entrypoint


def name_served(tx: Tx, runtimes: NativeRuntimes, tenant_id: str, command: ClaimWork) -> ClaimWork:
    """Return the claim with the native workflows whose entrypoint it serves named, beside those it names.

    Archived ones too: what was begun of them goes on.
    """
    if not command.entrypoints:
        return command
    served, named = set(command.entrypoints), set(command.workflows)
    for each in workflows.list_native(tx, tenant_id, limit=LISTED_MAX):
        if each.name not in named and len(named) < SERVED_MAX:
            runtime = runtimes.of(tx, tenant_id, each.workflow_id, each.number, each.digest)
            if runtime.entrypoint in served:
                named.add(each.name)
    return command.model_copy(update={"workflows": sorted(named)})
