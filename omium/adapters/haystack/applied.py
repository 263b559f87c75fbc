"""Applied: a pipeline with the policies that Omium has for its components; what `apply_spec` returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from haystack import Pipeline

from omium.adapters.applied import Applied


@dataclass(frozen=True, slots=True)
class AppliedPipeline(Applied[Pipeline]):
    """Policies stand by component (`writer`), and by model and tool of an agent (`agent.model`)."""


def find_applied(pipeline: Any) -> AppliedPipeline:
    """Return the policies of what was applied or instrumented before, none for a pipeline itself."""
    return AppliedPipeline.find(pipeline) or AppliedPipeline(pipeline)
