"""Node ids: an agent of Semantic Kernel is one node, and its functions are `agent.plugin-function`."""

from __future__ import annotations

from semantic_kernel.agents import ChatCompletionAgent

from omium.adapters.node_ids import make_ids


def name_nodes(agent: ChatCompletionAgent) -> dict[str, ChatCompletionAgent]:
    """Return the agent by its id."""
    return dict(zip(make_ids([agent.name or ""], otherwise="agent"), [agent], strict=True))
