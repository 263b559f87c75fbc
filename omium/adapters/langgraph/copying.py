"""Copies of graphs with other policies and prompts; the graph that is copied stays as it was.

Owns how LangGraph's compiled graph and its builder are copied together, so that what is exported of the copy
is what the copy runs.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from langgraph.pregel import Pregel

from omium.adapters.langgraph.applied import Place
from omium.adapters.langgraph.naming import ids_of
from omium.adapters.langgraph.prebuilt import with_prompt


@dataclass(frozen=True, slots=True)
class NodeEdit:
    """What is other about a node than LangGraph has it."""

    retry: tuple[Any, ...] = ()
    changes_retry: bool = False
    drops_timeout: bool = False
    """Of a whole attempt: Omium's own ends it."""
    prompt: str = ""
    """Empty: none."""
    changes_prompt: bool = False

    def fields(self, spec: Any) -> dict[str, Any]:
        """Return the fields of LangGraph's that change, by the names that builder and graph both have."""
        made: dict[str, Any] = {}
        if self.changes_retry:
            made["retry_policy"] = [*self.retry]
        if self.drops_timeout and getattr(spec, "timeout", None) is not None:
            made["timeout"] = _without_whole(spec.timeout)
        return made


def copy_graph(
    graph: Pregel[Any, Any, Any, Any], edits: Mapping[Place, NodeEdit], place: Place = ()
) -> Pregel[Any, Any, Any, Any]:
    """Return a copy of `graph` with `edits`; the graph itself where there are none inside of it."""
    builder = getattr(graph, "builder", None)
    if builder is None or not any(each[: len(place)] == place for each in edits):
        return graph
    nodes, specs = dict(graph.nodes), dict(builder.nodes)
    for name, id_ in ids_of(graph).items():
        spec, here = specs[name], (*place, id_)
        if isinstance(spec.runnable, Pregel):
            inner = copy_graph(spec.runnable, edits, here)
            nodes[name] = nodes[name].copy({"bound": inner, "subgraphs": [inner]})
            specs[name] = dataclasses.replace(spec, runnable=inner)
        elif (edit := edits.get(here)) is not None:
            changed = edit.fields(spec)
            runnable = with_prompt(spec.runnable, edit.prompt) if edit.changes_prompt else spec.runnable
            nodes[name] = nodes[name].copy(
                {**changed, **({"bound": runnable} if edit.changes_prompt else {})}
            )
            specs[name] = dataclasses.replace(spec, runnable=runnable, **changed)
    changed_builder = copy.copy(builder)
    changed_builder.nodes = specs
    return graph.copy(update={"nodes": nodes, "builder": changed_builder})


def _without_whole(timeout: Any) -> Any:
    """Return a timeout policy with only its idle time; None where nothing is left."""
    if getattr(timeout, "idle_timeout", None) is None:
        return None
    return dataclasses.replace(timeout, run_timeout=None)
