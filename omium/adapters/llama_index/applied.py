"""Applied: a workflow with the policies that Omium has for its steps; what `apply_spec` returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from workflows import Workflow

from omium.adapters.llama_index.naming import make_workflow
from omium.adapters.recorded import StepPolicy


@dataclass(frozen=True, slots=True)
class AppliedWorkflow:
    """`source` is the user's own workflow; it holds none of this."""

    source: Workflow
    policies: Mapping[str, StepPolicy] = field(default_factory=dict)
    """By step."""
    default: StepPolicy = field(default_factory=StepPolicy)
    """Of all other steps."""
    terms: Mapping[str, Any] = field(default_factory=dict)
    """Durability, takeover and queue of what was instrumented before."""

    def find_policy(self, node: str) -> StepPolicy:
        """Return what holds for a step."""
        return self.policies.get(node, self.default)


def find_applied(workflow: Any) -> AppliedWorkflow:
    """Return the policies of what was applied or instrumented before, none for a workflow itself."""
    if isinstance(workflow, AppliedWorkflow):
        return workflow
    found = None if isinstance(workflow, type) else vars(workflow).get("applied")
    return found if isinstance(found, AppliedWorkflow) else AppliedWorkflow(make_workflow(workflow))
