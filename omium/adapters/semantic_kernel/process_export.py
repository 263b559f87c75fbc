"""Export of processes: a process of Semantic Kernel as a Workflow Spec, and edited policies put onto it.

Owns which node a step becomes, what its id is, and the edges: an event of one step that another takes. Which
events a function emits is decided while it runs, so an edge says which ones it stands for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from semantic_kernel.processes import ProcessBuilder
from semantic_kernel.processes.const import END_PROCESS_ID
from semantic_kernel.processes.kernel_process import KernelProcess

from omium.adapters.applied import Applied
from omium.adapters.documents import ANYTHING, make_document, make_ref, without_empty
from omium.adapters.native_edits import (
    asks_policy,
    edit_policies,
    refuse_other_code,
    refuse_unfollowed,
)
from omium.adapters.node_ids import make_ids
from omium.errors import ConfigError
from omium.jsonvalue import JsonValue
from omium.spec.check import load_spec
from omium.spec.document import Spec

Ids: TypeAlias = list[tuple[str, Any]]
"""Of each step in order its place, such as `deliver.pack`, and the same of the steps of a process inside."""
_ERROR: Final = ".OnError"


@dataclass(frozen=True, slots=True)
class AppliedProcess(Applied[Any]):
    """A process with its kernel and the policies that Omium has for its steps; what `apply_spec` returns."""

    kernel: Any = None


def is_process(value: object) -> bool:
    """Say whether a value is a process, a builder of one, or what was made of one here."""
    return isinstance(value, KernelProcess | ProcessBuilder) or AppliedProcess.find(value) is not None


def find_applied_process(value: Any) -> AppliedProcess:
    """Return what was applied or instrumented before, nothing for a process itself."""
    found = AppliedProcess.find(value)
    if found is not None:
        return found
    return AppliedProcess(value.build() if isinstance(value, ProcessBuilder) else value)


def name_steps(process: Any, before: str = "") -> Ids:
    """Return the places of a process's steps: ids are theirs within their process."""
    ids = make_ids([str(each.state.name) for each in process.steps], otherwise="step")
    return [
        (f"{before}{id_}", name_steps(each, f"{before}{id_}.") if isinstance(each, KernelProcess) else [])
        for id_, each in zip(ids, process.steps, strict=True)
    ]


def list_places(ids: Ids) -> list[str]:
    """Return the places of all steps that are no processes themselves."""
    return [each for place, inside in ids for each in (list_places(inside) if inside else [place])]


def export_process(value: Any, *, name: str | None, entrypoint: str | None) -> dict[str, JsonValue]:
    """Return a process as a document; the same in every process of the machine."""
    root = find_applied_process(value).source
    return make_document(
        name or root.state.name,
        "semantic_kernel",
        inputs={
            "type": "object",
            "properties": {"event": {"enum": sorted(_list_input_events(root))}, "data": ANYTHING},
            "required": ["event"],
        },
        **_describe(root),
        because=[
            "Semantic Kernel leads events from step to step; a function decides as it runs which it emits.",
            "Steps are Python code with states of their own.",
        ],
        entrypoint=entrypoint,
    )


def apply_to_process(value: Any, spec: Spec) -> AppliedProcess:
    """Return a process with the policies of `spec`; `ConfigError` for each edit that it cannot follow."""
    before = find_applied_process(value)
    exported = load_spec(export_process(before.source, name=spec.name, entrypoint=spec.runtime.entrypoint))
    refuse_other_code(exported, spec, spec.name)
    refuse_unfollowed(exported, spec, spec.name)
    nodes = list(_list_nodes(spec, ""))
    for place, node in nodes:
        if node.body is not None and asks_policy(node):
            raise ConfigError(
                f"{place} is a process of its own and no step: give the policy to the steps in its body."
            )
    return replace(before, policies=edit_policies(before, ((node, (place,)) for place, node in nodes)))


def _list_nodes(body: Any, before: str) -> Iterator[tuple[str, Any]]:
    for node in body.nodes:
        yield f"{before}{node.id}", node
        if node.body is not None:
            yield from _list_nodes(node.body, f"{before}{node.id}.")


def _describe(process: Any) -> dict[str, Any]:
    """Return the nodes and edges of a process, with those of processes inside as bodies."""
    ids = make_ids([str(each.state.name) for each in process.steps], otherwise="step")
    by_id = {each.state.id: id_ for id_, each in zip(ids, process.steps, strict=True)}
    edges = list(_list_edges(process, ids, by_id))
    starts = {
        by_id.get(edge.output_target.step_id)
        for event in _list_input_events(process)
        for edge in process.edges[event]
    }
    nodes = [_node(id_, each, edges, starts) for id_, each in zip(ids, process.steps, strict=True)]
    return {"nodes": nodes, "edges": [without_empty(each) for each in edges]}


def _node(id_: str, step: Any, edges: list[dict[str, Any]], starts: set[str | None]) -> dict[str, Any]:
    inside = isinstance(step, KernelProcess)
    events = [event for edge in edges if edge["from"] == id_ for event in edge["x-events"]]
    sources = {edge["from"] for edge in edges if edge["to"] == id_}
    ends = any(
        edge.output_target.step_id == END_PROCESS_ID for found in step.edges.values() for edge in found
    )
    return without_empty(
        {
            "id": id_,
            "type": "function",
            "name": step.state.name if step.state.name != id_ else "",
            "ref": None if inside else make_ref(step.inner_step_type),
            "body": {name: each for name, each in _describe(step).items() if each} if inside else None,
            "start": True if id_ in starts else None,
            "join": "any" if len(sources) + (id_ in starts) > 1 else None,
            "dynamic": True if len(events) > 1 else None,
            "x-may-end": True if ends else None,
        }
    )


def _list_edges(process: Any, ids: list[str], by_id: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Yield one edge for two steps, with all events that lead from the one to the other."""
    for id_, step in zip(ids, process.steps, strict=True):
        found: dict[tuple[str, bool], dict[str, None]] = {}
        prefix = f"{step.state.name}_{step.state.id}."
        for event, edges in sorted(step.edges.items()):
            if not event.startswith(prefix):
                continue  # what comes into a process from outside
            told = event.removeprefix(prefix)
            for edge in edges:
                target = by_id.get(edge.output_target.step_id)
                if target is not None:
                    found.setdefault((target, told.endswith(_ERROR)), {})[told] = None
        for (target, is_error), events in sorted(found.items()):
            yield {
                "from": id_,
                "to": target,
                "on": "failure" if is_error else None,
                "x-events": sorted(events),
            }


def _list_input_events(process: Any) -> list[str]:
    """Return the events that come into a process from outside."""
    prefix = f"{process.state.name}_{process.state.id}."
    return [event for event in process.edges if not event.startswith(prefix)]
