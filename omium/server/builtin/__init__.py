"""Built in: what the server itself does for a workflow, in the engine's name.

    context.py        the seam to the engine: TaskGrant, RunContext, TaskDone, TaskFailed
    expressions.py    conditions, evaluated in a process beside the server (expression_process.py)

Nothing in here knows a transaction's order or a node's successors; that is the engine's.
"""

from __future__ import annotations

from omium.server.builtin.context import RunContext, Runner, TaskDone, TaskFailed, TaskGrant, Turn

__all__ = ["RunContext", "Runner", "TaskDone", "TaskFailed", "TaskGrant", "Turn"]
