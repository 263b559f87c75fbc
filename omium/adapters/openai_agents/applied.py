"""Applied: agents as a stored spec says, with Omium's policies for them; what `apply_spec` returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agents import Agent

from omium.adapters.applied import Applied
from omium.adapters.circling import CIRCLING


@dataclass(frozen=True, slots=True)
class AppliedAgent(Applied[Agent[Any]]):
    """`source` is the agent that begins; policies stand by agent (`triage`), and by tool of one."""

    circling: int | None = CIRCLING
    model_provider: Any = None
    run_options: Mapping[str, Any] = field(default_factory=dict)
    copies: tuple[Agent[Any], ...] = ()
    """Held here: a handoff refers to its agent weakly."""


def find_applied(agent: Any) -> AppliedAgent:
    """Return what was applied or instrumented before, nothing for an agent itself."""
    return AppliedAgent.find(agent) or AppliedAgent(agent)
