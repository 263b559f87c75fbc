"""Export: an agent of Semantic Kernel as a Workflow Spec.

Owns what is said of the agent, its model and the functions of its plugins. Which model is asked is
told; where, and with which key, never.
"""

from __future__ import annotations

from typing import Any

from semantic_kernel.agents import ChatCompletionAgent
from semantic_kernel.connectors.ai.chat_completion_client_base import ChatCompletionClientBase

from omium.adapters.documents import ANYTHING, make_document, make_ref, make_schema, without_empty
from omium.adapters.semantic_kernel.naming import name_nodes
from omium.adapters.semantic_kernel.process_export import export_process, is_process
from omium.errors import ConfigError
from omium.jsonvalue import JsonValue

_CONNECTORS = "semantic_kernel.connectors.ai."


def export_workflow(
    agent: Any, *, name: str | None = None, entrypoint: str | None = None
) -> dict[str, JsonValue]:
    """Return an agent with its functions, or a process, as a document; `entrypoint` is what a worker serves.

    Takes what `instrument` returned, too. The document is the same in every process, and holds no key. Raises
    `ConfigError` for agents of other kinds.
    """
    if is_process(agent):
        return export_process(agent, name=name, entrypoint=entrypoint)
    root = getattr(agent, "source", agent)
    if not isinstance(root, ChatCompletionAgent):
        raise ConfigError(
            f"A {type(root).__name__} cannot be exported; a ChatCompletionAgent or a process can."
        )
    (id_,) = name_nodes(root)
    tools = {
        function.fully_qualified_name: _tool(function)
        for _, plugin in sorted(root.kernel.plugins.items())
        for _, function in sorted(plugin.functions.items())
    }
    because = ["Semantic Kernel's own loop decides after each answer which functions are called."]
    if tools:
        because.append("Functions are Python code or prompts of the process that runs the agent.")
    return make_document(
        name or root.name,
        "semantic_kernel",
        description=root.description,
        inputs={"type": "object", "properties": {"input": ANYTHING}, "required": ["input"]},
        outputs={"text": {"$from": f"nodes.{id_}.output"}},
        agents={
            id_: without_empty(
                {"role": root.name, "goal": root.instructions, "llm": _llm(root), "tools": sorted(tools)}
            )
        },
        tools=tools,
        nodes=[
            {
                "id": id_,
                "type": "agent_task",
                "agent": id_,
                "parameters": {"description": "{input}"},
                "inputs": {"input": {"$from": "inputs.input"}},
            }
        ],
        edges=[],
        because=because,
        entrypoint=entrypoint,
    )


def find_service(agent: ChatCompletionAgent) -> Any:
    """Return the service that answers for an agent, None where there is none."""
    services = [each for each in agent.kernel.services.values() if isinstance(each, ChatCompletionClientBase)]
    return agent.service or (services[0] if services else None)


def _llm(agent: ChatCompletionAgent) -> dict[str, Any] | None:
    service = find_service(agent)
    if service is None:
        return None
    module = type(service).__module__
    provider = (
        module.removeprefix(_CONNECTORS).partition(".")[0] if module.startswith(_CONNECTORS) else "custom"
    )
    return {"provider": "openai" if provider == "open_ai" else provider, "model": service.ai_model_id}


def _tool(function: Any) -> dict[str, Any]:
    properties = {each.name: make_schema(each.schema_data) or {} for each in function.parameters if each.name}
    required = [each.name for each in function.parameters if each.name and each.is_required]
    schema = {"type": "object", "properties": properties} | ({"required": required} if required else {})
    template = getattr(getattr(function, "prompt_template", None), "prompt_template_config", None)
    return without_empty(
        {
            "description": function.description or "",
            "input_schema": schema if properties else {},
            "ref": make_ref(getattr(function, "method", None)) if template is None else None,
            "x-prompt": getattr(template, "template", None),
        }
    )
