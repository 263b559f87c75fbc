"""Semantic Kernel: answers of models and functions of plugins are durable. Extra `omium-os[semantic-kernel]`.

    instrument.py   the agent that users hold    services.py   an answer of a model as a step
    kernels.py      a kernel whose functions are steps          contents.py   how messages are recorded
    export.py       an agent as a Workflow Spec  naming.py     the agent's id
    processes.py    functions of a process's steps         process_instrument.py   the process that users hold
    process_export.py   a process as a Workflow Spec, and policies of an edited one
    applying.py     an edited spec's prompts and policies       applied.py    an agent as a spec says

The user's agent, process and kernel are not changed: copies are instrumented. Guide: docs/semantic-kernel.md.
"""

from omium.adapters.recorded import StepPolicy
from omium.adapters.semantic_kernel.applied import AppliedAgent
from omium.adapters.semantic_kernel.applying import apply_spec
from omium.adapters.semantic_kernel.export import export_workflow
from omium.adapters.semantic_kernel.instrument import InstrumentedAgent, instrument, instrument_kernel
from omium.adapters.semantic_kernel.naming import name_nodes
from omium.adapters.semantic_kernel.process_export import AppliedProcess
from omium.adapters.semantic_kernel.process_instrument import InstrumentedProcess, instrument_process

__all__ = [
    "AppliedAgent",
    "AppliedProcess",
    "InstrumentedAgent",
    "InstrumentedProcess",
    "StepPolicy",
    "apply_spec",
    "export_workflow",
    "instrument",
    "instrument_kernel",
    "instrument_process",
    "name_nodes",
]
