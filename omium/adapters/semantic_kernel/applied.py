"""Applied: an agent as a stored spec says, with Omium's policies for it; what `apply_spec` returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from semantic_kernel.agents import ChatCompletionAgent

from omium.adapters.circling import CIRCLING
from omium.adapters.recorded import StepPolicy


@dataclass(frozen=True, slots=True)
class AppliedAgent:
    """`source` is the user's own agent, or a copy of it and its kernel with what was edited."""

    source: ChatCompletionAgent
    policies: Mapping[str, StepPolicy] = field(default_factory=dict)
    """By model (`clerk`), and by function (`clerk.bank-charge`)."""
    default: StepPolicy = field(default_factory=StepPolicy)
    """Of the model, where the policies say nothing."""
    circling: int | None = CIRCLING
    terms: Mapping[str, Any] = field(default_factory=dict)
    """Durability, takeover and queue of what was instrumented before."""

    def find_policy(self, node: str) -> StepPolicy:
        """Return what holds for the agent's model."""
        return self.policies.get(node, self.default)


def find_applied(agent: Any) -> AppliedAgent:
    """Return what was applied or instrumented before, nothing for an agent itself."""
    if isinstance(agent, AppliedAgent):
        return agent
    found = vars(agent).get("applied")  # of an instrumented one, which passes all else on
    return found if isinstance(found, AppliedAgent) else AppliedAgent(agent)
