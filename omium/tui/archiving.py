"""Archiving: workflows out of use, and back."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from omium.models.workflows import Workflow, WorkflowDetail
from omium.states import Scope
from omium.tui.actions import Action
from omium.tui.asking import Asking
from omium.tui.content import safe

ARCHIVE: Final = Action(
    "archive",
    "A",
    "archive",
    "Take a workflow out of use, or an archived one into use again.",
    "Act",
    scope=Scope.MANAGE,
    changes=True,
)


def archive_or_unarchive(page: Asking, chosen: Sequence[Workflow]) -> None:
    """Archive what is in use after asking; archived ones come back at once. Code alone cannot be archived."""
    stored = [each for each in chosen if each.kind == "spec"]
    in_use = [each for each in stored if not each.archived]
    if not stored and chosen:
        page.dashboard.notify(
            "A workflow that is only code is no document that could be archived.", severity="warning"
        )
    for each in stored:
        if each.archived:
            page.act(
                f"Unarchive {each.name}",
                partial(page.client.unarchive_workflow, each.id or each.name),
                partial(_tell, page),
            )

    def go() -> None:
        for each in in_use:
            page.act(
                f"Archive {each.name}",
                partial(page.client.archive_workflow, each.id or each.name),
                partial(_tell, page),
            )

    if in_use:
        what = in_use[0].name if len(in_use) == 1 else f"{len(in_use)} workflows"
        page.ask(
            f"Archive {what}?",
            "Nothing starts or changes it until it is taken back; what runs goes on, and all versions stay.",
            go,
            yes="Archive",
            count=len(in_use) if len(in_use) > 1 else None,
        )


def _tell(page: Asking, detail: WorkflowDetail) -> None:
    said = "is archived; A takes it back" if detail.archived else f"is in use, with version {detail.version}"
    page.dashboard.notify(safe(f"{detail.name} {said}."), markup=False)
    page.load()
