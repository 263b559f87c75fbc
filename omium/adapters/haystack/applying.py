"""apply_spec: the policies of an exported workflow, put onto the pipeline that it was exported from.

Owns which edits have a place in a pipeline: retries, time limits, slots, breakers, effects and checkpoints of
its components. What a component was made with and what it is connected to are code. Whatever else a spec says
otherwise than the pipeline is refused with a sentence, never ignored. What a policy does is wrapping.py's and
agents.py's.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from haystack.components.agents import Agent

from omium.adapters.haystack.applied import AppliedPipeline, find_applied
from omium.adapters.haystack.export import export_workflow
from omium.adapters.haystack.naming import name_nodes
from omium.adapters.native_edits import edit_policies, refuse_other_code, refuse_unfollowed
from omium.errors import ConfigError
from omium.spec.check import load_spec
from omium.spec.document import Node, Spec


def apply_spec(pipeline: Any, spec: Spec) -> AppliedPipeline:
    """Return `pipeline` with the policies of `spec`, for `instrument`; the given pipeline is not changed.

    A policy of the spec wins, field by field, over that which `instrument` was given before. Raises
    `ConfigError` for a spec that Omium's engine runs, and for each edit that a pipeline cannot follow.
    """
    if spec.runtime.mode != "native":
        raise ConfigError("/runtime/mode is engine: this workflow runs on the server, without Haystack.")
    before = find_applied(pipeline)
    fresh = export_workflow(before.source, name=spec.name, entrypoint=spec.runtime.entrypoint)
    exported = load_spec(fresh)
    refuse_other_code(exported, spec, spec.name)
    refuse_unfollowed(exported, spec, spec.name)
    components = name_nodes(before.source)
    agents = {id_ for id_, component in components.items() if isinstance(component, Agent)}
    for node in spec.nodes:
        _refuse(node, is_agent=node.id in agents)
    keys = ((f"{node.id}.model", node.id) if node.id in agents else (node.id,) for node in spec.nodes)
    return replace(before, policies=edit_policies(before, zip(spec.nodes, keys, strict=True)))


def _refuse(node: Node, *, is_agent: bool) -> None:
    """Refuse a policy that has no place in a pipeline."""
    if is_agent and (node.timeout_s is not None or node.effect):
        named = "a time limit" if node.timeout_s is not None else "an effect"
        raise ConfigError(
            f"{node.id} has {named}, which an agent cannot follow: it is no step, each answer of its model"
            " and each tool is. Remove it here, and name those in `instrument(..., nodes=...)`:"
            f" {node.id}.model."
        )
