"""OpenAI Agents SDK: each turn of a model and each tool call is durable. Extra `omium-os[openai-agents]`.

    instrument.py   the agent that users hold     naming.py   the agents that can be reached, by id
    wrapping.py     agents, tools, guardrails     models.py   a turn of a model as a step
    export.py       agents as a Workflow Spec

The user's agents are not changed: `instrument` works on copies. Guide: docs/openai-agents.md.
"""

from omium.adapters.openai_agents.export import export_workflow
from omium.adapters.openai_agents.instrument import InstrumentedAgent, instrument
from omium.adapters.openai_agents.naming import name_nodes
from omium.adapters.recorded import StepPolicy

__all__ = ["InstrumentedAgent", "StepPolicy", "export_workflow", "instrument", "name_nodes"]
