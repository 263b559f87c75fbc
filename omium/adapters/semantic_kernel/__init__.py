"""Semantic Kernel: answers of models and functions of plugins are durable. Extra `omium-os[semantic-kernel]`.

    instrument.py   the agent that users hold    services.py   an answer of a model as a step
    kernels.py      a kernel whose functions are steps          contents.py   how messages are recorded
    export.py       an agent as a Workflow Spec  naming.py     the agent's id

The user's agent and kernel are not changed: `instrument` works on copies. Guide: docs/semantic-kernel.md.
"""

from omium.adapters.recorded import StepPolicy
from omium.adapters.semantic_kernel.export import export_workflow
from omium.adapters.semantic_kernel.instrument import InstrumentedAgent, instrument, instrument_kernel
from omium.adapters.semantic_kernel.naming import name_nodes

__all__ = [
    "InstrumentedAgent",
    "StepPolicy",
    "export_workflow",
    "instrument",
    "instrument_kernel",
    "name_nodes",
]
