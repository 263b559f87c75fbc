"""Applied: a pipeline with the policies that Omium has for its components; what `apply_spec` returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from haystack import Pipeline

from omium.adapters.recorded import StepPolicy


@dataclass(frozen=True, slots=True)
class AppliedPipeline:
    """`source` is the user's own pipeline; it holds none of this."""

    source: Pipeline
    policies: Mapping[str, StepPolicy] = field(default_factory=dict)
    """By component (`writer`), and by model and tool of an agent (`agent.model`)."""
    default: StepPolicy = field(default_factory=StepPolicy)
    """Of all other components."""
    terms: Mapping[str, Any] = field(default_factory=dict)
    """Durability, takeover and queue of what was instrumented before."""

    def find_policy(self, node: str, key: str) -> StepPolicy:
        """Return what holds for `key`, a component or the model of one."""
        return self.policies.get(key, self.policies.get(node, self.default))


def find_applied(pipeline: Any) -> AppliedPipeline:
    """Return the policies of what was applied or instrumented before, none for a pipeline itself."""
    if isinstance(pipeline, AppliedPipeline):
        return pipeline
    found = vars(pipeline).get("applied")  # of an instrumented one, which passes all else on
    return found if isinstance(found, AppliedPipeline) else AppliedPipeline(pipeline)
