"""Applied: agents as a stored spec says, with Omium's policies for them; what `apply_spec` returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agents import Agent

from omium.adapters.circling import CIRCLING
from omium.adapters.recorded import StepPolicy


@dataclass(frozen=True, slots=True)
class AppliedAgent:
    """`source` is the agent that begins: the user's own, or a copy with what was edited."""

    source: Agent[Any]
    policies: Mapping[str, StepPolicy] = field(default_factory=dict)
    """By agent (`triage`), and by tool of one (`triage.search`)."""
    default: StepPolicy = field(default_factory=StepPolicy)
    """Of the models of all other agents."""
    circling: int | None = CIRCLING
    model_provider: Any = None
    run_options: Mapping[str, Any] = field(default_factory=dict)
    terms: Mapping[str, Any] = field(default_factory=dict)
    """Durability, takeover and queue of what was instrumented before."""
    copies: tuple[Agent[Any], ...] = ()
    """Held here: a handoff refers to its agent weakly."""

    def find_policy(self, node: str) -> StepPolicy:
        """Return what holds for the model of an agent."""
        return self.policies.get(node, self.default)


def find_applied(agent: Any) -> AppliedAgent:
    """Return what was applied or instrumented before, nothing for an agent itself."""
    if isinstance(agent, AppliedAgent):
        return agent
    found = vars(agent).get("applied")  # of an instrumented one, which passes all else on
    return found if isinstance(found, AppliedAgent) else AppliedAgent(agent)
