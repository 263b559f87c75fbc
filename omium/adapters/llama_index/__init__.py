"""LlamaIndex workflows: each run of a step is a durable step. Extra `omium-os[llama-index]`.

    instrument.py   the workflow that users hold   runtime.py   LlamaIndex's loop, recorded
    run.py          one run of it                  turns.py     in which order steps end and events come
    steps.py        one run of a step              values.py    events as they are recorded
    state.py        what `ctx.store` holds         clock.py     the loop's time
    export.py       a workflow as a Workflow Spec  naming.py    the steps by id
    usage.py        tokens of LlamaIndex's models
    applying.py     an edited spec's policies      applied.py   a workflow with its policies

The user's workflow is not changed: `instrument` works on a copy. Guide: docs/llama-index.md.
"""

from omium.adapters.llama_index.applied import AppliedWorkflow
from omium.adapters.llama_index.applying import apply_spec
from omium.adapters.llama_index.export import export_workflow
from omium.adapters.llama_index.instrument import InstrumentedWorkflow, instrument
from omium.adapters.llama_index.naming import name_nodes
from omium.adapters.recorded import StepPolicy

__all__ = [
    "AppliedWorkflow",
    "InstrumentedWorkflow",
    "StepPolicy",
    "apply_spec",
    "export_workflow",
    "instrument",
    "name_nodes",
]
