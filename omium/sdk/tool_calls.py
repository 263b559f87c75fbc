"""Tool calls of an agent: one that asks for the same tool with the same arguments again and again is stopped.

Owns the memory of one agent's calls. What going in circles means is omium/breaker/progress.py; who makes one
of these for each run of an agent is its author, or the adapter of a framework.
"""

from __future__ import annotations

import threading
from typing import Final

from omium.breaker.progress import REPEATS, REPEATS_MAX, Progress, call_signature, is_circling, note_call
from omium.errors import AgentCircling
from omium.jsonvalue import input_record

REPEATS_MIN: Final = 2


class ToolCalls:
    """The last tool calls of one run of an agent; safe to use from several threads.

    `repeats` (2 to 100) is how many equal calls among the last `repeats` + 2 are too many. Make a new one for
    each run of the agent; calls that come from records after a crash are noted like all others.

        calls = omium.ToolCalls()
        for call in answer.tool_calls:
            calls.note(call.name, call.arguments)
    """

    def __init__(self, *, repeats: int = REPEATS) -> None:
        if not REPEATS_MIN <= repeats <= REPEATS_MAX:
            raise ValueError(f"repeats is {REPEATS_MIN} to {REPEATS_MAX}, not {repeats}.")
        self._repeats = repeats
        self._progress = Progress()
        self._lock = threading.Lock()

    def note(self, tool: str, arguments: object = None) -> None:
        """Note that the agent asks for `tool` with `arguments`, whatever those are.

        Raises `AgentCircling`, for which no step is tried again, where the agent goes in circles.
        """
        signature = call_signature(tool, input_record({"arguments": arguments}).digest)
        with self._lock:
            self._progress = note_call(self._progress, signature, repeats=self._repeats)
            circling = is_circling(self._progress, repeats=self._repeats)
        if circling:
            raise AgentCircling(
                f"The agent has asked for {tool} with the same arguments {self._repeats} times among its last"
                " calls. Tell it in its prompt when to stop, or give the tool an answer that brings it on.",
                tool=tool,
            )
