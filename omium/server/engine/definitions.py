"""Definitions: the spec that an execution is pinned to, compiled; by its digest, so each is compiled once.

A scope (the workflow, or the body of a map) has a graph and its nodes' definitions. Versions never change, so
what is kept here is never stale. Owns the cache; loading a version's document is the store's.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from omium.jsonvalue import parse_json
from omium.server.db.tx import Tx
from omium.server.engine.scopes import list_maps
from omium.server.store import workflows
from omium.server.store.engine_runs import RunRow
from omium.server.store.workflows import WorkflowVersionRow
from omium.spec.canonical import node_digest
from omium.spec.check import restore_spec
from omium.spec.compile import compile_spec
from omium.spec.document import Body, Node, Spec
from omium.spec.graph import Graph

KEPT: Final = 64
"""Definitions that are kept: one of 1,000 nodes takes about a megabyte."""


@dataclass(frozen=True, slots=True)
class ScopeDefinition:
    """The workflow itself, or what a map does with each item."""

    body: Body
    graph: Graph
    nodes: Mapping[str, Node]
    map_id: str | None
    """The map's node id, None for the workflow."""


@dataclass(slots=True)
class Definition:
    """A version of a workflow, ready to be run."""

    spec: Spec
    digest: str
    root: ScopeDefinition
    _scopes: dict[tuple[str, ...], ScopeDefinition] = field(default_factory=dict)
    _digests: dict[tuple[str, ...], str] = field(default_factory=dict)

    def scope(self, scope: str) -> ScopeDefinition:
        """Return the definition of a scope; it's the same for every item of a map."""
        maps = tuple(list_maps(scope))
        if not maps:
            return self.root
        found = self._scopes.get(maps)
        if found is None:
            found = self.root
            for map_id in maps:
                found = _enter(found, map_id)
            self._scopes[maps] = found
        return found

    def node(self, scope: str, node_id: str) -> Node:
        return self.scope(scope).nodes[node_id]

    def digest_of(self, scope: str, node_id: str) -> str:
        """Return the digest of a node's definition, with its agent and tools."""
        key = (*list_maps(scope), node_id)
        found = self._digests.get(key)
        if found is None:
            found = self._digests[key] = node_digest(self.spec, "/".join(key))
        return found


def define(spec: Spec, digest: str) -> Definition:
    """Compile a spec."""
    root = ScopeDefinition(spec, compile_spec(spec), {node.id: node for node in spec.nodes}, None)
    return Definition(spec, digest, root)


def _enter(outer: ScopeDefinition, map_id: str) -> ScopeDefinition:
    body, graph = outer.nodes[map_id].body, outer.graph.nodes[map_id].body
    assert body is not None
    assert graph is not None
    return ScopeDefinition(body, graph, {node.id: node for node in body.nodes}, map_id)


class Definitions:
    """The definitions that this process has compiled, the most recently used last."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Definition] = OrderedDict()

    def get(self, tx: Tx, run: RunRow) -> Definition:
        """Return the definition that a run is pinned to."""
        found = self.find(run.spec_digest)
        if found is None:
            version = workflows.get_version(tx, run.tenant_id, run.workflow_id, run.version)
            found = self.of_version(version)
        return found

    def of_version(self, version: WorkflowVersionRow) -> Definition:
        """Return a version compiled."""
        found = self.find(version.digest)
        if found is None:
            found = self.keep(define(restore_spec(parse_json(version.document)), version.digest))
        return found

    def find(self, digest: str) -> Definition | None:
        found = self._kept.get(digest)
        if found is not None:
            self._kept[digest] = found
        return found

    def keep(self, definition: Definition) -> Definition:
        """Keep a definition; the one that was used least goes. Any thread may come in between."""
        self._kept[definition.digest] = definition
        while len(self._kept) > KEPT:
            try:
                self._kept.popitem(last=False)
            except KeyError:  # another thread was faster
                break
        return definition
