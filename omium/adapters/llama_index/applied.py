"""Applied: a workflow with the policies that Omium has for its steps; what `apply_spec` returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workflows import Workflow

from omium.adapters.applied import Applied
from omium.adapters.llama_index.naming import make_workflow


@dataclass(frozen=True, slots=True)
class AppliedWorkflow(Applied[Workflow]):
    """Policies stand by step."""


def find_applied(workflow: Any) -> AppliedWorkflow:
    """Return the policies of what was applied or instrumented before, none for a workflow itself."""
    return AppliedWorkflow.find(workflow) or AppliedWorkflow(make_workflow(workflow))
