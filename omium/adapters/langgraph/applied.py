"""A graph with the policies that a spec gives its nodes: what `apply_spec` returns and `instrument` takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from langgraph.pregel import Pregel

from omium.adapters.langgraph.nodes import NodePolicy

Place: TypeAlias = tuple[str, ...]
"""The ids on the way to a node: `("team", "write")` is `write` in the subgraph `team`."""


@dataclass(frozen=True, slots=True)
class AppliedGraph:
    """`graph` is a copy; `policies` are Omium's own by place: those of the spec, and what was said before."""

    graph: Pregel[Any, Any, Any, Any]
    policies: Mapping[Place, NodePolicy]
    options: Mapping[str, Any] = field(default_factory=dict)
    """Of the graph that was instrumented before: durability, takeover, queue."""
