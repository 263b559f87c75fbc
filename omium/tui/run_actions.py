"""What is done to executions on their own pages, beside what all pages share (actions.py)."""

from __future__ import annotations

from typing import Final

from omium.states import Scope
from omium.tui.actions import Action

RESUME: Final = Action(
    "resume", "u", "resume", "Go on with it, keeping every recorded step.", "Act",
    scope=Scope.OPERATE, changes=True,
)  # fmt: skip
PAUSE: Final = Action(
    "pause", "s", "pause", "Stand still: ask that it pause after the steps that run now.", "Act",
    scope=Scope.OPERATE, changes=True,
)  # fmt: skip
COPY_JSON: Final = Action("copy_json", "Y", "copy JSON", "Copy it as JSON.", shown=False)
