"""apply_spec: an edited spec's prompts, models and policies, on copies of the agents that it describes.

Owns which edits have a place: instructions that are a text, what handoffs and tools are described as, which
model is asked and its parameters, and the policies of answers. The user's own agents are never changed.
Whatever else a spec says otherwise than the agents is refused with a sentence, never ignored.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any, Final

from agents import Agent

from omium.adapters.native_edits import (
    edit_policies,
    refuse_other_code,
    refuse_redacted,
    refuse_unfollowed,
)
from omium.adapters.openai_agents.applied import AppliedAgent, find_applied
from omium.adapters.openai_agents.copying import copy_agents, describe_handoffs
from omium.adapters.openai_agents.export import PARAMETERS, export_workflow
from omium.errors import ConfigError
from omium.spec.check import load_spec
from omium.spec.document import Agent as AgentSpec
from omium.spec.document import Llm, Node, Spec

HANDOFF: Final = "x-handoff-description"


def apply_spec(agent: Any, spec: Spec) -> AppliedAgent:
    """Return copies of `agent` and of all that it can reach as `spec` says, for `instrument`.

    A policy of the spec wins, field by field, over that which `instrument` was given before. Raises
    `ConfigError` for a spec that Omium's engine runs, and for each edit that the agents cannot follow.
    """
    if spec.runtime.mode != "native":
        raise ConfigError("/runtime/mode is engine: this workflow runs on the server, without the SDK.")
    before = find_applied(agent)
    exported = _export(before.source, spec)
    refuse_other_code(exported, spec, spec.name)
    refuse_redacted(exported, spec)
    copies = copy_agents(before.source)
    for id_, made in copies.items():
        _edit_agent(made, exported.agents[id_], spec.agents.get(id_, exported.agents[id_]))
        _describe_tools(made, exported, spec, id_)
    describe_handoffs(before.source, copies)
    root = next(iter(copies.values()))
    refuse_unfollowed(_export(root, spec), spec, spec.name)
    for node in spec.nodes:
        _refuse(node)
    policies = edit_policies(before, ((node, (node.id,)) for node in spec.nodes))
    return replace(before, source=root, policies=policies, copies=tuple(copies.values()))


def _export(agent: Agent[Any], spec: Spec) -> Spec:
    return load_spec(export_workflow(agent, name=spec.name, entrypoint=spec.runtime.entrypoint))


def _edit_agent(made: Agent[Any], before: AgentSpec, after: AgentSpec) -> None:
    """Make the edits that have a place; what has none is seen where the copy is compared with the spec."""
    if after.goal != before.goal and isinstance(made.instructions, str | None):
        made.instructions = after.goal or None
    told = (after.model_extra or {}).get(HANDOFF)
    if told != (before.model_extra or {}).get(HANDOFF):
        if not isinstance(told, str | None):
            raise ConfigError(f"{HANDOFF} of {made.name} is a text, not {told!r}.")
        made.handoff_description = told
    if after.llm is not None and before.llm is not None and after.llm != before.llm:
        _edit_model(made, before.llm, after.llm)


def _edit_model(made: Agent[Any], before: Llm, after: Llm) -> None:
    changed = {
        name: after.parameters.get(name)
        for name in PARAMETERS
        if after.parameters.get(name) != before.parameters.get(name)
    }
    if changed:
        made.model_settings = replace(made.model_settings, **changed)
    if after.model == before.model or not after.model:
        return
    model: Any = made.model
    named = str((model if isinstance(model, str) else getattr(model, "model", None)) or before.model)
    wanted = named.removesuffix(before.model) + after.model  # in front of it may be `litellm/anthropic/`
    if model is None or isinstance(model, str):
        made.model = wanted
    elif type(model).__module__.startswith("agents."):
        made.model = copy.copy(model)
        made.model.model = wanted


def _describe_tools(made: Agent[Any], exported: Spec, spec: Spec, id_: str) -> None:
    """Give tools the descriptions of the spec; the names are told in the order of the agent's tools."""
    for name, tool in zip(exported.agents[id_].tools, made.tools, strict=True):
        if name in spec.tools and spec.tools[name].description != exported.tools[name].description:
            tool.description = spec.tools[name].description


def _refuse(node: Node) -> None:
    """Refuse a policy that has no place in an agent."""
    if node.effect:
        raise ConfigError(
            f"{node.id} has an effect, which an agent cannot follow: its tools are what changes anything."
            f" Remove it here, and name them in `instrument(..., nodes=...)`: {node.id}.TOOL."
        )
