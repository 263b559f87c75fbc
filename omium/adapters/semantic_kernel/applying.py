"""apply_spec: an edited spec's prompts, model and policies, on a copy of the agent that it describes.

Owns which edits have a place: the agent's instructions and description, the prompts and descriptions of its
kernel's functions, which model is asked, and the policy of its answers. The user's own agent and kernel are
never changed. Whatever else a spec says otherwise than the agent is refused with a sentence, never ignored.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from semantic_kernel import Kernel
from semantic_kernel.agents import ChatCompletionAgent

from omium.adapters.native_edits import (
    edit_policies,
    refuse_other_code,
    refuse_redacted,
    refuse_unfollowed,
)
from omium.adapters.semantic_kernel.applied import find_applied
from omium.adapters.semantic_kernel.export import export_workflow, find_service
from omium.adapters.semantic_kernel.naming import name_nodes
from omium.adapters.semantic_kernel.process_export import apply_to_process, is_process
from omium.errors import ConfigError
from omium.spec.check import load_spec
from omium.spec.document import Llm, Node, Spec, Tool

PROMPT: Final = "x-prompt"


def apply_spec(agent: Any, spec: Spec) -> Any:
    """Return a copy of `agent` as `spec` says, or a process with its policies, for `instrument`.

    A policy of the spec wins, field by field, over that which `instrument` was given before. Raises
    `ConfigError` for a spec that Omium's engine runs, and for each edit that the agent cannot follow.
    """
    if spec.runtime.mode != "native":
        raise ConfigError(
            "/runtime/mode is engine: this workflow runs on the server, without Semantic Kernel."
        )
    if is_process(agent):
        return apply_to_process(agent, spec)
    before = find_applied(agent)
    exported = _export(before.source, spec)
    refuse_other_code(exported, spec, spec.name)
    refuse_redacted(exported, spec)
    made = _edit(before.source, exported, spec)
    refuse_unfollowed(_export(made, spec), spec, spec.name)
    for node in spec.nodes:
        _refuse(node)
    policies = edit_policies(before, ((node, (node.id,)) for node in spec.nodes))
    return replace(before, source=made, policies=policies)


def _export(agent: ChatCompletionAgent, spec: Spec) -> Spec:
    return load_spec(export_workflow(agent, name=spec.name, entrypoint=spec.runtime.entrypoint))


def _edit(agent: ChatCompletionAgent, exported: Spec, spec: Spec) -> ChatCompletionAgent:
    """Make the edits that have a place; what has none is seen where the copy is compared with the spec."""
    (id_,) = name_nodes(agent)
    before = exported.agents[id_]
    after = spec.agents.get(id_, before)
    kernel = agent.kernel.clone()
    kernel.services = dict(agent.kernel.services)
    update: dict[str, Any] = {"kernel": kernel}
    if spec.description != exported.description:
        update["description"] = spec.description or None
    if after.goal != before.goal:
        update["instructions"] = after.goal or None
        template = agent.prompt_template if after.goal else None
        update["prompt_template"] = None if template is None else _with_text(template, after.goal)
    if before.llm is not None and after.llm is not None and after.llm.model != before.llm.model:
        update["service"] = _edit_service(agent, kernel, after.llm)
    for name, function in _list_functions(kernel):
        if name in spec.tools and name in exported.tools:
            _edit_function(function, exported.tools[name], spec.tools[name])
    return agent.model_copy(update=update)


def _edit_service(agent: ChatCompletionAgent, kernel: Kernel, llm: Llm) -> Any:
    """Put a copy of the service that asks another model into the kernel's copy, and return it."""
    service = find_service(agent)
    made = copy.copy(service)
    made.ai_model_id = llm.model
    for key, each in kernel.services.items():
        if each is service:
            kernel.services[key] = made
    return made if agent.service is service else agent.service


def _list_functions(kernel: Kernel) -> Iterator[tuple[str, Any]]:
    for plugin in kernel.plugins.values():
        for function in plugin.functions.values():
            yield function.fully_qualified_name, function


def _edit_function(function: Any, before: Tool, after: Tool) -> None:
    """Edit a function of the kernel's copy, which is a copy itself and has metadata of its own."""
    if after.description != before.description:
        function.metadata.description = after.description or None
    prompt = (after.model_extra or {}).get(PROMPT)
    if prompt == (before.model_extra or {}).get(PROMPT):
        return
    template = getattr(function, "prompt_template", None)
    if template is None or not isinstance(prompt, str) or not prompt:
        raise ConfigError(
            f"{PROMPT} of the tool {function.fully_qualified_name} cannot be {prompt!r}: "
            + ("it is a text." if template is not None else "the function is code, and has no prompt.")
        )
    made = _with_text(template, prompt)
    function.prompt_template = made
    function.metadata.parameters = made.prompt_template_config.get_kernel_parameter_metadata()


def _with_text(template: Any, text: str) -> Any:
    """Return a prompt template of the same kind with another text; what it asks for is read out of that."""
    config = template.prompt_template_config.model_copy(deep=True, update={"template": text})
    return type(template)(
        prompt_template_config=config,
        allow_dangerously_set_content=template.allow_dangerously_set_content,
    )


def _refuse(node: Node) -> None:
    """Refuse a policy that has no place in an agent."""
    if node.effect:
        raise ConfigError(
            f"{node.id} has an effect, which an agent cannot follow: its functions are what changes anything."
            f" Remove it here, and name them in `instrument(..., nodes=...)`: {node.id}.PLUGIN-FUNCTION."
        )
