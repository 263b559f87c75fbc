"""Circles: an agent of a framework that asks for the same tool again and again is stopped.

Owns the check before a model is asked anew. The conversation itself is the memory: it holds the calls of this
run of the agent, also those that come from records, so nothing is kept beside it. Frameworks tell the model
what a tool raised and go on; what is raised where a model is asked ends the run.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from omium.breaker.progress import REPEATS, REPEATS_MAX
from omium.errors import ConfigError
from omium.sdk.tool_calls import REPEATS_MIN, ToolCalls

CIRCLING: Final = REPEATS
"""Where nobody says otherwise: 5 equal calls among the last 7."""


def check_circling(circling: int | None) -> None:
    """Raise `ConfigError` for a number of equal calls that there cannot be."""
    if circling is not None and not REPEATS_MIN <= circling <= REPEATS_MAX:
        raise ConfigError(
            f"circling is {REPEATS_MIN} to {REPEATS_MAX} equal calls, or None to let an agent go in circles; "
            f"not {circling}."
        )


def refuse_circles(calls: Iterable[tuple[str, object]], circling: int | None) -> None:
    """Raise `AgentCircling` where `calls` (tool and arguments) of one run go in circles.

    `circling` equal ones among the last `circling` + 2 do; with None nothing does.
    """
    if circling is None:
        return
    noted = ToolCalls(repeats=circling)
    for tool, arguments in calls:
        noted.note(tool, arguments)
