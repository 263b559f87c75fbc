"""Circles: an agent of a framework that asks for the same tool again and again is stopped.

Owns the check before a model is asked anew. The conversation itself is the memory: it holds the calls of this
run of the agent, also those that come from records, so nothing is kept beside it. Frameworks tell the model
what a tool raised and go on; what is raised where a model is asked ends the run.
"""

from __future__ import annotations

from collections.abc import Iterable

from omium.sdk.tool_calls import ToolCalls


def refuse_circles(calls: Iterable[tuple[str, object]]) -> None:
    """Raise `AgentCircling` where `calls` (tool and arguments) of one run go in circles: 5 of 7 are equal."""
    noted = ToolCalls()
    for tool, arguments in calls:
        noted.note(tool, arguments)
