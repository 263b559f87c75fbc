"""OpenAI Agents SDK: each turn of a model and each tool call is durable. Extra `omium-os[openai-agents]`.

    instrument.py   the agent that users hold     naming.py   the agents that can be reached, by id
    wrapping.py     agents, tools, guardrails     models.py   a turn of a model as a step
    export.py       agents as a Workflow Spec     applying.py   an edited spec's prompts and policies
    copying.py      copies that lead to copies    applied.py    agents as a spec says

The user's agents are not changed: `instrument` works on copies. Guide: docs/openai-agents.md.
"""

from omium.adapters.openai_agents.applied import AppliedAgent
from omium.adapters.openai_agents.applying import apply_spec
from omium.adapters.openai_agents.export import export_workflow
from omium.adapters.openai_agents.instrument import InstrumentedAgent, instrument
from omium.adapters.openai_agents.naming import name_nodes
from omium.adapters.recorded import StepPolicy

__all__ = [
    "AppliedAgent",
    "InstrumentedAgent",
    "StepPolicy",
    "apply_spec",
    "export_workflow",
    "instrument",
    "name_nodes",
]
