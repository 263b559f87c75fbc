"""Applied: an agent as a stored spec says, with Omium's policies for it; what `apply_spec` returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from semantic_kernel.agents import ChatCompletionAgent

from omium.adapters.applied import Applied
from omium.adapters.circling import CIRCLING


@dataclass(frozen=True, slots=True)
class AppliedAgent(Applied[ChatCompletionAgent]):
    """Policies stand by model (`clerk`), and by function (`clerk.bank-charge`)."""

    circling: int | None = CIRCLING


def find_applied(agent: Any) -> AppliedAgent:
    """Return what was applied or instrumented before, nothing for an agent itself."""
    return AppliedAgent.find(agent) or AppliedAgent(agent)
