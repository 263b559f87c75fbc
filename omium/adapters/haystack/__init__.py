"""Haystack: each component of a pipeline is a durable step. Extra `omium-os[haystack]`.

    instrument.py   the pipeline that users hold     wrapping.py   a component as a step
    agents.py       turns and tools of an agent in a pipeline      usage.py   what models report
    export.py       a pipeline as a Workflow Spec    naming.py     the components by id
    applying.py     an edited spec's policies        applied.py    a pipeline with its policies

The user's pipeline is not changed: `instrument` works on a copy. Guide: docs/haystack.md.
"""

from omium.adapters.haystack.applied import AppliedPipeline
from omium.adapters.haystack.applying import apply_spec
from omium.adapters.haystack.export import export_workflow
from omium.adapters.haystack.instrument import InstrumentedPipeline, instrument
from omium.adapters.haystack.naming import name_nodes
from omium.adapters.recorded import StepPolicy

__all__ = [
    "AppliedPipeline",
    "InstrumentedPipeline",
    "StepPolicy",
    "apply_spec",
    "export_workflow",
    "instrument",
    "name_nodes",
]
