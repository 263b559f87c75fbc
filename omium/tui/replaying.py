"""Replay: the plan first, edited if one likes, then started; for any page that shows an execution.

replay(page, execution_id)                  the plan of a replay, and its start
patch(page, execution_id, step="write")     edit a value first, then the plan
roll_back(page, execution_id)               is rolling_back.py's
resume(page, execution_id)                  is going_on.py's
"""

from __future__ import annotations

from collections.abc import Sequence

from omium.models.execution import ExecutionDetail
from omium.models.replay import Edit
from omium.tui.asking import Asking
from omium.tui.going_on import resume
from omium.tui.patching import Patch, ask_patch
from omium.tui.plan_screen import PlanScreen
from omium.tui.plan_text import Wanted
from omium.tui.rolling_back import roll_back

__all__ = ["patch", "replay", "resume", "roll_back"]


def replay(
    page: Asking,
    execution_id: str,
    *,
    edits: Sequence[Edit] = (),
    from_step: str | None = None,
    version: int | None = None,
) -> None:
    """Show the plan of a replay, and start it if that is wanted."""

    def found(detail: ExecutionDetail) -> None:
        wanted = Wanted(detail.id, detail.workflow, from_step, version, tuple(edits))
        page.dashboard.push_screen(PlanScreen(page, detail, wanted))

    page.fetch(lambda: page.client.get_execution(execution_id), found, name="replay")


def patch(page: Asking, execution_id: str, step: str | None = None) -> None:
    """Edit a value of an execution, `step`'s first, then show the plan of a replay with it."""

    def found(detail: ExecutionDetail) -> None:
        def patched(made: Patch) -> None:
            wanted = Wanted(detail.id, detail.workflow).with_patch(made)
            page.dashboard.push_screen(PlanScreen(page, detail, wanted))

        ask_patch(page, detail, patched, step=step)

    page.fetch(lambda: page.client.get_execution(execution_id), found, name="replay")
